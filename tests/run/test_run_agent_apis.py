"""/v1/responses and /v1/messages under load: each request's counts are what the simulator says that it sent."""

import itertools
import json
from collections import Counter, defaultdict
from pathlib import Path

import pytest
from locust_process import Run, folder, headless
from simulator_process import running, stop
from tape import taped

USERS = ("OpenAIResponsesUser", "AnthropicMessagesUser")
PATHS = {"/v1/responses", "/v1/messages"}
LOAD = (*USERS, "--users", "4", "--spawn-rate", "8", "--run-time", "4s", "--stop-timeout", "20")


def truth_of(path: Path, run: Run) -> dict[str, dict[str, int]]:
    """The simulator's log, by request id."""
    log = (json.loads(line) for line in path.read_text().splitlines())
    return {line["request_id"]: line for line in log if (line["request_id"] or "").startswith(run.run["run"])}


@pytest.mark.parametrize("streamed", [True, False])
def test_each_requests_tokens_are_those_of_the_servers_log(streamed: bool, tmp_path: Path) -> None:
    truth_path = tmp_path / "truth.jsonl"
    served = ("--models", "sim,sim-think,sim-think-tools", "--parallel", "8", "--decode-tps", "300", "--load-ms", "1")
    load = (*LOAD, "--model", "sim,sim-think,sim-think-tools", "--max-tokens", "40", "--no-report")
    load += () if streamed else ("--no-stream",)
    with running("--truth", str(truth_path), *served) as simulator:
        done = headless(simulator.url, tmp_path / "runs", *load)
        assert done.returncode == 0, done.stderr
        stop(simulator.process)
    run = folder(tmp_path / "runs")
    truth = truth_of(truth_path, run)
    assert run.outcomes == {"ok": len(run.rows)}
    assert len(run.rows) > 20
    assert {row["endpoint"] for row in run.rows} == PATHS
    for row in run.rows:
        own = truth[f"{run.run['run']}-{row['worker']}-{row['sequence']}"]
        assert own["path"] == row["endpoint"]
        assert (int(row["output_tokens"]), int(row["prompt_tokens"])) == (own["output_tokens"], own["prompt_tokens"])
        assert int(row["text_chars"] or 0) + int(row["thinking_chars"] or 0) == own["text_chars"]
        timed = streamed and row["buffered"] == "0"  # a busy machine's chunks may come in lumps
        assert bool(row["ttft_ms"]) == timed
        assert (row["token_source"], row["habits"]) == ("usage", "")
        if streamed:
            assert int(row["output_chunks"]) == sum(
                tokens > 0 and kind != "final" for *_, tokens, kind in own["chunks"]
            )
        if timed:
            assert 0 < float(row["ttft_ms"]) <= float(row["ttfa_ms"] or row["e2e_ms"]) <= float(row["e2e_ms"])
    assert not streamed or sum(bool(row["ttft_ms"]) for row in run.rows) > len(run.rows) / 2
    words = {path: {row["finish_reason"] for row in run.rows if row["endpoint"] == path} for path in PATHS}
    assert words["/v1/messages"] <= {"end_turn", "max_tokens"}
    assert words["/v1/responses"] == {"completed"}
    cut = [row for row in run.rows if row["cut_by_limit"] == "1"]
    assert {row["endpoint"] for row in cut} == PATHS
    assert {int(row["output_tokens"]) for row in cut} == {40}
    assert any(int(row["thinking_chars"] or 0) for row in run.rows)


def test_sessions_with_rounds_of_tools(tmp_path: Path) -> None:
    """As agents hold them: each request has all that was said, with the calls' ids and the tools' results."""
    served = ("--models", "sim-think-tools", "--parallel", "4", "--decode-tps", "2000", "--load-ms", "1")
    load = (*LOAD, "--model", "sim-think-tools", "--payloads", "tools", "--max-tokens", "200", "--no-report")
    with running(*served) as simulator, taped(simulator.url) as (url, tape):
        done = headless(url, tmp_path / "runs", *load, "--history-thinking")
        assert done.returncode == 0, done.stderr
    run = folder(tmp_path / "runs")
    assert run.outcomes == {"ok": len(run.rows)}
    rounds = Counter(row["endpoint"] for row in run.rows if row["turn_kind"] == "tool")
    assert rounds.keys() == PATHS
    assert min(rounds.values()) > 2
    for row in run.rows:
        if row["turn_kind"] != "tool":
            continue
        raw = tape.asked[f"{run.run['run']}-{row['worker']}-{row['sequence']}"]
        body = json.loads(raw.partition(b"\r\n\r\n")[2])
        if row["endpoint"] == "/v1/messages":
            *_, called, answered = body["messages"]
            calls = [block["id"] for block in called["content"] if block["type"] == "tool_use"]
            assert calls == [block["tool_use_id"] for block in answered["content"]]
            assert called["content"][0]["type"] == "thinking"
        else:
            calls = [item["call_id"] for item in body["input"] if item["type"] == "function_call"]
            assert calls == [item["call_id"] for item in body["input"] if item["type"] == "function_call_output"]
        assert calls


FAULTS = {
    "fault-error-object": ("server_error", "an error was encountered while running the model"),
    "fault-truncate": ("truncated", "the body ended without "),
    "fault-reset": ("truncated", "the connection broke"),
    "fault-garbage": ("protocol_error", "not JSON"),
    "fault-503": ("http_error", "HTTP 503 "),
    "fault-empty": ("ok", ""),
}


def test_failures_are_told_apart(tmp_path: Path) -> None:
    asked = ("--model", ",".join(FAULTS), "--max-tokens", "40", "--pause-after-error", "0.1", "--no-report")
    with running("--decode-tps", "2000", "--load-ms", "1") as simulator:
        headless(simulator.url, tmp_path / "runs", *LOAD, *asked)
    run = folder(tmp_path / "runs")
    for path, (model, (outcome, words)) in itertools.product(PATHS, FAULTS.items()):
        rows = [row for row in run.rows if (row["endpoint"], row["model"]) == (path, model)]
        assert {row["outcome"] for row in rows} == {outcome}, (path, model)
        assert all(words in row["error"] for row in rows), rows[0]["error"]


def test_the_same_prompts_go_through_every_api_in_turns(tmp_path: Path) -> None:
    four = ("OllamaChatUser", "OpenAIChatUser", *USERS)
    load = (*four, "--same-prompts", "--users", "3", "--spawn-rate", "8", "--run-time", "6s", "--stop-timeout", "20")
    with running("--models", "sim", "--parallel", "4", "--decode-tps", "200", "--load-ms", "1") as simulator:
        done = headless(simulator.url, tmp_path / "runs", *load, "--model", "sim", "--max-tokens", "9", "--keep-text")
    assert done.returncode == 0, done.stderr
    run = folder(tmp_path / "runs")
    assert run.outcomes == {"ok": len(run.rows)}
    rounds = defaultdict(list)
    for row in run.rows:
        rounds[int(row["round"])].append(row)
    whole = [rows for rows in rounds.values() if len(rows) == 4]
    assert len(whole) > 12
    assert len(rounds) - len(whole) <= 3  # those that the end of the run cut
    for rows in whole:
        assert {row["user_class"] for row in rows} == {*four}
        assert len({row["endpoint"] for row in rows}) == 4
        texts = [row["prompt_text"].partition("] ") for row in rows]
        assert len({said for _, _, said in texts}) == 1
        assert len({mark for mark, _, _ in texts}) == 4  # so that no cache serves the later ones
    firsts = Counter(rows[0]["endpoint"] for rows in whole)
    assert len(firsts) == 4  # none is always the first
    found = run.summary()["same_prompts"]
    assert found["base"] == "/api/chat"
    for path in ("/v1/chat/completions", *PATHS):
        against = found["apis"][path]["against"]
        assert against["prompt_tokens"]["n"] >= len(whole)  # a busy machine may merge a stream, which has no TTFT then
        assert against["ttft_ms"]["mean"] is not None
    assert "## The same prompts" in (run.path / "report.md").read_text()
