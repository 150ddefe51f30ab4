"""What goes wrong on purpose does: each fault model, the limits of the queues, the key, and clients that leave."""

import itertools
import json
import socket
import subprocess
import time
from collections.abc import Iterator
from typing import Any

import pytest
from simulator_process import Simulator, command, generation, receive, running

from tokenswarm.simulator.model.faults import BUSY, DIED
from tokenswarm.simulator.model.tools import NO_JSON

CHAT = "/v1/chat/completions"


@pytest.fixture(scope="module")
def sim() -> Iterator[Simulator]:
    options = "--decode-tps 1000 --prefill-tps 100000 --load-ms 0 --merge 0 --stall-s 0.4 --output-cv 0 --parallel 16"
    with running(*options.split(), "--output-tokens", "30") as it:
        yield it


def chat(model: str, *, stream: bool = True, limit: int = 10) -> dict[str, Any]:
    options = {"stream_options": {"include_usage": True}} if stream else {}
    messages = [{"role": "user", "content": "Hi"}]
    return {"model": model, "messages": messages, "stream": stream, "max_tokens": limit, **options}


def test_truncate_and_no_done_line_end_cleanly(sim: Simulator) -> None:
    for model in ("fault-truncate", "fault-no-done-line"):
        native = sim.generate(model=model, limit=10)
        assert native.complete
        assert native.status == 200
        assert len(native.lines()) == 4
        assert not any(line["done"] for line in native.lines())
        events = sim.post(CHAT, chat(model)).events()
        assert len(events) == 4
        assert not any(event == "[DONE]" or event["choices"][0]["finish_reason"] for event in events)


def test_no_done_line_not_streamed(sim: Simulator) -> None:
    native = sim.generate(model="fault-no-done-line", stream=False)
    assert list(native.json()) == ["model", "created_at", "response", "done"]
    assert native.json()["done"] is False


def test_truncated_whole_answer_is_no_json(sim: Simulator) -> None:
    answer = sim.generate(model="fault-truncate", stream=False)
    assert answer.complete
    with pytest.raises(json.JSONDecodeError):
        answer.json()


def test_error_object(sim: Simulator) -> None:
    native = sim.generate(model="fault-error-object")
    assert (native.status, native.complete, native.lines()[-1]) == (200, True, {"error": DIED})
    last = sim.post(CHAT, chat("fault-error-object")).events()[-1]
    assert last["model"] == ""
    assert last["choices"] == [{"index": 0, "delta": {"content": ""}, "finish_reason": None}]
    whole = sim.generate(model="fault-error-object", stream=False)
    assert (whole.status, whole.json()) == (500, {"error": DIED})
    assert sim.post(CHAT, chat("fault-error-object", stream=False)).json()["error"]["type"] == "api_error"


@pytest.mark.parametrize("stream", [True, False])
def test_reset(sim: Simulator, stream: bool) -> None:
    answer = sim.generate(model="fault-reset", stream=stream)
    assert answer.reset
    assert not answer.complete


def test_stall(sim: Simulator) -> None:
    answers = [sim.generate(model="fault-stall") for _ in range(3)]
    longest_ns = [max(b - a for (a, _), (b, _) in itertools.pairwise(answer.reads)) for answer in answers]
    assert 0.3e9 < min(longest_ns) < 0.9e9
    assert all(answer.lines()[-1]["eval_duration"] > 0.3e9 for answer in answers)


def test_slow_headers(sim: Simulator) -> None:
    began_ns = time.time_ns()
    answer = sim.generate(model="fault-slow-headers")
    assert answer.reads[0][0] - began_ns > 0.4e9
    done = answer.lines()[-1]
    assert done["total_duration"] - done["load_duration"] - done["eval_duration"] > 0.4e9


def test_garbage(sim: Simulator) -> None:
    answer = sim.generate(model="fault-garbage", limit=10)
    broken = []
    for line in answer.body.splitlines():
        try:
            json.loads(line)
        except json.JSONDecodeError:
            broken.append(line)
    assert len(broken) == 1
    assert len(answer.chunks) == 12


@pytest.mark.parametrize("status", [500, 503])
def test_refusals(sim: Simulator, status: int) -> None:
    native = sim.generate(model=f"fault-{status}")
    assert native.status == status
    openai = sim.post(CHAT, chat(f"fault-{status}"))
    assert openai.status == status
    assert openai.json()["error"]["message"] == native.json()["error"]
    if status == 503:
        assert native.json()["error"] == BUSY


def test_several_tokens_a_chunk(sim: Simulator) -> None:
    lines = sim.generate(model="fault-many-tokens-a-chunk", limit=12).lines()
    assert (len(lines), lines[-1]["eval_count"]) == (4, 12)


def test_no_usage(sim: Simulator) -> None:
    done = sim.generate(model="fault-no-usage").lines()[-1]
    assert done["done"]
    assert not {"eval_count", "prompt_eval_count"} & set(done)
    assert b'"usage"' not in sim.post(CHAT, chat("fault-no-usage")).body
    assert "usage" not in sim.post(CHAT, chat("fault-no-usage", stream=False)).json()


def test_limit_ignored(sim: Simulator) -> None:
    assert sim.generate(model="fault-ignores-limit", limit=3).lines()[-1]["eval_count"] == 30


def test_think_tags_are_cut_over_two_chunks(sim: Simulator) -> None:
    lines = sim.generate(model="fault-think-tags", limit=0).lines()
    said = "".join(line["response"] for line in lines)
    assert said.startswith("<think>")
    assert said.count("</think>") == 1
    assert not any("think>" in line["response"] for line in lines)


def test_empty(sim: Simulator) -> None:
    (only,) = sim.generate(model="fault-empty").lines()
    assert (only["response"], only["done"], only["eval_count"]) == ("", True, 6)


def test_cold_burst_sees_503() -> None:
    with running("--max-queue", "2", "--load-ms", "300", "--parallel", "1", "--decode-tps", "1000") as sim:
        socks = [sim.open("POST", "/api/generate", generation(str(number))) for number in range(8)]
        answers = [receive(sock) for sock in socks]
        for sock in socks:
            sock.close()
        assert sorted(answer.status for answer in answers) == [200] * 3 + [503] * 5
        assert {answer.json()["error"] for answer in answers if answer.status == 503} == {BUSY}
        for answer in answers:
            if answer.status == 200:
                assert answer.lines()[-1]["load_duration"] > 250e6


def test_max_waiting() -> None:
    with running("--max-waiting", "1", "--parallel", "1", "--load-ms", "0") as sim:
        socks = [sim.open("POST", "/api/generate", generation(str(number))) for number in range(4)]
        assert sorted(receive(sock).status for sock in socks) == [200, 200, 503, 503]
        for sock in socks:
            sock.close()


def test_api_key() -> None:
    with running("--api-key", "secret", "--load-ms", "0", "--decode-tps", "1000") as sim:
        refused = sim.generate()
        assert (refused.status, refused.json()) == (401, {"error": "unauthorized"})
        assert sim.ask("GET", "/api/version").status == 200
        assert sim.ask("GET", "/v1/models").json()["error"]["type"] == "authentication_error"
        good = {"Authorization": "Bearer secret"}
        assert sim.post("/api/generate", generation(), good).status == 200
        assert sim.post(CHAT, chat("sim"), {"Authorization": "Bearer wrong"}).status == 401
        assert sim.ask("GET", "/v1/models", headers=good).status == 200


def test_who_leaves_frees_the_slot_and_stops_the_generation() -> None:
    long = ("--output-tokens", "20000", "--output-cv", "0")  # half an hour
    with running("--parallel", "1", "--load-ms", "0", "--slowdown", "0", "--decode-tps", "10", *long) as sim:
        with sim.open("POST", "/api/generate", generation("a", limit=20_000)) as first:
            first.recv(1000)
            second = sim.open("POST", "/api/generate", generation("b", limit=2))  # of the same model: for its one slot
            sim.wait_for(running=1, waiting=1)
        with second:
            assert receive(second).lines()[-1]["done"]
        sim.wait_for(running=0, waiting=0, cancelled=1, complete=1)
        assert sim.stats()["output_tokens"] < 3000


def test_keep_alive_connection_serves_one_request_after_the_other(sim: Simulator) -> None:
    with sim.open("GET", "/api/version", headers={"Connection": "keep-alive"}) as sock:
        for _ in range(3):
            assert b'{"version":"0.32.15"}' in sock.recv(1000)
            sock.sendall(b"GET /api/version HTTP/1.1\r\nHost: localhost\r\n\r\n")


@pytest.mark.parametrize(
    "options", [["--port", "x"], ["--truth", "/no/such/folder/truth.jsonl"], ["--host", "256.0.0.1"]]
)
def test_bad_options_end_the_process_with_2(options: list[str]) -> None:
    done = subprocess.run(command(*options), capture_output=True, text=True, timeout=180)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("simulator: ")
    assert done.stderr.count("\n") == 1


def test_a_port_in_use() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = subprocess.run([*command(), "--port", str(port)], capture_output=True, text=True, timeout=180)
    assert done.returncode == 2
    assert done.stderr == f"simulator: 127.0.0.1:{port}: Address already in use\n"


def test_the_same_seed_says_the_same_and_no_seed_something_else(sim: Simulator) -> None:
    def said(**options: float) -> set[str]:
        return {sim.generate("Hi", stream=False, options=options).json()["response"] for _ in range(3)}

    assert len(said(temperature=0)) == len(said(temperature=1, seed=5)) == 1
    assert said(temperature=1, seed=5) != said(temperature=1, seed=6)
    assert len(said(temperature=1)) == len(said()) == 3


def test_a_model_that_wavers(sim: Simulator) -> None:
    fields = {"model": "fault-nondeterministic", "stream": False, "options": {"temperature": 0, "seed": 1}}
    texts = [sim.generate("Hi", **fields).json()["response"] for _ in range(60)]
    other = sum(text != max(texts, key=texts.count) for text in texts)
    assert 1 <= other <= 20


def test_the_repeat_guard(sim: Simulator) -> None:
    stream = sim.generate(model="fault-repeat", limit=0)
    assert stream.complete
    assert not any(line["done"] for line in stream.lines())
    assert [line["response"] for line in stream.lines()][-31:] == [" the"] * 31
    whole = sim.generate(model="fault-repeat", limit=0, stream=False).json()
    assert (whole["done"], whole["response"][-124:]) == (False, " the" * 31)


def test_a_call_that_cannot_be_read_is_an_error_in_the_stream(sim: Simulator) -> None:
    tool = {"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}
    body = {"model": "fault-bad-tool-args", "messages": [{"role": "user", "content": "Hi"}], "tools": [tool]}
    native = sim.post("/api/chat", body)
    assert (native.status, native.lines()[-1]) == (200, {"error": NO_JSON})
    assert sim.post("/api/chat", {**body, "stream": False}).status == 500
    choice = sim.post(CHAT, body).json()["choices"][0]
    assert choice["finish_reason"] == "tool_calls"
    with pytest.raises(json.JSONDecodeError):
        json.loads(choice["message"]["tool_calls"][0]["function"]["arguments"])
