"""The truth server's truth is the truth: beside what a plain socket and our readers see."""

import json
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from typing import Any, cast

import pytest
from simulator_process import ROOT, Simulator

from bench.floor import floor
from bench.measure import Asked
from bench.truth import serving, take
from tokenswarm.metrics.interpret import interpret
from tokenswarm.transport.http1 import Response
from tokenswarm.wire import ollama_chat, openai_chat, reading
from tokenswarm.wire.values import Api, Chunk, Transcript


@pytest.fixture(scope="module")
def server() -> Iterator[Simulator]:
    with serving("--step-ms", "5", "--prefill-ms", "5") as url:
        yield Simulator(cast(Any, None), url)


def exchange(server: Simulator, path: str, request_id: str = "", **body: Any) -> tuple[Transcript, int]:
    """One request over a plain socket, and when it had been sent; arrivals by the clock after each read."""
    response = Response()
    began_ns = time.time_ns()
    asked = {"model": "sim", "messages": [{"role": "user", "content": "Hi"}], **body}
    with server.open("POST", path, asked, {"x-ReQuEsT-iD": request_id}) as sock:
        sent_ns = time.time_ns()
        while not response.complete and (data := sock.recv(65536)):
            response.feed(time.time_ns(), data)
    said = {"status": response.status, "content_type": response.content_type, "complete": response.complete}
    return Transcript(
        pieces=list(zip(response.stamps, response.bodies, strict=True)),
        sent_ns=began_ns,
        ended_ns=time.time_ns(),
        **said,
    ), sent_ns


def read(api: Api, transcript: Transcript) -> list[Chunk]:
    chunks = list(reading.each_chunk(api, transcript))
    assert interpret(api, transcript, stream=True).verdict.outcome == "ok"
    return chunks


@pytest.mark.parametrize(
    ("api", "asked"),
    [
        (ollama_chat, {"options": {"num_predict": 7}}),
        (openai_chat, {"stream": True, "max_tokens": 7, "stream_options": {"include_usage": True}}),
        (openai_chat, {"stream": True, "max_completion_tokens": 7, "stream_options": {"include_usage": True}}),
    ],
)
def test_the_truth_is_what_a_client_sees(server: Simulator, api: Api, asked: dict[str, Any]) -> None:
    take(server.url)
    transcript, sent_ns = exchange(server, api.PATH, "me-1", **asked)
    chunks = read(api, transcript)
    output = [chunk for chunk in chunks if chunk.output]
    (usage,) = (chunk.usage for chunk in chunks if chunk.usage)
    truth = take(server.url)
    (answer,) = truth.answers
    assert truth.by_request_id() == {"me-1": answer}
    assert (len(output), usage.output_tokens, len(answer.before_ns), truth.tokens) == (7, 7, 7, 7)
    assert answer.complete
    assert answer.last_before_ns is not None
    assert transcript.sent_ns is not None
    assert transcript.sent_ns < answer.arrived_ns < answer.before_ns[0]
    assert answer.arrived_ns < sent_ns + 1_000_000_000  # the kernel may stamp it a little after `sendall`
    assert sorted(answer.before_ns) == answer.before_ns
    assert answer.before_ns[-1] <= answer.last_before_ns < (transcript.ended_ns or 0)
    assert all(before < chunk.ns for before, chunk in zip(answer.before_ns, output, strict=True))
    assert (answer.before_ns[-1] - answer.before_ns[0]) / 6 > 2_000_000
    assert take(server.url).answers == []


def test_what_is_asked_before(server: Simulator) -> None:
    for path in ("/api/tags", "/api/ps", "/v1/models", "/api/version"):
        assert server.ask("GET", path).json()
    assert server.ask("GET", "/").body == b"Ollama is running"
    assert server.post("/api/show", {"model": "sim"}).json()["capabilities"] == ["completion"]
    assert server.ask("GET", "/nope").status == 404
    for wrong in (b"{", {"model": "sim", "stream": False}):
        assert server.post("/api/chat", wrong).status == 400


def test_a_stream_ends_with_its_client(server: Simulator) -> None:
    take(server.url)
    with server.open("POST", "/api/chat", {"model": "sim", "options": {"num_predict": 100_000}}) as sock:
        sock.recv(1000)
    truth = take(server.url)
    while not truth.answers:
        truth = take(server.url)
    assert not truth.answers[0].complete
    assert truth.answers[0].last_before_ns is None


def test_two_requests_on_one_connection(server: Simulator) -> None:
    take(server.url)
    body = json.dumps({"model": "sim", "options": {"num_predict": 2}}).encode()
    head = b"POST /api/chat HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % len(body)
    with socket.create_connection(server.address, timeout=10) as sock:
        sock.sendall(head + body + head + body[:5])
        got = b""
        while got.count(b"0\r\n\r\n") < 1:
            got += sock.recv(65536)
        sock.sendall(body[5:])
        while got.count(b"0\r\n\r\n") < 2:
            got += sock.recv(65536)
    assert [(answer.complete, len(answer.before_ns)) for answer in take(server.url).answers] == [(True, 2)] * 2


def test_a_client_that_does_not_read_holds_up_nobody() -> None:
    with serving("--step-ms", "0") as url:
        server = Simulator(cast(Any, None), url)
        body = {"model": "sim", "options": {"num_predict": 100_000}}
        with server.open("POST", "/api/chat", body) as sock:
            assert exchange(server, "/api/chat", options={"num_predict": 2})[0].complete
            got = bytearray()
            while data := sock.recv(1 << 20):
                got += data
        assert got.count(b'"done":false') == 100_000
        truth = take(url)
        assert truth.facts["blocked"] >= 1
        assert truth.facts["ended"] == 2


def test_the_server_shares_no_code_with_the_client() -> None:
    code = "import bench.truth_server, sys; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    loaded = {name.partition(".")[0] for name in done.stdout.split()}
    assert not loaded & {"tokenswarm", "users", "payloads", "reports", "locust", "gevent", "requests"}


def test_the_c_client_gets_what_the_server_sends() -> None:
    if not shutil.which("cc"):
        assert os.environ.get("CI") != "true", "no C compiler: apt-get install gcc libc6-dev"
        pytest.skip("no C compiler: apt-get install gcc libc6-dev")
    with serving("--step-ms", "5", "--prefill-ms", "5") as url:
        least = floor(url, Asked(streams=3, tokens=10, ramp_s=0.0, seconds=1.0, stagger_s=0.1))
    assert least
    assert least.tokens >= 3 * 10
    assert least.tokens_a_read > 0
    assert least.cpu_us > 0
