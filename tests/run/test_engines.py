"""Whole runs against the simulator in the shape of other engines: their own numbers in the rows, and whose they are."""

from pathlib import Path

import pytest
from locust_process import folder, headless
from simulator_process import running

from tokenswarm.reports.load import load
from tokenswarm.reports.summary import summarise

# What it is asked for, which of its durations there must be, and whose they are.
ENGINES = {
    "vllm": ((), ("queue_ms", "prompt_eval_ms", "eval_ms"), "vLLM"),
    "llama.cpp": ((), ("queue_ms", "prompt_eval_ms", "eval_ms", "cached_tokens"), "llama.cpp"),
    "lm-studio": (("--path", "/api/v0/chat/completions"), ("prompt_eval_ms", "eval_ms"), "LM Studio"),
    "sglang": ((), (), ""),
}


@pytest.mark.parametrize("engine", ENGINES)
def test_a_run_against_an_engine(engine: str, tmp_path: Path) -> None:
    options, durations, name = ENGINES[engine]
    load_ = (
        "OpenAIChatUser",
        "--model",
        "sim:latest",
        "--users",
        "2",
        "--max-tokens",
        "16",
        "--run-time",
        "3s",
        "--stop-timeout",
        "10",
    )
    with running("--engine", engine, "--decode-tps", "80", "--parallel", "1") as simulator:
        done = headless(simulator.url, tmp_path, *load_, *options, "--no-report")
    assert done.returncode == 0, done.stderr
    run = folder(tmp_path)
    good = [row for row in run.rows if row["outcome"] == "ok"]
    assert len(good) > 3
    told = [row for row in good if row["ledger_source"] or not name]  # a busy machine's may be doubted
    assert told
    assert all(row["ledger_source"] == name and all(row[column] for column in durations) for row in told)
    assert run.run["target"]["engine"] == {"sglang": "SGLang"}.get(engine, name)
    summary = summarise(load(run.path))
    account = max(summary["overall"]["ledger"], key=lambda one: one["n"])
    if engine == "vllm":  # two users, one slot: half of the time is queue, and vLLM says so
        assert account["kind"] == "server, with its queue"
        assert account["parts_mean_ms"]["queue"] > account["parts_mean_ms"]["prompt_eval"] > 0
        assert account["parts_mean_ms"]["rest"] < account["parts_mean_ms"]["queue"]
    if engine == "llama.cpp":  # which does not: its answers came so much later than its prefill took
        assert account["kind"] == "server, its queue derived"
        assert account["parts_mean_ms"]["queue"] > account["parts_mean_ms"]["prompt_eval"] > 0
        assert account["parts_mean_ms"]["rest"] < account["parts_mean_ms"]["queue"]
        (slots,) = (one for one in summary["server"]["series"] if one["source"] == f"{simulator.url}/slots")
        assert (slots["name"], slots["max"]) == ("running", 1)
