"""Servers that do what no server should: each request keeps its row, with workers too."""

import socket
from collections.abc import Callable
from pathlib import Path

import gevent
from locust_process import folder, headless, processes
from scripted import CHUNKED, chunk, request, serving, whole

MODELS = b'{"data":[{"id":"m"}]}'


def llm(answer: Callable[[socket.socket], None]) -> Callable[[socket.socket], None]:
    """An OpenAI-compatible server with one model, whose streamed answers are the test's."""

    def script(sock: socket.socket) -> None:
        while said := request(sock):
            if said.startswith(b"GET /v1/models"):
                sock.sendall(whole(MODELS, "200 OK", "Content-Type: application/json\r\n"))
            elif said.startswith(b"GET"):
                sock.sendall(whole(b"", "404 Not Found"))
            elif b'"stream":true' in said and b"-warm-up-" not in said:
                answer(sock)
            else:
                body = b'{"choices":[{"message":{"content":"hi"},"finish_reason":"stop"}]}'
                sock.sendall(whole(body, "200 OK", "Content-Type: application/json\r\n"))

    return script


EVENTS = CHUNKED.replace(b"application/x-ndjson", b"text/event-stream")
STRANGE = {
    # name: (what is sent, outcome)
    "half an emoji in an error": (whole(b'{"error":"bad \\ud83d"}', "500 Oops"), "http_error"),
    "a count beyond 64 bits": (
        EVENTS + chunk(b'data: {"choices":[],"usage":{"completion_tokens":18446744073709551617}}\n\n') + chunk(b""),
        "truncated",
    ),
    "endless nesting": (EVENTS + chunk(b"data: " + b"[" * 100_000 + b"\n\n") + chunk(b""), "protocol_error"),
    "an infinite duration": (
        EVENTS + chunk(b'data: {"choices":[],"timings":{"predicted_ms":1e999}}\n\n') + chunk(b""),
        "truncated",
    ),
    "an index that is a list": (
        EVENTS + chunk(b'data: {"choices":[{"delta":{"tool_calls":[{"index":[1]}]}}]}\n\n') + chunk(b""),
        "truncated",
    ),
}


def test_every_row_arrives_whatever_the_server_says(tmp_path: Path) -> None:
    said: list[str] = []

    def next_one(sock: socket.socket) -> None:
        name = list(STRANGE)[len(said) % len(STRANGE)]
        said.append(name)
        sock.sendall(STRANGE[name][0])

    load = ("OpenAIChatUser", "--users", "1", "--run-time", "4s", "--no-report", "--pause-after-error", "0.05")
    with serving(llm(next_one)) as port:
        done = headless(f"http://127.0.0.1:{port}", tmp_path, *load, *processes(1))
    run = folder(tmp_path)
    assert len(run.rows) == len(said) > 2 * len(STRANGE), done.stderr
    rows = sorted(run.rows, key=lambda row: int(row["sequence"]))
    for name, row in zip(said, rows, strict=True):
        assert row["outcome"] in (STRANGE[name][1], "cancelled"), name
    assert not run.rules() & {"workers", "lost rows"}
    assert "Traceback" not in done.stderr


def test_a_server_that_drops_requests_late_is_not_given_a_second_chance_in_silence(tmp_path: Path) -> None:
    """It read the request, worked on it, and dropped the connection: that is a failure, not a stale connection."""
    answered = 0

    def sometimes(sock: socket.socket) -> None:
        nonlocal answered
        answered += 1
        if answered % 2 == 0:
            gevent.sleep(0.3)
            sock.close()
            return
        good = b'data: {"choices":[{"delta":{"content":"hi"},"finish_reason":"stop"}]}\n\ndata: [DONE]\n\n'
        sock.sendall(EVENTS + chunk(good) + chunk(b""))

    load = ("OpenAIChatUser", "--users", "1", "--run-time", "4s", "--no-report", "--pause-after-error", "0.1")
    with serving(llm(sometimes)) as port:
        headless(f"http://127.0.0.1:{port}", tmp_path, *load)
    run = folder(tmp_path)
    assert run.outcomes["truncated"] >= 3
    assert run.total("resends") == 0
    assert len(run.rows) == answered
    assert all(float(row["e2e_ms"]) > 290 for row in run.rows if row["outcome"] == "truncated")


def test_a_server_that_stops_reading_does_not_hold_a_user_for_ever(tmp_path: Path) -> None:
    path = tmp_path / "large.jsonl"
    path.write_text('{"prompt": "' + "x" * 12_000_000 + '"}\n')
    load = ("OpenAIChatUser", "--users", "1", "--run-time", "5s", "--no-report", "--payloads", str(path))

    def script(sock: socket.socket) -> None:
        first = sock.recv(1000)
        if first.startswith(b"POST") and b"large" not in first:
            gevent.sleep(20)
        elif first.startswith(b"GET /v1/models"):
            sock.sendall(whole(MODELS, "200 OK", "Content-Type: application/json\r\n"))
        else:
            sock.sendall(whole(b"", "404 Not Found"))

    with serving(script) as port:
        headless(f"http://127.0.0.1:{port}", tmp_path / "runs", *load, "--request-timeout", "1")
    run = folder(tmp_path / "runs")
    assert run.outcomes["timeout"] >= 1
    assert run.run["warmup"]["outcome"] in ("timeout", "truncated")  # requests does not tell the two apart here
