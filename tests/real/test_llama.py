"""A real model on llama.cpp under load (`make test-real`): our counts are the server's own, request by request."""

import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from subprocess import run

import pytest
import requests

sys.path.insert(0, str(Path(__file__).parents[1] / "support"))

from locust_process import ROOT, environment, folder, headless
from tape import Tape, taped

from demo import server


def timings(tape: Tape) -> dict[str, dict[str, float]]:
    """llama.cpp's own `timings` of each streamed answer, by request id; the last one counts."""
    found = {}
    for request_id, raw in tape.said.items():
        stated = re.findall(rb'"timings":(\{[^}]*\})', raw)
        if stated:
            found[request_id] = json.loads(stated[-1])
    return found


@pytest.fixture(scope="module")
def llama() -> Iterator[str]:
    pytest.importorskip("xllamacpp", reason="the real engine is not installed: make test-real installs it")
    with server("llama") as url:
        yield url


def totals(url: str) -> dict[str, int]:
    """The server's own count of everything since it started."""
    text = requests.get(f"{url}/metrics", timeout=10).text
    return {name: int(float(value)) for name, value in re.findall(r"^llamacpp:(\w+_total) (\S+)$", text, re.MULTILINE)}


@pytest.mark.parametrize("streams", [1, 4, 8])
def test_every_requests_counts_are_the_servers_own(streams: int, llama: str, tmp_path: Path) -> None:
    before = totals(llama)
    load = ("OpenAIChatUser", "OpenAICompletionsUser", "--users", str(streams), "--spawn-rate", "8")
    load += ("--max-tokens", "24", "--run-time", "10s", "--stop-timeout", "60", "--no-report", "--unique-prompts")
    with taped(llama) as (url, tape):
        done = headless(url, tmp_path, *load)
    assert done.returncode == 0, done.stderr
    run = folder(tmp_path)
    assert set(run.outcomes) == {"ok"}
    stated = timings(tape)
    for row in run.rows:
        own = stated[f"{run.run['run']}-{row['worker']}-{row['sequence']}"]
        assert int(row["output_tokens"]) == own["predicted_n"]
        assert int(row["prompt_tokens"]) == own["prompt_n"] + own["cache_n"]
        assert int(row["cached_tokens"]) == own["cache_n"]
        assert float(row["eval_ms"]) == pytest.approx(own["predicted_ms"], abs=0.001)
        assert float(row["prompt_eval_ms"]) == pytest.approx(own["prompt_ms"], abs=0.001)
        assert 0 < float(row["ttft_ms"]) < float(row["e2e_ms"])
    warm = sum(one["facts"]["output_tokens"] for one in run.run["warmups"].values())
    after = totals(llama)
    assert after["tokens_predicted_total"] - before["tokens_predicted_total"] == (run.total("output_tokens") + warm)
    mean = run.total("output_tokens") / len(run.rows)
    print(f"{streams} streams: {len(run.rows)} requests, {run.total('output_tokens')} tokens, {mean:.1f} a request")


def test_the_agents_apis_count_as_the_server_does(llama: str, tmp_path: Path) -> None:
    """/v1/responses request by request, by its own `timings`; both together by the server's totals."""
    before = totals(llama)
    load = (
        "OpenAIResponsesUser",
        "AnthropicMessagesUser",
        "--users",
        "4",
        "--spawn-rate",
        "8",
        "--payloads",
        "sessions",
    )
    load += ("--max-tokens", "24", "--run-time", "10s", "--stop-timeout", "60", "--no-report")
    with taped(llama) as (url, tape):
        done = headless(url, tmp_path, *load)
    assert done.returncode == 0, done.stderr
    run = folder(tmp_path)
    assert set(run.outcomes) == {"ok"}
    stated = timings(tape)
    ours = [row for row in run.rows if row["endpoint"] == "/v1/responses"]
    assert 3 < len(ours) < len(run.rows)
    for row in ours:
        own = stated[f"{run.run['run']}-{row['worker']}-{row['sequence']}"]
        assert int(row["output_tokens"]) == own["predicted_n"]
        assert int(row["prompt_tokens"]) == own["prompt_n"] + own["cache_n"]
        assert int(row["cached_tokens"]) == own["cache_n"]
        assert float(row["eval_ms"]) == pytest.approx(own["predicted_ms"], abs=0.001)
    warm = sum(one["facts"]["output_tokens"] for one in run.run["warmups"].values())
    read = sum(int(row["prompt_tokens"]) - int(row["cached_tokens"]) for row in run.rows)
    after = totals(llama)
    assert after["tokens_predicted_total"] - before["tokens_predicted_total"] == run.total("output_tokens") + warm
    assert 0 <= after["prompt_tokens_total"] - before["prompt_tokens_total"] - read < 500  # those of the warm-ups
    print(f"{len(ours)} of /v1/responses, {len(run.rows) - len(ours)} of /v1/messages, {read} prompt tokens read")


def test_the_probe_finds_its_slots_and_context(llama: str) -> None:
    probe = [sys.executable, "-m", "tokenswarm.probe", "--host", llama, "--json"]
    done = run(probe, cwd=ROOT, env=environment(), capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    found = {name: figure["value"] for name, figure in json.loads(done.stdout)["figures"].items()}
    assert (found["slots"], found["context_tokens"], found["prompt_cache"]) == (4, 2048, True)
    assert found["decode_tokens_per_s"] > 1
    assert found["prefill_tokens_per_s"] > found["decode_tokens_per_s"]
