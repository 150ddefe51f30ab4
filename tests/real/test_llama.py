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

from locust_process import ROOT, Run, environment, folder, headless
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
    # Its threads wait for each other: two of them take many times as long where others want the CPUs, too.
    with server("llama", ["--parallel", "4", "--threads", "1"]) as url:
        yield url


def totals(url: str) -> dict[str, int]:
    """The server's own count of everything since it started."""
    text = requests.get(f"{url}/metrics", timeout=10).text
    return {name: int(float(value)) for name, value in re.findall(r"^llamacpp:(\w+_total) (\S+)$", text, re.MULTILINE)}


def loaded(url: str, run_dir: Path, number: int, *load: str) -> tuple[Run, dict[str, dict[str, float]], Tape]:
    """So many requests, all well; the run, what `timings` said of each, and the tape between the two."""
    asked = ("--requests", str(number), "--spawn-rate", "8", "--max-tokens", "16")
    with taped(url) as (between, tape):
        done = headless(between, run_dir, *load, *asked)
    assert done.returncode == 0, done.stderr
    run = folder(run_dir)
    assert run.outcomes == {"ok": number}
    said = {(row["worker"], row["sequence"]): f"{run.run['run']}-{row['worker']}-{row['sequence']}" for row in run.rows}
    stated = timings(tape)
    for row in run.rows:
        row["id"] = said[row["worker"], row["sequence"]]
        if row["id"] in stated:
            assert_said_so(row, stated[row["id"]])
    return run, stated, tape


def assert_said_so(row: dict[str, str], own: dict[str, float]) -> None:
    """A row's counts and durations are the server's own of that request."""
    assert int(row["output_tokens"]) == own["predicted_n"]
    assert int(row["prompt_tokens"]) == own["prompt_n"] + own["cache_n"]
    assert int(row["cached_tokens"]) == own["cache_n"]
    assert float(row["eval_ms"]) == pytest.approx(own["predicted_ms"], abs=0.001)
    assert float(row["prompt_eval_ms"]) == pytest.approx(own["prompt_ms"], abs=0.001)
    assert 0 < float(row["ttft_ms"]) < float(row["e2e_ms"])


def made(run: Run) -> int:
    """Output tokens of a run, those of its warm-ups with them."""
    return run.total("output_tokens") + sum(one["facts"]["output_tokens"] for one in run.run["warmups"].values())


def tolerance(e2e_ms: float) -> float:
    return max(5.0, 0.02 * e2e_ms)


@pytest.mark.parametrize(("users", "number"), [(1, 3), (8, 24)])
def test_every_requests_counts_and_ledger_are_the_servers_own(
    users: int, number: int, llama: str, tmp_path: Path
) -> None:
    """4 slots: of 8 users half wait. Its headers come when a slot takes a request, which no row knows: so long it
    waited. The ledger closes for 99 % of the requests, or the report says that it does not.
    """
    before = totals(llama)
    classes = ("OpenAIChatUser", "OpenAICompletionsUser", "--unique-prompts", "--users", str(users))
    run, stated, tape = loaded(llama, tmp_path, number, *classes)
    assert len(stated) >= number
    after = totals(llama)
    assert after["tokens_predicted_total"] - before["tokens_predicted_total"] == made(run)
    closed = waited = 0
    for row in run.rows:
        e2e, own, queue = float(row["e2e_ms"]), stated[row["id"]], float(row["queue_ms"])
        closed += abs(e2e - queue - own["prompt_ms"] - own["predicted_ms"]) <= tolerance(e2e)
        waited += abs(queue - 1e3 * (tape.headed_s[row["id"]] - tape.asked_s[row["id"]])) <= tolerance(e2e)
    (account,) = run.summary()["overall"]["ledger"]
    assert (account["kind"], account["closed"], account["n"]) == ("server, its queue derived", closed, number)
    says = "the ledger closes." if closed >= 0.99 * number else "the ledger does not close;"
    assert says in (run.path / "report.md").read_text(encoding="utf-8")
    assert min(closed, waited) >= 0.9 * number
    if users > 4:  # the others may be over before anybody looks at the slots
        (busy,) = (one for one in run.summary()["server"]["series"] if one["source"].endswith("/slots"))
        assert account["parts_mean_ms"]["queue"] > account["parts_mean_ms"]["prompt_eval"]
        served = (
            sum(float(row["prompt_eval_ms"]) + float(row["eval_ms"]) for row in run.rows)
            / run.summary()["window"]["window_s"]
            / 1e3
        )
        assert (busy["name"], busy["max"]) == ("running", 4)
        assert busy["mean"] == pytest.approx(served, abs=1)
        print(f"slots at work: {busy['mean']:.2f} by /slots, {served:.2f} by prefill and decoding of the requests")
    parts = {name: round(ms, 1) for name, ms in account["parts_mean_ms"].items()}
    print(f"{users} users: {closed} of {number} closed, {waited} waited until their headers came; mean ms {parts}")


def test_the_agents_apis_count_as_the_server_does(llama: str, tmp_path: Path) -> None:
    """/v1/responses request by request, by its own `timings`; both together by the server's totals."""
    before = totals(llama)
    classes = ("OpenAIResponsesUser", "AnthropicMessagesUser", "--payloads", "sessions", "--users", "4")
    run, stated, _ = loaded(llama, tmp_path, 16, *classes, "--no-report")
    ours = [row for row in run.rows if row["endpoint"] == "/v1/responses"]
    assert 3 < len(ours) < len(run.rows)
    assert all(row["id"] in stated for row in ours)
    read = sum(int(row["prompt_tokens"]) - int(row["cached_tokens"]) for row in run.rows)
    after = totals(llama)
    assert after["tokens_predicted_total"] - before["tokens_predicted_total"] == made(run)
    assert 0 <= after["prompt_tokens_total"] - before["prompt_tokens_total"] - read < 500  # those of the warm-ups
    print(f"{len(ours)} of /v1/responses, {len(run.rows) - len(ours)} of /v1/messages, {read} prompt tokens read")


def test_the_same_prompts_through_all_its_apis(llama: str, tmp_path: Path) -> None:
    """The report's table: of each API as many, the prompt with its template as long through three of them."""
    classes = ("OpenAIChatUser", "OpenAICompletionsUser", "OpenAIResponsesUser", "AnthropicMessagesUser")
    run, stated, _ = loaded(llama, tmp_path, 12, "--same-prompts", *classes, "--users", "1")
    asked: dict[str, dict[str, dict[str, str]]] = {}
    for row in run.rows:
        asked.setdefault(row["round"], {})[row["endpoint"]] = row
    assert sorted(asked) == ["0", "1", "2"]
    paths = {"/v1/chat/completions", "/v1/completions", "/v1/responses", "/v1/messages"}
    assert all(set(rows) == paths for rows in asked.values())
    assert len([row for row in run.rows if row["id"] in stated]) == 9  # /v1/messages says no timings
    for rows in asked.values():
        tokens = {path: int(row["prompt_tokens"]) for path, row in rows.items()}
        bare = tokens.pop("/v1/completions")
        assert bare < min(tokens.values()) <= max(tokens.values()) <= min(tokens.values()) + 8  # 8 hex digits' tokens
    found = run.summary()["same_prompts"]
    assert found["base"] == "/v1/chat/completions"
    for path, api in found["apis"].items():
        more = [int(rows[path]["prompt_tokens"]) - int(rows[found["base"]]["prompt_tokens"]) for rows in asked.values()]
        assert api["n"] == 3
        assert api["against"] is None or api["against"]["prompt_tokens"]["mean"] == pytest.approx(sum(more) / 3)
    report = (run.path / "report.md").read_text(encoding="utf-8")
    (table,) = re.findall(r"^## The same prompts\n(.*?)^## ", report, re.MULTILINE | re.DOTALL)
    assert all(f"| {path} | 3 |" in table for path in paths)
    print(table)


def test_the_probe_finds_its_slots_and_context(llama: str) -> None:
    probe = [sys.executable, "-m", "tokenswarm.probe", "--host", llama, "--json"]
    done = run(probe, cwd=ROOT, env=environment(), capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    found = {name: figure["value"] for name, figure in json.loads(done.stdout)["figures"].items()}
    assert (found["slots"], found["context_tokens"], found["prompt_cache"]) == (4, 2048, True)
    assert found["decode_tokens_per_s"] > 1
    assert found["prefill_tokens_per_s"] > found["decode_tokens_per_s"]
