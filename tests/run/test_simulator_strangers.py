"""What no well-behaved client sends: each is answered, leaves nothing behind, and holds up no stream."""

import contextlib
import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from simulator_process import Simulator, running

HALF = "\ud800"  # half a surrogate pair: JSON can say it, UTF-8 cannot
ENDLESS = float("inf")
SCHEMAS: list[Any] = [
    {"type": "object", "properties": {HALF: {"const": HALF}}, "required": [HALF]},
    {"type": "object", "properties": [1]},
    {"allOf": [{"$ref": "#"}]},
    {"enum": 5},
    {"type": "array", "minItems": 10**12, "items": {"minLength": 10**12}},
]
TOOLS: list[Any] = [
    ["x"],
    [{"function": 5}],
    [{"type": "function", "function": {"name": HALF, "parameters": 5}}],
    [None],
]
MESSAGES: list[Any] = [
    True,
    ["x"],
    [{"role": "assistant", "tool_calls": 5}],
    [{"role": "assistant", "tool_calls": [{"function": 5}]}],
    [{"role": 5, "content": [{"type": "image_url"}]}],
    [{"role": "user", "content": HALF}],
]
ANY: list[Any] = [None, True, -1, 1.5, 10**30, 1e300, ENDLESS, "", HALF, [], [[]], {}, {"type": 5}]
NATIVE = {
    "options": [{"num_predict": ENDLESS}, {"num_predict": 10**12}, {"num_ctx": -5}, {"stop": [HALF, ""]}],
    "format": SCHEMAS,
    "keep_alive": [1e300, -1e300, "9999999999h"],
    "top_logprobs": [],
    "think": [],
}
# Of each path fields that are read, with what is strange for them in particular.
PATHS: dict[str, dict[str, list[Any]]] = {
    "/api/chat": {"messages": MESSAGES, "tools": TOOLS, **NATIVE},
    "/api/generate": {"prompt": [], "images": [], "context": [], **NATIVE},
    "/v1/chat/completions": {
        "messages": MESSAGES, "tools": TOOLS, "max_tokens": [], "seed": [], "stop": [],
        "response_format": [{"type": "json_schema", "json_schema": {"schema": one}} for one in SCHEMAS],
    },
    "/v1/completions": {"prompt": [], "max_tokens": [], "temperature": [], "suffix": []},
    "/v1/messages": {"messages": MESSAGES, "tools": TOOLS, "max_tokens": [], "thinking": [], "temperature": []},
    "/v1/responses": {
        "input": MESSAGES, "tools": TOOLS, "max_output_tokens": [], "reasoning": [], "temperature": [],
        "text": [{"format": {"type": "json_schema", "schema": one}} for one in SCHEMAS],
    },
    "/api/embed": {"input": [], "dimensions": [], "options": [], "keep_alive": []},
    "/api/embeddings": {"prompt": [], "keep_alive": []},
    "/v1/embeddings": {"input": [], "dimensions": [], "encoding_format": []},
    "/api/show": {"model": []},
    "/api/copy": {"source": [], "destination": []},
    "/api/create": {"model": [], "from": [], "parameters": [], "system": [], "messages": []},
    "/api/pull": {"model": []},
}  # fmt: skip


@pytest.fixture(scope="module")
def sim() -> Iterator[Simulator]:
    fast = "--decode-tps 100000 --prefill-tps 10000000 --load-ms 1 --output-tokens 30"
    with running("--models", "sim,sim-think-tools,sim-tools-bare,sim-embed", *fast.split()) as it:
        yield it  # which at its end must have said nothing to stderr


def usual(path: str) -> dict[str, Any]:
    said = [{"role": "user", "content": "Hi"}]
    base = {"model": "sim-embed" if "embed" in path else "sim-tools-bare", "prompt": "Hi", "from": "sim"}
    return {**base, "input": "Hi", "messages": said, "max_tokens": 5, "options": {"num_predict": 5}}


@pytest.mark.parametrize("path", PATHS)
def test_strange_values_are_answered_in_json(sim: Simulator, path: str) -> None:
    for name, strange in {**PATHS[path], "model": [5, {}]}.items():
        for value in (*ANY, *strange):
            for stream in (False, True):
                answer = sim.post(path, json.dumps({**usual(path), "stream": stream, name: value}).encode())
                assert answer.status in (200, 400, 404, 500, 501, 503), (name, value)
                assert answer.complete, (name, value)
                if answer.status >= 400:
                    assert answer.json()["error"], (name, value)
    sim.wait_for(running=0, waiting=0)


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b'{"model": "sim", "prompt": NaN}', "invalid character 'N' looking for beginning of value"),
        (b'{"model": "sim", "options": {"num_predict": 1e999}}', "cannot unmarshal number 1e999"),
        (b'{"model": "sim", "top_logprobs": 1.5}', "cannot unmarshal number 1.5 into Go struct field"),
        (b"[" * 100_000, "exceeded max depth"),
        (b"\xff\xfe", "invalid character"),
    ],
)
def test_what_json_has_no_word_for(sim: Simulator, body: bytes, words: str) -> None:
    answer = sim.post("/api/generate", body)
    assert answer.status == 400
    assert words in answer.json()["error"]


def test_a_loop_without_a_limit_ends_with_the_context(sim: Simulator) -> None:
    body = {"model": "fault-loops", "prompt": "x", "stream": False, "options": {"num_predict": 10**12}}
    with sim.open("POST", "/api/generate", body):
        assert sim.generate(limit=2).status == 200  # the memory of 10^12 words would have been missed


def test_ps_lists_what_is_kept_for_ever_and_ever(sim: Simulator) -> None:
    sim.generate(limit=1, keep_alive=10**30)
    assert sim.ask("GET", "/api/ps").status == 200


def test_large_bodies_and_many_connections_hold_up_no_stream() -> None:
    with running("--decode-tps", "100", "--output-cv", "0", "--load-ms", "1") as sim:
        sim.generate(limit=1)
        crowd = [sim.open("POST", "/api/generate", b"{", {"Content-Length": "99"}) for _ in range(200)]
        with ThreadPoolExecutor(2) as pool:
            stream = pool.submit(sim.generate, limit=60)
            large = pool.submit(sim.generate, "word " * 6_000_000, limit=1)
            assert large.result().lines()[-1]["prompt_eval_count"] == 2051
            assert len(stream.result().lines()) > 20
        for one in crowd:
            one.close()
        sim.wait_for(running=0, waiting=0)


def test_who_leaves_at_any_stage_leaves_nothing_behind() -> None:
    options = ("--max-loaded-models", "1", "--parallel", "1", "--load-ms", "50", "--prefill-tps", "500", "--registry")
    with running("--models", "sim,b,sim-embed", *options) as sim:
        bodies: list[tuple[str, dict[str, Any]]] = [
            ("/api/generate", {"model": "sim", "prompt": "x " * 40}),
            ("/api/generate", {"model": "b", "prompt": "x", "stream": False, "options": {"num_ctx": 512}}),
            ("/v1/chat/completions", {"model": "sim", "messages": [{"role": "user", "content": "Hi"}], "stream": True}),
            ("/api/embed", {"model": "sim-embed", "input": ["x " * 99] * 3}),
            ("/api/create", {"model": "c", "from": "b"}),
            ("/api/pull", {"model": "reg-c"}),
        ]
        for number in range(120):
            path, body = bodies[number % len(bodies)]
            sock = sim.open("POST", path, body)
            sock.settimeout(0.001 * (number % 40) + 0.001)
            with contextlib.suppress(TimeoutError):
                sock.recv(1 << 16)
            sock.close()
        sim.wait_for(running=0, waiting=0)
        assert sim.generate(limit=2).status == sim.generate(model="b", limit=2).status == 200
        assert sim.post("/api/embed", {"model": "sim-embed", "input": "x"}).status == 200
