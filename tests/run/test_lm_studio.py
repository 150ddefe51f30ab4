"""LM Studio's own /api/v1/chat under load, as documented: counts, stats and failures are what the simulator sent."""

import json
from pathlib import Path

import pytest
from doors import refused
from locust_process import folder, headless
from simulator_process import running, stop

from tokenswarm.reports.load import load
from tokenswarm.reports.summary import summarise
from tokenswarm.users.lm_studio import LMStudioChatUser

SERVED = ("--engine", "lm-studio", "--models", "sim,sim-think", "--parallel", "8", "--load-ms", "1")
LOAD = ("LMStudioChatUser", "--users", "4", "--spawn-rate", "8", "--stop-timeout", "20", "--no-report")


@pytest.mark.parametrize("streamed", [True, False])
def test_each_requests_numbers_are_those_of_the_server(streamed: bool, tmp_path: Path) -> None:
    truth_path = tmp_path / "truth.jsonl"
    asked = (
        "--model",
        "sim,sim-think",
        "--max-tokens",
        "30",
        "--requests",
        "40",
        *(() if streamed else ("--no-stream",)),
    )
    with running("--truth", str(truth_path), "--decode-tps", "200", *SERVED) as simulator:
        done = headless(simulator.url, tmp_path / "runs", *LOAD, *asked)
        assert done.returncode == 0, done.stderr
        stop(simulator.process)
    run = folder(tmp_path / "runs")
    log = map(json.loads, truth_path.read_text().splitlines())
    truth = {line["request_id"]: line for line in log}
    assert (run.outcomes, run.run["target"]["engine"]) == ({"ok": 40}, "LM Studio")
    for row in run.rows:
        own = truth[f"{run.run['run']}-{row['worker']}-{row['sequence']}"]
        assert own["path"] == row["endpoint"] == "/api/v1/chat"
        assert (int(row["output_tokens"]), int(row["prompt_tokens"])) == (own["output_tokens"], own["prompt_tokens"])
        assert int(row["text_chars"] or 0) + int(row["thinking_chars"] or 0) == own["text_chars"]
        assert (row["token_source"], row["ledger_source"], row["habits"]) == ("stats", "LM Studio", "")
        assert 0 < float(row["prompt_eval_ms"]) + float(row["eval_ms"]) <= float(row["e2e_ms"])
        assert float(row["eval_tokens_per_s"]) > float(row["decode_tokens_per_s"]) > 0
        assert bool(row["ttft_ms"]) == streamed
    assert {row["cut_by_limit"] for row in run.rows if row["output_tokens"] == "30"} == {"1"}
    assert any(row["thinking_chars"] not in ("", "0") for row in run.rows)
    assert summarise(load(run.path))["overall"]["ledger"]


FAULTS = {
    "fault-error-object": ("server_error", "an error was encountered while running the model"),
    "fault-truncate": ("truncated", "the body ended without chat.end"),
    "fault-reset": ("truncated", "the connection broke"),
    "fault-garbage": ("protocol_error", "not JSON"),
    "fault-503": ("http_error", "HTTP 503 "),
}


def test_failures_are_told_apart(tmp_path: Path) -> None:
    asked = ("--model", ",".join(FAULTS), "--max-tokens", "40", "--requests", "60", "--pause-after-error", "0.1")
    with running("--decode-tps", "2000", *SERVED) as simulator:
        headless(simulator.url, tmp_path, *LOAD, *asked)
    run = folder(tmp_path)
    for model, (outcome, words) in FAULTS.items():
        rows = [row for row in run.rows if row["model"] == model]
        assert {row["outcome"] for row in rows} == {outcome}, model
        assert all(words in row["error"] for row in rows), rows[0]["error"]


def test_where_it_is_not_spoken_one_line_says_so(tmp_path: Path) -> None:
    for options, words in (
        ((), "/api/v1/chat is LM Studio's own, which an Ollama has not"),
        (("--engine", "vllm"), "/api/v1/chat refuses what the run would ask"),
    ):
        with running(*options) as simulator:
            given = ("--host", simulator.url, "--run-dir", str(tmp_path), "--model", "sim", "--requests", "2")
            assert words in refused("LMStudioChatUser", *given, classes=(LMStudioChatUser,))
