"""The simulator as a process of its own, and a client that sees every byte: no library between it and the wire."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from forked import forked

ROOT = Path(__file__).parents[2]
LISTENS = "simulator: listening on "


@dataclass
class Answer:
    """One HTTP response: head, body in the chunks it came in, and how it ended."""

    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    chunks: list[bytes] = field(default_factory=list)  # a body with a length is one chunk
    complete: bool = False
    reset: bool = False
    reads: list[tuple[int, bytes]] = field(default_factory=list)  # wall-clock ns after the read, bytes

    @property
    def body(self) -> bytes:
        return b"".join(self.chunks)

    def json(self) -> Any:
        return json.loads(self.body)

    def lines(self) -> list[Any]:
        return [json.loads(line) for line in self.body.split(b"\n") if line]

    def events(self) -> list[Any]:
        """SSE events; `[DONE]` as a string."""
        data = [event.removeprefix(b"data: ") for event in self.body.split(b"\n\n") if event]
        return ["[DONE]" if one == b"[DONE]" else json.loads(one) for one in data]


def parse(raw: bytes) -> Answer:
    """Read a response of which all bytes are there."""
    head, _, rest = raw.partition(b"\r\n\r\n")
    first, *others = head.decode("latin-1").split("\r\n")
    answer = Answer(status=int(first.split()[1]) if first else 0)
    answer.headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in others)}
    if answer.headers.get("transfer-encoding") != "chunked":
        answer.chunks = [rest]
        answer.complete = len(rest) == int(answer.headers.get("content-length", -1))
        return answer
    while rest:
        size_text, _, rest = rest.partition(b"\r\n")
        size = int(size_text, 16)
        if size == 0:
            answer.complete = rest == b"\r\n"
            break
        answer.chunks.append(rest[:size])
        rest = rest[size + 2 :]
    return answer


@dataclass
class Simulator:
    """A running simulator."""

    process: subprocess.Popen[str]
    url: str

    @property
    def address(self) -> tuple[str, int]:
        host, _, port = self.url.partition("://")[2].rpartition(":")
        return host, int(port)

    def open(self, method: str, path: str, body: Any = None, headers: dict[str, str] | None = None) -> socket.socket:
        """Send a request; the socket on which the answer will come."""
        data = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
        fields = {"Host": "127.0.0.1", "Connection": "close", "Content-Length": str(len(data)), **(headers or {})}
        head = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
        sock = socket.create_connection(self.address, timeout=60)
        sock.sendall(f"{method} {path} HTTP/1.1\r\n{head}\r\n".encode() + data)
        return sock

    def ask(self, method: str, path: str, body: Any = None, headers: dict[str, str] | None = None) -> Answer:
        """One exchange on a connection of its own, to its end."""
        with self.open(method, path, body, headers) as sock:
            return receive(sock)

    def post(self, path: str, body: Any, headers: dict[str, str] | None = None) -> Answer:
        return self.ask("POST", path, body, headers)

    def generate(self, prompt: str = "Hi", model: str = "sim", limit: int = 6, **fields: Any) -> Answer:
        return self.post("/api/generate", generation(prompt, model, limit, **fields))

    def stats(self) -> dict[str, Any]:
        stats: dict[str, Any] = self.ask("GET", "/sim/stats").json()
        return stats

    def wait_for(self, **wanted: int) -> None:
        """Wait until /sim/stats says so, 90 s at most."""
        until_s = time.monotonic() + 90
        while time.monotonic() < until_s:
            stats = self.stats()
            if all(stats[name] == value for name, value in wanted.items()):
                return
            time.sleep(0.05)
        raise AssertionError(f"waited for {wanted}, got {stats}")


def generation(prompt: str = "Hi", model: str = "sim", limit: int = 6, **fields: Any) -> dict[str, Any]:
    """A body for /api/generate."""
    return {"model": model, "prompt": prompt, "options": {"num_predict": limit}, **fields}


def receive(sock: socket.socket) -> Answer:
    """Read to the end of the connection."""
    reads: list[tuple[int, bytes]] = []
    reset = False
    while True:
        try:
            data = sock.recv(1 << 20)
        except ConnectionResetError:
            reset = True
            break
        if not data:
            break
        reads.append((time.time_ns(), data))
    answer = parse(b"".join(data for _, data in reads))
    answer.reads, answer.reset = reads, reset
    return answer


def command(*options: str) -> list[str]:
    return [sys.executable, "-W", "error", "-m", "tokenswarm.simulator", "--port", "0", *options]


@contextmanager
def running(*options: str) -> Iterator[Simulator]:
    """A simulator on a free port; stopped by its own id at the end, when it must exit with 0 and a clean stderr."""
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(
        forked(command(*options)), cwd=ROOT, env=env, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        try:
            assert process.stdout is not None
            line = process.stdout.readline()
            assert line.startswith(LISTENS), (line, process.stderr.read() if process.stderr and not line else "")
            yield Simulator(process, line.removeprefix(LISTENS).strip())
            if process.poll() is None:
                stop(process)
        finally:
            if process.poll() is None:
                process.kill()
                process.communicate()


def stop(process: subprocess.Popen[str], number: int = signal.SIGTERM) -> str:
    """End it with a signal; what it said at the end."""
    process.send_signal(number)
    said, complaints = process.communicate(timeout=30)
    assert (process.returncode, complaints) == (0, ""), (process.returncode, said, complaints)
    return said
