"""The capacity search in the report: its answer on top, its trials, its load curve, rebuilt from the folder alone."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

from capacity_rows import SLO, trial
from golden.make import RUN, folder, identity, ollama

from tokenswarm.capacity.answer import result
from tokenswarm.capacity.search import SearchRange, SearchResult
from tokenswarm.reports.load import load
from tokenswarm.reports.parts.capacity import plot as draw
from tokenswarm.reports.summary import summarise
from tokenswarm.reports.write import report

SENTENCE = "2 users at most keep to ttft_ms p95 < 500; 3 users do not."


def searched(path: Path, **changes: Any) -> Path:
    trials = [trial(1, 1.0, "met", 5), trial(2, 2.0, "met", 9), trial(3, 3.0, "crossed", 700)]
    told = result(SearchResult(2.0, "crossed", 3.0), SearchRange(False, 1, 1, 100), [SLO], trials, "") | {
        "state": "complete"
    }
    rows = [ollama(n, at_ms=100 * n, identity=replace(identity(n), stage=1 + n // 10)) for n in range(30)]
    return folder(path, rows, {**RUN, "capacity": {**told, **changes}})


def test_the_answer_is_on_top_and_the_trials_below(tmp_path: Path) -> None:
    report(searched(tmp_path / "run"))
    text = (tmp_path / "run" / "report.md").read_text()
    assert f"**{SENTENCE} All trials together: 30 of 30 requests ok".replace("<", r"\<") in text
    assert text.index("## Capacity") < text.index("## Findings") < text.index("## Requests by outcome")
    assert "The queue gave way first" in text
    assert "The load curve has its knee at 2 users" in text
    assert r"| 3 | 3 | crossed: ttft_ms p95 \< 500 | 100 | 12.5 | 8.00 | 0.500 | 100 |" in text
    assert "3 trials in 37.5 s" in text
    page = (tmp_path / "run" / "report.html").read_text()
    assert "The load curve" in page
    summary = json.loads((tmp_path / "run" / "summary.json").read_text())
    assert (summary["capacity"]["answer"], summary["capacity"]["gave_way"]["what"]) == (2, "queue")
    before = text
    report(tmp_path / "run")
    assert (tmp_path / "run" / "report.md").read_text() == before


def test_a_search_cut_short_or_spoilt_by_hand_has_its_report_too(tmp_path: Path) -> None:
    one = [trial(1, 1.0, "limited", 5) | {"client": ["the busiest worker used 99 % of a core"]}]
    report(searched(tmp_path / "one", trials=one, sentence="At least 1 user keeps to it; stopped.", knee={}))
    text = (tmp_path / "one" / "report.md").read_text()
    assert "the client's limit: the busiest worker used 99 % of a core" in text
    assert "The load curve" not in (tmp_path / "one" / "report.html").read_text()
    for at, broken in enumerate(({"trials": None}, {"trials": [1, {"load": "x"}], "knee": 7, "gave_way": None})):
        report(searched(tmp_path / f"broken{at}", **broken))
    assert "capacity" not in summarise(load(tmp_path / "broken0"))


def test_what_gave_way_is_seen_beside_the_answer_not_in_a_trial_that_chance_put_elsewhere() -> None:
    waits = [
        (0.5, "met", 1.0),
        (0.6, "crossed", 2.0),
        (1.9, "met", 30.0),
        (2.1, "crossed", 90.0),
        (4.0, "crossed", 900.0),
    ]
    trials = [trial(number, load, verdict, ms) for number, (load, verdict, ms) in enumerate(waits, 1)]
    told = result(SearchResult(2.0, "crossed", None, 0.01), SearchRange(True, 1, 1, 100, True), [SLO], trials, "")
    assert (
        "requests waited 1 ms at the lowest load, 30 ms at the best, 90 ms at the first" in told["gave_way"]["sentence"]
    )


def test_the_axis_of_the_load_curve_says_20_where_it_means_20() -> None:
    trials = [trial(1, 18.75, "met", 5), trial(2, 26.5, "met", 9), trial(3, 75.0, "crossed", 700)]
    plot = draw(None, {"capacity": {"trials": trials, "unit": "requests/s"}})
    assert plot is not None
    assert list(plot.figures[0].layout.xaxis.tickvals) == [20, 30, 50, 70]


def test_the_axis_names_whole_loads_where_there_is_room_for_them() -> None:
    """Users of stages are mostly 1, 2, 4, 8; a search's last loads lie too close together."""
    for loads, ticks in (([1, 2, 4, 8], [1, 2, 4, 8]), ([1, 8, 9], [1, 2, 3, 5, 7, 10])):
        trials = [trial(n, float(load), "met", 5) for n, load in enumerate(loads)]
        plot = draw(None, {"capacity": {"trials": trials, "unit": "users"}})
        assert plot is not None
        assert list(plot.figures[0].layout.xaxis.tickvals) == ticks
