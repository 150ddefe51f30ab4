"""The truth log is what the client saw, and its stamps are of what the kernel had."""

import asyncio
import json
import os
import select
import signal
import socket
import ssl
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest
from simulator_process import generation, receive, running, stop

from tokenswarm.simulator.transport import HoldingTransport


def test_asyncio_hands_over_within_write() -> None:
    """The reason for asyncio's own loop: when `write` returns the peer can read. uvloop would write later."""

    async def written_at_once() -> list[bool]:
        ours, theirs = socket.socketpair()
        transport, _ = await asyncio.get_running_loop().create_connection(asyncio.Protocol, sock=ours)
        held = HoldingTransport(transport)
        seen = []
        held.write(b"a")
        seen.append(bool(select.select([theirs], [], [], 0)[0]))
        theirs.recv(10)
        held.hold()
        held.write(b"head")
        held.write(b"body")
        held.close()
        seen.append(bool(select.select([theirs], [], [], 0)[0]))
        assert held.is_closing()
        held.release()
        seen.append(theirs.recv(100) == b"headbody")
        await asyncio.sleep(0)
        theirs.close()
        return seen

    with asyncio.Runner() as runner:
        assert runner.run(written_at_once()) == [True, False, True]


def read_truth(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


@pytest.mark.parametrize("api", ["/api/generate", "/v1/chat/completions"])
def test_truth_is_what_the_client_saw(tmp_path: Path, api: str) -> None:
    log = tmp_path / "truth.jsonl"
    with running("--truth", str(log), "--load-ms", "0", "--decode-tps", "100", "--merge", "0.2") as sim:
        body = {**generation("Hello", "sim-think", 60), "stream": True, "max_tokens": 60}
        body["messages"] = [{"role": "user", "content": "Hello"}]
        began_ns = time.time_ns()
        answer = sim.post(api, body, {"X-Request-Id": "r1", "User-Agent": "test/1"})
        stop(sim.process)
    (truth,) = read_truth(log)
    assert (truth["path"], truth["model"], truth["request_id"], truth["user_agent"]) == (
        api,
        "sim-think",
        "r1",
        "test/1",
    )
    assert (truth["end"], truth["status"]) == ("complete", 200)
    assert began_ns < truth["read_ns"] < truth["chunks"][0][0]
    assert [size for _, _, size, _, _ in truth["chunks"]] == [len(chunk) for chunk in answer.chunks]
    assert truth["output_tokens"] == 60 == sum(tokens for _, _, _, tokens, _ in truth["chunks"])
    if api == "/api/generate":
        lines = answer.lines()
        assert truth["text_chars"] == sum(len(line["response"]) + len(line.get("thinking", "")) for line in lines)
        assert truth["output_tokens"] == lines[-1]["eval_count"]
        assert truth["prompt_tokens"] == lines[-1]["prompt_eval_count"]
        kinds = ["final" if one["done"] else "thinking" if "thinking" in one else "text" if one["response"] else "empty"
                 for one in lines]  # fmt: skip
        assert [kind for *_, kind in truth["chunks"]] == kinds
    # In order: no chunk is handed over before it is due, or read before it was handed over; and most soon after.
    delays_ms = []
    at = 0
    edges = [(stamp, at := at + len(data)) for stamp, data in answer.reads]
    sent = b"".join(data for _, data in answer.reads).index(b"\r\n\r\n") + 4
    for (before_ns, after_ns, size, _, _), due_ns in zip(truth["chunks"], truth["due_ns"], strict=True):
        sent += size + len(f"{size:x}") + 4
        read_ns = next(stamp for stamp, edge in edges if edge >= sent)
        assert due_ns <= before_ns <= after_ns
        assert read_ns > before_ns
        delays_ms.append((read_ns - after_ns) / 1e6)
    assert min(delays_ms) < 50  # the order alone would hold if all came at the end, 600 ms later


def test_each_request_has_its_line(tmp_path: Path) -> None:
    log = tmp_path / "truth.jsonl"
    with running("--truth", str(log), "--load-ms", "0", "--decode-tps", "500") as sim:
        sim.generate()
        sim.generate(stream=False)
        sim.generate(model="nope")
        sim.generate(model="fault-truncate")
        sim.generate(model="fault-503")
        sim.generate(prompt="")
        gone = sim.open("POST", "/api/generate", generation("x", limit=9999, model="fault-ignores-limit"))
        gone.recv(10)
        gone.close()
        sim.wait_for(cancelled=1)
        while len(seen := read_truth(log)) < 7:  # flushed while the server runs, each second
            time.sleep(0.05)
        stats = sim.stats()
    assert [(line["end"], line["status"]) for line in seen] == [
        ("complete", 200),
        ("complete", 200),
        ("complete", 404),
        ("fault", 200),
        ("fault", 503),
        ("complete", 200),
        ("cancelled", 200),
    ]
    assert [line["id"] for line in seen] == [1, 2, 3, 4, 5, 6, 7]
    assert [kind for *_, kind in seen[1]["chunks"]] == ["final"]
    assert seen[1]["chunks"][0][3] == seen[1]["output_tokens"] == 6
    assert (stats["complete"], stats["faults"], stats["refused"], stats["cancelled"]) == (3, 2, 1, 1)
    assert stats["requests"]["/api/generate"] == {"200": 5, "404": 1, "503": 1}
    assert stats["output_tokens"] == sum(line["output_tokens"] for line in seen)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_goes_down_with_streams_open(tmp_path: Path, number: int) -> None:
    log = tmp_path / "truth.jsonl"
    with (
        running("--truth", str(log), "--load-ms", "0") as sim,
        sim.open("POST", "/api/generate", generation("x", limit=9999)) as streams,
        sim.open("POST", "/api/generate", generation("x", limit=9999, model="fault-slow-headers")) as waits,
        sim.open("GET", "/api/version", headers={"Connection": "keep-alive"}) as idle,
    ):
        idle.recv(1000)
        streams.recv(10, socket.MSG_PEEK)
        said = stop(sim.process, number)
        assert not receive(streams).complete
        assert not receive(waits).complete
    assert said.startswith("simulator: closed after ")
    assert said.count("\n") == 1
    assert [line["end"] for line in read_truth(log)] == ["cancelled", "cancelled"]


def test_tls(tmp_path: Path) -> None:
    pem = tmp_path / "both.pem"
    made = subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
         "-subj", "/CN=sim", "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", tmp_path / "key.pem", "-out", pem],
        capture_output=True,
    )  # fmt: skip
    if made.returncode:
        assert os.environ.get("CI") != "true", made.stderr
        pytest.skip("no openssl to make a certificate with")
    options = ["--tls-cert", str(pem), "--tls-key", str(tmp_path / "key.pem"), "--load-ms", "0", "--decode-tps", "500"]
    with running(*options) as sim:
        assert sim.url.startswith("https://")
        context = ssl.create_default_context(cafile=str(pem))
        data = json.dumps(generation()).encode()
        head = f"POST /api/generate HTTP/1.1\r\nHost: [::1]\r\nConnection: close\r\nContent-Length: {len(data)}\r\n\r\n"
        with (
            socket.create_connection(sim.address, timeout=10) as plain,
            context.wrap_socket(plain, server_hostname="127.0.0.1") as sock,
        ):
            sock.sendall(head.encode() + data)
            assert receive(sock).lines()[-1]["eval_count"] == 6
