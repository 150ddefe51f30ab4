"""A figure has one value, wherever it is shown: each held against sums by hand."""

import csv
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from compared_runs import VALID
from golden.make import MS, ZERO_NS, folder, identity, ollama

from tokenswarm.folder import verdict
from tokenswarm.metrics.record import Identity, Phase, Record
from tokenswarm.reports.__main__ import main
from tokenswarm.reports.listing import entry
from tokenswarm.reports.load import load
from tokenswarm.reports.parts import open_loop, requests
from tokenswarm.reports.render.numbers import number
from tokenswarm.reports.summary import summarise
from tokenswarm.reports.write import report
from tokenswarm.wire.values import Embeddings, Usage


def summary_of(path: Path, records: Iterable[Record], **changes: Any) -> dict[str, Any]:
    return summarise(load(folder(path, records, {**VALID, **changes})))


def given(requests: Iterable[tuple[int, int]], since_ms: float, until_ms: float) -> float:
    """Tokens in a window of requests sent then, of so many tokens: even from 120 ms on to 5 ms after the last."""
    total = 0.0
    for at_ms, tokens in requests:
        begin, end = at_ms + 120, at_ms + 125 + 10 * (tokens - 1)
        total += tokens * max(0.0, min(end, until_ms) - max(begin, since_ms)) / (end - begin)
    return total


def test_what_the_warm_up_gets_in_a_window_is_in_every_rate(tmp_path: Path) -> None:
    warm, held = [(100 * n, 200) for n in range(8)], [(1000 + 100 * n, 20) for n in range(50)]
    stage = {"text": "2x5s", "from_users": 2, "users": 2}
    records = [ollama(n, at_ms, tokens, phase="warm-up") for n, (at_ms, tokens) in enumerate(warm)]
    records += [
        ollama(8 + n, at_ms, tokens, identity=replace(identity(8 + n), stage=1))
        for n, (at_ms, tokens) in enumerate(held)
    ]
    until_ms = held[-1][0] + 125 + 190
    truth = given(warm + held, 1000, until_ms) / (until_ms - 1000) * 1e3
    for name, changes in (("a", {"stages": [stage]}), ("b", {})):
        summary = summary_of(tmp_path / name, records, **changes)
        rates = [
            summary["overall"]["tokens"]["output_tokens_per_s"],
            summary["concurrency"][0]["output_tokens_per_s"],
            *(figure["value"] for figure in summary["steady"]["figures"]["output_tokens_per_s"].values()),
            *(stage["output_tokens_per_s"] for stage in summary["stages"]),
        ]
        assert rates == [pytest.approx(truth, rel=1e-6)] * (5 if changes else 4)
        low, high = summary["steady"]["figures"]["output_tokens_per_s"]["steady"]["interval"]
        assert low <= truth <= high
        # Under way in the window: 315 ms of each of the fifty, the warm-up's from the window's begin on.
        under_way = 50 * 315 + sum(at_ms + 125 + 1990 - 1000 for at_ms, _ in warm)
        assert summary["steady"]["in_flight"] == pytest.approx(under_way / (until_ms - 1000), rel=1e-6)


def test_the_estimated_share_is_the_one_that_the_run_was_judged_by(tmp_path: Path) -> None:
    """Chunks of ten requests that were cut, 7 each; a chunk held 3 tokens in the warm-up, and 1.1 later."""
    records = [ollama(n, 100 * n, tokens=30, output_chunks=10, phase="warm-up") for n in range(50)]
    records += [ollama(50 + n, 6000 + 100 * n, tokens=11, output_chunks=10) for n in range(50)]
    records += [
        ollama(100 + n, 11000, usage=Usage(), outcome="cancelled", output_chunks=7, phase="drain") for n in range(10)
    ]
    path = folder(tmp_path, records, VALID)
    summary = summarise(load(path))
    estimate, counted = 10 * 7 * 1.1, 50 * 11
    truth = 100 * estimate / (counted + estimate)
    found = summary["overall"]["tokens"]
    assert found["output_tokens_estimated"] == round(estimate)
    assert found["output_estimated_percent"] == pytest.approx(truth, abs=1e-6)
    assert f"({number(truth)} % of them estimated)" in summary["verdict"]
    judged = verdict.validity(path, {**VALID, "workers": []}, [])
    (remark,) = (one for one in judged["findings"] if one["rule"] == "estimated tokens")
    assert remark["figure"] == pytest.approx(truth, abs=1e-6)


def test_a_share_that_rounding_would_change_is_not_rounded_first(tmp_path: Path) -> None:
    records = [ollama(n, 100 * n, tokens=10, output_chunks=3) for n in range(2)]
    records.append(ollama(2, 300, usage=Usage(), outcome="cancelled", output_chunks=1, phase="drain"))
    found = summary_of(tmp_path, records)["overall"]["tokens"]
    assert found["output_estimated_percent"] == pytest.approx(100 * (10 / 3) / (20 + 10 / 3), abs=1e-6)


def test_ok_requests_a_second_have_one_value(tmp_path: Path) -> None:
    """Of ten answered a second every other one is cut: in each rate, and in its interval, a part of one."""
    records = []
    for n in range(120):
        cut = n % 2 > 0
        changes = {"usage": Usage(), "outcome": "cancelled", "output_chunks": 10} if cut else {}
        due = ZERO_NS + 100 * n * MS
        records.append(ollama(n, 100 * n, tokens=20, scheduled_ns=due, **changes))
    summary = summary_of(tmp_path, records)
    figure = summary["steady"]["figures"]["ok_per_s"]["whole"]
    low, high = summary["steady"]["figures"]["ok_per_s"]["steady"]["interval"]
    truth = (60 + 60 * 10 / 20) / (119 * 0.1 + 0.315)
    assert figure["value"] == pytest.approx(truth, rel=1e-6)
    assert summary["window"]["ok_requests_per_s"] == summary["open_loop"]["ok_per_s"] == figure["value"]
    assert low <= truth <= high
    assert high - low < truth / 2
    said = "\n".join(
        cell for line in (*requests.section(summary).lines, *open_loop.section(summary).lines) for cell in line
    )
    assert said.count(f"{number(truth)} ") == 2


def embedding(n: int, at_ms: int, vectors: int, phase: Phase = "steady") -> Record:
    """An ok request for so many vectors that takes 50 ms."""
    who = Identity(0, n, "OllamaEmbedUser", "/api/embed", "embed", "p", None, batch_size=vectors)
    sent, usage = ZERO_NS + at_ms * MS, Usage(prompt_tokens=9 * vectors, source="prompt_eval_count")
    return Record(
        who, "ok", status=200, sent_ns=sent, ended_ns=sent + 50 * MS, usage=usage, phase=phase, streamed=False,
        embeddings=Embeddings(vectors, 384),
    )  # fmt: skip


def test_vectors_a_second_are_everywhere_and_the_same(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    records = [embedding(n, 100 * n - 75, 8, phase="warm-up") for n in range(2)]  # the second reaches into the run
    records += [embedding(2 + n, 100 * n, 4) for n in range(60)]
    path = folder(tmp_path / "vectors" / "a", records, VALID)
    summary = report(path)
    truth = (60 * 4 + 8) / 5.95
    figure = summary["steady"]["figures"]["vectors_per_s"]
    assert figure["steady"]["value"] == figure["whole"]["value"] == pytest.approx(truth, rel=1e-6)
    low, high = figure["steady"]["interval"]
    assert low <= truth <= high
    (group,) = summary["embedding"]
    assert group["vectors_per_s"] == figure["whole"]["value"]
    assert f"{number(truth)} vectors/s over" in summary["verdict"]
    assert entry(path)["vectors_per_s"] == figure["whole"]["value"]
    (row,) = csv.DictReader((path / "summary.csv").read_text(encoding="utf-8").splitlines())
    assert float(row["vectors_per_s"]) == figure["whole"]["value"]
    card = ["card", str(path)]
    for command in (card, [*card, "--lang", "zh"], ["ls", str(path.parent)], ["show", str(path)]):
        assert main(command) == 0
        said = capsys.readouterr().out
        assert number(truth) in said
        assert ("vectors/s" in said) is not ("zh" in command)
    assert "output_tokens_per_s" not in summary["steady"]["figures"]
    text = folder(tmp_path / "text" / "b", [ollama(n, 100 * n) for n in range(60)], VALID)
    assert "vectors_per_s" not in report(text)["steady"]["figures"]
    assert entry(text)["vectors_per_s"] is None
    assert main(["ls", str(text.parent)]) == 0
    assert "vectors" not in capsys.readouterr().out
