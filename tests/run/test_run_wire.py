"""Whole runs against servers that end, frame and send their streams otherwise: what the rows and the findings say."""

import statistics
from pathlib import Path

from wire_http import cases, load


def test_bodies_that_are_left_open_end_with_their_answers_and_are_said(tmp_path: Path) -> None:
    run, said, server = load(cases()["A2-done-then-open"], tmp_path, "--request-timeout", "30")
    ok = [row for row in run.rows if row["outcome"] == "ok"]
    assert len(ok) >= 3  # nobody waits for the request time-out
    assert all(row["habits"] == "left_open" for row in ok if row["phase"] != "drain")
    # Without the second that such a body is waited for, which would be in each of them.
    assert statistics.median(float(row["e2e_ms"]) for row in ok) > 200
    assert min(float(row["e2e_ms"]) for row in ok) < 1000
    assert all(row["connect_ms"] for row in run.rows)  # no connection was used again
    assert server.generations >= len(run.rows)
    assert "left open" in run.rules("remark")
    assert "late dispatch" not in run.rules("invalid")
    assert "each needed a new connection" in " ".join(said.split())


def test_an_abort_is_a_server_error_with_its_word_in_no_latency(tmp_path: Path) -> None:
    run, said, _ = load(cases()["A1-finish-abort"], tmp_path, "--pause-after-error", "0.1")
    assert set(run.outcomes) <= {"server_error", "cancelled"}
    assert run.outcomes["server_error"] > 3
    assert {row["error"] for row in run.rows if row["outcome"] == "server_error"} == {
        "the answer ended with finish_reason abort"
    }
    assert not run.summary()["overall"]["metrics"]
    assert "finish_reason abort" in " ".join(said.split())


def test_streams_that_are_ignored_are_said(tmp_path: Path) -> None:
    run, said, _ = load(cases()["B2-stream-ignored"], tmp_path, "--pause-after-error", "0.1", pace_s=0.1)
    assert run.outcomes["ok"] > 3
    assert "not streamed" in run.rules("remark")
    assert all(row["streamed"] == "0" and not row["ttft_ms"] for row in run.rows if row["outcome"] == "ok")
    assert "though a stream was asked for" in " ".join(said.split())


def test_finish_reasons_that_nobody_knows_are_counted_and_named(tmp_path: Path) -> None:
    case = cases()["B8-no-done-sentinel"]
    odd = case.asked.raw.replace(b'"finish_reason":"stop"', b'"finish_reason":"tide"')
    exchange = type(case.asked)(case.asked.method, case.asked.path, case.asked.body, odd, case.asked.left_open)
    run, said, _ = load(type(case)(case.name, case.source, case.expected, (exchange,)), tmp_path)
    assert run.outcomes["ok"] > 3
    assert {"finish reasons", "no sentinel"} <= run.rules("remark")
    assert "do not know, and count as ok: tide" in " ".join(said.split())
