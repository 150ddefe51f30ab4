"""Card, ls, summary.csv and the tables show the same figures, and of chunks that came in lumps none."""

import csv
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from capacity_rows import SLO, trial
from compared_runs import VALID
from golden.make import folder, identity, ollama

from tokenswarm.capacity.answer import result
from tokenswarm.capacity.search import SearchRange, SearchResult
from tokenswarm.metrics.record import Record
from tokenswarm.reports.__main__ import main
from tokenswarm.reports.listing import entry
from tokenswarm.reports.render.numbers import number
from tokenswarm.reports.write import report

STAGES = [{"text": "1x5s", "from_users": 1, "users": 1}, {"text": "2x5s", "from_users": 2, "users": 2}]
LUMP = {"buffered": True, "first_output_ns": None, "first_answer_ns": None, "gaps": {}}


def forms(path: Path, capsys: pytest.CaptureFixture[str]) -> tuple[str, dict[str, Any], dict[str, str]]:
    """The card, the entry of ls and the row of summary.csv of a run whose report has been made."""
    assert main(["card", str(path)]) == 0
    (row,) = csv.DictReader((path / "summary.csv").read_text(encoding="utf-8").splitlines())
    return capsys.readouterr().out, entry(path), row


def staged(n: int, **changes: Any) -> Record:
    """20 of each of two stages, the second of which is twice as fast."""
    at_ms = 200 * n if n < 20 else 4000 + 100 * (n - 20)
    return ollama(n, at_ms, tokens=20, identity=replace(identity(n), stage=1 + n // 20), **changes)


def test_of_stages_the_whole_run_is_shown(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    records = [staged(n, phase="ramp-up" if n < 8 else "steady") for n in range(40)]
    summary = report(folder(tmp_path, records, {**VALID, "stages": STAGES}))
    card, listed, row = forms(tmp_path, capsys)
    whole = summary["overall"]["tokens"]["output_tokens_per_s"]
    assert whole != pytest.approx(summary["steady"]["figures"]["output_tokens_per_s"]["steady"]["value"], rel=0.01)
    assert f"\n{number(whole)} output tokens/s" in card
    assert listed["output_tokens_per_s"] == float(row["output_tokens_per_s"]) == whole


@pytest.mark.parametrize("answer", [2.0, None])
def test_of_a_capacity_search_the_load_that_was_found_is_shown(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], answer: float | None
) -> None:
    trials = [trial(1, 1.0, "met", 5), trial(2, 2.0, "met", 9), trial(3, 3.0, "crossed", 700)]
    found = result(SearchResult(answer, "crossed", 3.0), SearchRange(False, 1, 1, 100), [SLO], trials, "")
    report(folder(tmp_path, [staged(n) for n in range(40)], {**VALID, "capacity": {**found, "state": "complete"}}))
    card, listed, row = forms(tmp_path, capsys)
    if answer:
        assert "\nusers at SLO: 2; 100" in card
        assert "TTFT 29.0 / 29.0" in card
        assert listed["output_tokens_per_s"] == float(row["output_tokens_per_s"]) == 100
        assert listed["ttft_ms_p50"] == float(row["ttft_ms_p95"]) == 29
    else:
        assert "tokens/s" not in card
        assert "TTFT" not in card
        assert listed["output_tokens_per_s"] is listed["ttft_ms_p50"] is None
        assert row["output_tokens_per_s"] == row["ttft_ms_p50"] == ""


def test_where_most_came_in_lumps_nothing_tells_of_single_chunks(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Three of five: nobody takes the times of the others for all."""
    for name, stages in (("one load", []), ("stages", STAGES)):
        path = folder(tmp_path / name, [staged(n, **(LUMP if n % 5 < 3 else {"buffered": False})) for n in range(40)])
        (path / "run.json").write_text(json.dumps({**VALID, "stages": stages, "rows": 40}), encoding="utf-8")
        summary = report(path)
        card, listed, row = forms(path, capsys)
        assert not {"ttft_ms_p50", "tpot_ms_p50"} & set(summary["steady"]["figures"])
        assert "TTFT" not in card.replace("users: tokens/s (TTFT p50)", "")
        assert listed["ttft_ms_p50"] is None
        assert row["ttft_ms_p50"] == row["tpot_ms_p50"] == ""
        assert [part[name]["n"] for part in summary["concurrency"] for name in ("ttft_ms", "tpot_ms")] == [0, 0] * (
            len(stages) or 1
        )
        assert {stage["ttft_ms"]["p50"] for stage in summary["stages"]} <= {None}
        assert {phase["ttft_ms_p50"] for phase in summary["phases"]} == {None}
        page = (path / "report.html").read_text(encoding="utf-8")
        assert '"TTFT, ms"' not in page
        assert listed["e2e_ms_p50"] is not None


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("overall", "requests", "total"), "60"),
        (("overall", "requests", "by_outcome", "ok"), None),
        (("steady", "figures", "e2e_ms_p50", "steady", "value"), "225"),
        (("steady", "figures"), []),
        (("run",), None),
        (("run", "started_unix_s"), 1e300),
        (("load", "seconds"), "x"),
    ],
)
def test_ls_goes_by_run_json_where_a_summary_is_damaged(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], path: tuple[str, ...], value: Any
) -> None:
    summary = report(folder(tmp_path / "a", [ollama(n, 100 * n) for n in range(60)], VALID))
    place: Any = summary
    for name in path[:-1]:
        place = place[name]
    place[path[-1]] = value
    (tmp_path / "a" / "summary.json").write_text(json.dumps(summary), encoding="utf-8")
    assert main(["ls", str(tmp_path)]) == 0
    assert capsys.readouterr().out.splitlines()[-1].split()[:4] == ["a", "VALID", "–", "60"]


def test_ls_does_not_take_an_earlier_summary_for_that_of_a_run_that_goes_on(tmp_path: Path) -> None:
    path = folder(tmp_path, [ollama(0)], VALID)
    report(path)
    assert entry(path)["verdict"] == "VALID"
    (path / "run.json").write_text(json.dumps({**VALID, "state": "running", "validity": None}), encoding="utf-8")
    assert entry(path)["verdict"] == "running"
    report(path)  # as of one that was killed
    assert entry(path)["verdict"] == "INVALID"
