"""The cases of tests/wire_cases: how real servers are publicly reported to behave on the wire, to be read or replayed.

Each file holds four lines (case, source, expected, seen before) and then one or more exchanges: `----- METHOD PATH
BODY`, and the raw response. Nothing here reads bodies with what it is to check: HTTP chunks are cut by a few lines of
its own.
"""

import json
import re
import socket
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import gevent
from captures import APIS
from locust_process import Run, folder, headless
from scripted import request, serving, whole

from tokenswarm.metrics.interpret import interpret
from tokenswarm.metrics.record import Identity, Record
from tokenswarm.transport.http1 import Response
from tokenswarm.wire.values import Answer, Api, Failure, Transcript

FOLDER = Path(__file__).parent / "wire_cases"
MS = 1_000_000
PACE_MS = 20  # between two HTTP chunks, as when the cases were tried
_OPEN = b"[... no more bytes, connection left open]\n"
_EXCHANGE = re.compile(rb"^----- (\S+) (\S+) (.*)\n", re.MULTILINE)
_JSON = "Content-Type: application/json\r\n"


@dataclass(frozen=True, slots=True)
class Exchange:
    """What was asked, and the raw response to it; `left_open`: the server then neither went on nor closed."""

    method: str
    path: str
    body: dict[str, Any]
    raw: bytes
    left_open: bool

    @property
    def stream(self) -> bool:
        return bool(self.body.get("stream"))

    def segments(self) -> list[bytes]:
        """The head, then one HTTP chunk each (a body that is not chunked in one), as they are to be sent."""
        head, separator, body = self.raw.partition(b"\r\n\r\n")
        cut = [head + separator]
        if b"transfer-encoding: chunked" not in head.lower():
            return [*cut, body] if body else cut
        while body:
            size = int(body.partition(b"\r\n")[0], 16)
            end = body.index(b"\r\n") + 2 + size + 2 if size else len(body)  # with the last one its trailers
            cut.append(body[:end])
            body = body[end:]
        return cut


@dataclass(frozen=True, slots=True)
class Case:
    """A file: what it is, and its exchanges in order."""

    name: str
    source: str
    expected: str
    exchanges: tuple[Exchange, ...]

    @property
    def asked(self) -> Exchange:
        """The generation that it is about: the first that is streamed, else the first POST."""
        posts = [exchange for exchange in self.exchanges if exchange.method == "POST"]
        return next((exchange for exchange in posts if exchange.stream), posts[0])

    @property
    def api(self) -> Api:
        """Of the generation, or that a run against the case would ask."""
        asked = [exchange.path for exchange in self.exchanges if exchange.path in APIS]
        return APIS[asked[0] if asked else "/v1/chat/completions"]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What the readers made of a case."""

    record: Record
    answer: Answer
    transcript: Transcript


@cache
def cases() -> dict[str, Case]:
    """All cases by name (the file's without `.http`)."""
    return {path.stem: _case(path) for path in sorted(FOLDER.glob("*.http"))}


def _case(path: Path) -> Case:
    head, *parts = _EXCHANGE.split(path.read_bytes())
    said = dict(line.split(": ", 1) for line in head.decode().splitlines() if ": " in line)
    exchanges = []
    for at in range(0, len(parts), 4):
        method, where, body, raw = parts[at : at + 4]
        left_open = raw.endswith(_OPEN)
        raw = raw.removesuffix(_OPEN) if left_open else raw.removesuffix(b"\n")
        asked = json.loads(body) if body.strip() else {}
        exchanges.append(Exchange(method.decode(), where.decode(), asked, raw, left_open))
    return Case(path.stem, said["source"], said["expected"], tuple(exchanges))


def transcript(case: Case, until: Callable[[Response], bool] = lambda _: False) -> Transcript:
    """The generation played back through llhttp: sent at 0, the head at 10 ms, each HTTP chunk 20 ms after the last."""
    response = Response()
    ns = 10 * MS
    for number, segment in enumerate(case.asked.segments()):
        ns = (10 + PACE_MS * number) * MS
        response.feed(ns, segment)
        if response.complete or until(response):
            break
    failure = None
    if not response.complete and not case.asked.left_open and not response.end_of_stream():
        failure = Failure("closed", "the server closed the connection in the middle of the answer")
    return Transcript(
        pieces=list(zip(response.stamps, response.bodies, strict=True)),
        sent_ns=0,
        ended_ns=ns,
        status=response.status,
        content_type=response.content_type,
        complete=response.complete,
        failure=failure,
        habits=frozenset(response.habits),
    )


def read(case: Case) -> Outcome:
    """Transcript, chunks, tally, verdict, record: as a User reads an answer."""
    seen, api = transcript(case), case.api
    builder, judged = interpret(api, seen, stream=case.asked.stream)
    who = Identity(0, 0, "User", api.PATH, "m", "p", 8)
    return Outcome(builder.record(who, seen, *judged), builder.answer(), seen)


@dataclass
class Server:
    """A server that replays a case on a real socket, to whoever asks what the case was asked."""

    case: Case
    pace_s: float = PACE_MS / 1e3
    lists: bytes = b'{"data":[{"id":"m"}]}'
    generations: int = 0
    heads: list[bytes] = field(default_factory=list)  # of all requests

    def answer(self, sock: socket.socket) -> None:
        """One connection, as many requests as come."""
        while said := request(sock):
            head, _, body = said.partition(b"\r\n\r\n")
            self.heads.append(head)
            method, path, _ = head.decode("latin-1").split(" ", 2)
            if exchange := self._exchange(method, path, body):
                self.generations += method == "POST"
                self._replay(sock, exchange)
            elif path == ("/api/tags" if self.case.api.PATH.startswith("/api") else "/v1/models"):
                native = b'{"models":[{"name":"m","model":"m"}]}'
                sock.sendall(whole(native if path == "/api/tags" else self.lists, "200 OK", _JSON))
            elif path == "/api/version" and self.case.api.PATH.startswith("/api"):
                sock.sendall(whole(b'{"version":"0.32.2"}', "200 OK", _JSON))
            elif method == "POST" and path in APIS:
                sock.sendall(whole(_GOOD[path], "200 OK", _JSON))  # an answer in one piece, as a warm-up may want it
            else:
                sock.sendall(whole(b"", "404 Not Found"))

    def _exchange(self, method: str, path: str, body: bytes) -> Exchange | None:
        stream = bool(json.loads(body).get("stream")) if body else False
        fitting = [e for e in self.case.exchanges if (e.method, e.path, e.stream) == (method, path, stream)]
        return fitting[0] if fitting else None

    def _replay(self, sock: socket.socket, exchange: Exchange) -> None:
        segments = exchange.segments()
        for number, segment in enumerate(segments):
            if number:
                gevent.sleep(self.pace_s)
            sock.sendall(segment)
        if exchange.left_open:
            while sock.recv(65536):
                pass
            raise ConnectionResetError
        if not re.search(rb"(?i)^(content-length|transfer-encoding):", segments[0], re.MULTILINE):
            raise ConnectionResetError  # the end of the connection is that of the body


_GOOD = {
    "/api/chat": b'{"message":{"role":"assistant","content":"hi"},"done":true,"done_reason":"stop","eval_count":1}',
    "/api/generate": b'{"response":"hi","done":true,"done_reason":"stop","eval_count":1}',
    "/v1/chat/completions": b'{"choices":[{"message":{"content":"hi"},"finish_reason":"stop"}],"usage":'
    b'{"prompt_tokens":1,"completion_tokens":1,"total_tokens":2}}',
    "/v1/completions": b'{"choices":[{"text":"hi","finish_reason":"stop"}],"usage":'
    b'{"prompt_tokens":1,"completion_tokens":1,"total_tokens":2}}',
}
USERS = {"/api/chat": "OllamaChatUser", "/v1/chat/completions": "OpenAIChatUser"}


@contextmanager
def replayed(case: Case, **changes: Any) -> Iterator[tuple[str, Server]]:
    """The URL of a server that replays the case."""
    server = Server(case, **changes)
    with serving(server.answer) as port:
        yield f"http://127.0.0.1:{port}", server


def attempt(
    case: Case, run_dir: Path, *options: str, **changes: Any
) -> tuple[subprocess.CompletedProcess[str], Server]:
    """A real headless run of 3 s with one user against the case, to its end: also one that does not even begin."""
    base = (USERS[case.api.PATH], "--users", "1", "--run-time", "3s", "--model", "m", "--stop-timeout", "1")
    with replayed(case, **changes) as (url, server):
        return headless(url, run_dir, *base, *options), server


def load(case: Case, run_dir: Path, *options: str, **changes: Any) -> tuple[Run, str, Server]:
    """The same, where a run must come of it: its folder, what the terminal said, the server."""
    done, server = attempt(case, run_dir, *options, **changes)
    assert any(run_dir.iterdir()), done.stderr
    return folder(run_dir), done.stdout + done.stderr, server
