"""Turns in a report: who counts where, what became of each session, and the figure."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
from golden.make import MS, failed, folder, ollama, summary_of

from tokenswarm.metrics.record import Record
from tokenswarm.reports.load import load
from tokenswarm.reports.parts import turns as turns_figure
from tokenswarm.reports.summary import summarise
from tokenswarm.reports.write import report
from tokenswarm.wire.values import Usage


def turn(sequence: int, number: int, left: int, session: int, kind: str = "user", **changes: Any) -> Record:
    """A request of a session: 100 tokens of context and 20 ms of TTFT more with each turn."""
    made = ollama(sequence, at_ms=1000 * number)
    sent = made.sent_ns or 0
    usage = made.usage._replace(prompt_tokens=100 * number)
    made = replace(made, usage=usage, first_output_ns=sent + 20 * number * MS)
    made = replace(made, **changes)
    return of(made, number, left, session, kind)


def of(record: Record, number: int, left: int, session: int, kind: Any = "user") -> Record:
    who = replace(record.identity, turn=number, turns_left=left, session=session, turn_kind=kind)
    return replace(record, identity=who)


RECORDS = [
    turn(0, 1, 2, 0),
    turn(1, 2, 2, 0, "tool"),
    turn(2, 3, 1, 0),
    turn(3, 4, 0, 0),  # held to its end, with a tool round in its first turn
    turn(10, 1, 2, 10),
    of(failed(11, "http_error", "busy"), 2, 1, 10),  # broken
    turn(20, 1, 2, 20),
    turn(21, 2, 1, 20, outcome="cancelled"),  # cut
    turn(30, 1, 2, 30),  # cut in a pause
    turn(40, 1, 1, 40, phase="warm-up"),
    turn(41, 2, 0, 40),  # began in the warm-up
    ollama(50),  # no session
]


def test_sessions_by_their_end_and_turns_by_the_users_own_count(tmp_path: Path) -> None:
    found = summary_of(tmp_path, RECORDS)["turns"]
    assert found["sessions"] == {"total": 5, "completed": 2, "broken": 1, "cut": 2}
    assert [(one["turn"], one["n"]) for one in found["turns"]] == [(1, 4), (2, 2), (3, 1)]
    first, second, third = found["turns"]
    assert (first["ttft_ms"]["p50"], first["prompt_tokens"]["p50"]) == (20, 100)
    assert (second["ttft_ms"]["n"], second["ttft_ms"]["mean"]) == (2, 50)  # requests 3 of one session, 2 of another
    assert third["ttft_ms"]["p50"] == 80
    assert found["tool_rounds"]["n"] == 1
    assert first["cached_share"] is None
    assert first["ttft_ms"]["p95"] is None  # too few


def test_what_the_server_says_it_had_cached_is_a_share_of_the_prompt_tokens(tmp_path: Path) -> None:
    usage = Usage(prompt_tokens=200, output_tokens=11, cached_tokens=150)
    records = [turn(0, 1, 1, 0), turn(1, 2, 0, 0, usage=usage)]
    shares = [one["cached_share"] for one in summary_of(tmp_path, records)["turns"]["turns"]]
    assert shares == [None, 0.75]
    report(tmp_path)
    assert "cached, %" in (tmp_path / "report.md").read_text()


def test_where_no_server_says_what_it_had_cached_there_is_no_column_of_nothing(tmp_path: Path) -> None:
    report(folder(tmp_path, RECORDS))
    text = (tmp_path / "report.md").read_text()
    assert "cached, %" not in text
    assert "| tool rounds | 1 | 200 |" in text
    assert "it does not say how much that was" in text


def test_what_was_never_sent_lacks_no_token_count(tmp_path: Path) -> None:
    dropped = replace(failed(1, "dropped", "no client was free"), sent_ns=None, ended_ns=None, scheduled_ns=MS)
    summary = summary_of(tmp_path, [ollama(0), dropped, failed(2, "timeout", "too long")])
    assert summary["overall"]["requests"]["by_outcome"]["dropped"] == 1
    assert summary["overall"]["tokens"]["requests_without_count"] == 1  # the one that timed out


def test_without_sessions_there_is_no_section_and_no_figure(tmp_path: Path) -> None:
    report(folder(tmp_path, [ollama(n, at_ms=n) for n in range(5)]))
    assert "## Turns" not in (tmp_path / "report.md").read_text()
    assert "TTFT against context length" not in (tmp_path / "report.html").read_text()


def test_the_report_shows_them(tmp_path: Path) -> None:
    report(folder(tmp_path, RECORDS))
    text = (tmp_path / "report.md").read_text()
    assert "5 sessions of several turns: 2 held to the end, 1 broken off by a failed request, 2 cut by the end" in text
    assert "| 1 | 4 | 100 |" in text
    assert "| tool rounds | 1 | 200 |" in text
    assert "TTFT against context length" in (tmp_path / "report.html").read_text()


def test_a_run_from_before_there_were_sessions_still_has_a_report(tmp_path: Path) -> None:
    made = folder(tmp_path, [ollama(0), ollama(1)])
    table = pd.read_csv(made / "requests.csv", dtype=str, keep_default_na=False)
    old = table.drop(columns=["session", "turn", "turn_kind", "turns_left"])
    old.to_csv(made / "requests.csv", index=False)
    found = summarise(load(made))
    assert found["turns"] is None
    assert found["overall"]["requests"]["total"] == 2


def test_the_figures_median_follows_the_context(tmp_path: Path) -> None:
    records = [turn(n, 1 + n % 10, 9 - n % 10, n - n % 10) for n in range(200)]
    run = load(folder(tmp_path, records))
    plot = turns_figure.plot(run.frame, summarise(run))
    assert plot is not None
    points, median, *_ = plot.figures[0].data
    assert len(points.x) == 200
    assert sorted(set(points.marker.color)) == list(range(1, 11))
    assert list(median.y) == sorted(median.y)
    assert (median.y[0], median.y[-1]) == (20, 200)
    assert all(abs(y - x / 5) <= 10 for x, y in zip(median.x, median.y, strict=True))
