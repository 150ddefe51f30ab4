"""A figure has one value, wherever it is shown: each held against sums by hand."""

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from compared_runs import VALID
from golden.make import MS, ZERO_NS, folder, identity, ollama

from tokenswarm.folder import verdict
from tokenswarm.metrics.record import Record
from tokenswarm.reports.load import load
from tokenswarm.reports.parts import open_loop, requests
from tokenswarm.reports.render.numbers import number
from tokenswarm.reports.summary import summarise
from tokenswarm.wire.values import Usage


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
