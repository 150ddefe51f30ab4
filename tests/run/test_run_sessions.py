"""Whole runs of sessions, against the simulator: what is in the run folder."""

import itertools
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest
from locust_process import folder, headless
from simulator_process import Simulator, running

USERS = ("OllamaChatUser", "OllamaGenerateUser", "OpenAIChatUser", "OpenAICompletionsUser")
LOAD = ("--model", "sim", "--users", "8", "--spawn-rate", "8", "--max-tokens", "12", "--payloads", "sessions")


@pytest.fixture(scope="module")
def simulator() -> Iterator[Simulator]:
    with running("--load-ms", "0", "--decode-tps", "200", "--parallel", "8") as started:
        yield started


def test_sessions_of_every_api_grow_turn_by_turn(simulator: Simulator, tmp_path: Path) -> None:
    done = headless(simulator.url, tmp_path, *USERS, *LOAD, "--run-time", "5s", "--think-time", "10ms..60ms")
    assert done.returncode == 0, done.stderr
    run = folder(tmp_path)
    assert set(run.outcomes) <= {"ok", "cancelled"}
    sessions = defaultdict(list)
    for row in run.rows:
        sessions[row["session"]].append(row)
    for rows in sessions.values():
        assert [int(row["turn"]) for row in rows] == list(range(1, len(rows) + 1))
        assert len({(row["prompt_id"], row["endpoint"]) for row in rows}) == 1
        left = [int(row["turns_left"]) for row in rows]
        assert left == [left[0] - n for n in range(len(rows))]
        assert all(row["outcome"] == "ok" for row in rows[:-1])
        tokens = [int(row["prompt_tokens"]) for row in rows if row["outcome"] == "ok"]
        assert all(after > before + 5 for before, after in itertools.pairwise(tokens))
        times = [(int(row["sent_unix_ns"]), int(row["ended_unix_ns"])) for row in rows]
        assert all(sent - ended >= 10e6 for (_, ended), (sent, _) in itertools.pairwise(times))
    assert {row["endpoint"] for rows in sessions.values() for row in rows if row["turn"] == "4"} == {
        "/api/chat",
        "/api/generate",
        "/v1/chat/completions",
        "/v1/completions",
    }
    found = run.summary()["turns"]
    assert found["sessions"]["total"] == len(sessions)
    assert found["sessions"]["broken"] == 0
    assert found["turns"][0]["n"] == sum(row["turn"] == "1" and row["outcome"] == "ok" for row in run.rows)
    assert "TTFT against context length" in (run.path / "report.html").read_text()


def test_a_run_that_stops_gracefully_waits_for_the_turn_but_not_for_the_session(
    simulator: Simulator, tmp_path: Path
) -> None:
    options = ("--run-time", "2s", "--stop-timeout", "30", "--think-time", "100s", "--no-report")
    done = headless(simulator.url, tmp_path, "OllamaChatUser", *LOAD, *options)
    assert done.returncode == 0, done.stderr
    run = folder(tmp_path)
    assert [row["turn"] for row in run.rows] == ["1"] * 8
    assert set(run.outcomes) == {"ok"}
    assert run.run["ended_unix_s"] - run.run["started_unix_s"] < 60
