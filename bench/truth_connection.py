"""One client of the truth server: requests in with the kernel's stamp, answers out without ever waiting."""

import json
import socket
import ssl
import struct
import time
from contextlib import suppress
from typing import Any

from bench import truth_answers as answers
from bench.truth_engine import Answer, Engine
from bench.truth_log import Answered, Log

SO_TIMESTAMPNS = 35  # also the kind of its control message: two int64, s and ns of the wall clock
ANCILLARY_BYTES = socket.CMSG_SPACE(16)
READ_BYTES = 1 << 16


class Connection:
    """One client's socket: reads requests, one at a time, and writes without ever waiting."""

    def __init__(self, sock: socket.socket, peer_port: int, engine: Engine, context: ssl.SSLContext | None) -> None:
        self._sock, self._peer_port, self._engine = sock, peer_port, engine
        self._received, self._backlog = bytearray(), bytearray()
        self._arrived_ns: int | None = None
        self._answer: Answer | None = None
        self._closing = False
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._incoming, self._outgoing, server_side=True) if context else None
        engine.loop.add_reader(sock, self._on_readable)

    # Writing

    def write(self, data: bytes) -> int:
        """Hand data to the kernel, or hold it until the client reads; give the wall clock right before, ns."""
        if self._tls is not None:
            data = self._encrypt(data)
        log = self._engine.log
        before_ns = time.time_ns()
        if self._backlog:
            self._backlog += data
            log.blocked += 1
            return before_ns
        try:
            sent = self._sock.send(data)
        except BlockingIOError:
            sent = 0
        except OSError:
            sent = -1
        log.send_ns.append(time.time_ns() - before_ns)
        if sent < len(data):
            self.on_short(data, sent)
        return before_ns

    @property
    def direct(self) -> int:
        """The socket, if nothing stands between it and what is to be written; else -1."""
        return -1 if self._backlog or self._tls is not None else self._sock.fileno()

    def on_short(self, data: bytes, sent: int) -> None:
        """The kernel took less of the data than all, or (-1) the client has gone."""
        if sent < 0:
            self.close()
            return
        self._engine.log.blocked += 1
        self._hold(data[sent:])

    def _reply(self, data: bytes) -> None:
        """A response that nobody times."""
        self._hold(self._encrypt(data) if self._tls is not None else data)
        self._flush()

    def _hold(self, data: bytes) -> None:
        if data and not self._backlog and self._sock.fileno() >= 0:
            self._engine.loop.add_writer(self._sock, self._flush)
        self._backlog += data

    def _flush(self) -> None:
        try:
            while self._backlog:
                del self._backlog[: self._sock.send(self._backlog)]
        except BlockingIOError:
            return
        except OSError:
            self.close()
            return
        self._engine.loop.remove_writer(self._sock)
        if self._closing and self._answer is None:
            self.close()

    def _encrypt(self, data: bytes) -> bytes:
        assert self._tls is not None
        self._tls.write(data)
        return self._outgoing.read()

    # Reading

    def _on_readable(self) -> None:
        try:
            data, ancillary, _, _ = self._sock.recvmsg(READ_BYTES, ANCILLARY_BYTES)
        except BlockingIOError:
            return
        except OSError:
            data, ancillary = b"", []
        if not data:
            self.close()
            return
        if self._arrived_ns is None:
            self._arrived_ns = stamp_ns(ancillary) or time.time_ns()
        try:
            clear = data if self._tls is None else self._decrypt(self._tls, data)
        except ssl.SSLError:
            self.close()
            return
        if clear:
            self._received += clear
            self._take()
        elif not self._received:
            self._arrived_ns = None  # that was the handshake

    def _decrypt(self, tls: ssl.SSLObject, data: bytes) -> bytes:
        self._incoming.write(data)
        clear = b""
        with suppress(ssl.SSLWantReadError):
            while part := tls.read(READ_BYTES):  # the first shakes hands
                clear += part
        if shaking := self._outgoing.read():
            self._hold(shaking)
            self._flush()
        return clear

    def _take(self) -> None:
        """Read the next request, if it is all there and the last one has been answered."""
        received = self._received
        end = received.find(b"\r\n\r\n")
        if self._answer is not None or end < 0:
            return
        first, *lines = received[:end].decode("latin-1").split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        begin, length = end + 4, int(headers.get("content-length", 0))
        if len(received) < begin + length:
            return
        body = bytes(received[begin : begin + length])
        del received[: begin + length]
        arrived_ns, self._arrived_ns = self._arrived_ns or time.time_ns(), None
        self._closing = headers.get("connection", "").lower() == "close"
        method, target, _ = first.split(" ")
        self._route(method, target.partition("?")[0], body, arrived_ns, headers.get("x-request-id"))

    def _route(self, method: str, path: str, body: bytes, arrived_ns: int, request_id: str | None) -> None:
        engine = self._engine
        if (method, path) == ("GET", "/truth"):
            taken, engine.log = engine.log, Log()
            self._reply(answers.reply_json(taken.row()))
        elif method == "POST" and path in ("/api/chat", "/v1/chat/completions"):
            self._generate(path == "/api/chat", body, arrived_ns, request_id)
        elif known := answers.facts(engine.settings.model).get((method, path)):
            self._reply(known)
        else:
            self._reply(answers.reply(b"404 page not found", "text/plain", "404 Not Found"))

    def _generate(self, native: bool, body: bytes, arrived_ns: int, request_id: str | None) -> None:
        engine, settings = self._engine, self._engine.settings
        try:
            asked = json.loads(body)
            limit, model = wanted_tokens(asked) or settings.output_tokens, str(asked["model"])
            if not asked.get("stream", native):
                raise ValueError("only streams are answered")
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            said = json.dumps({"error": f"bad request: {error}"}).encode()
            self._reply(answers.reply(said, status="400 Bad Request"))
            return
        number, prompt_tokens = engine.next_number(), max(1, len(body) // 4)
        with_usage = bool((asked.get("stream_options") or {}).get("include_usage"))
        script = answers.ollama_chat(model) if native else answers.openai_chat(model, number, with_usage)
        noted = Answered(number, request_id, arrived_ns, peer_port=self._peer_port)
        self._answer = Answer(self, noted, script, prompt_tokens, limit, engine.loop.time() + settings.prefill_s)
        engine.join(self._answer)

    def on_answered(self) -> None:
        """The answer has ended, one way or the other."""
        self._answer = None
        if self._closing and not self._backlog:
            self.close()
        elif self._received:
            self._engine.loop.call_soon(self._take)

    def close(self) -> None:
        """The client has gone, or is to go."""
        if self._sock.fileno() < 0:
            return
        self._engine.loop.remove_reader(self._sock)
        self._engine.loop.remove_writer(self._sock)
        self._sock.close()
        self._backlog.clear()
        if self._answer is not None:
            self._engine.drop(self._answer)


def wanted_tokens(asked: dict[str, Any]) -> int:
    """The limit that a request asks for; 0 if it asks for none."""
    native = (asked.get("options") or {}).get("num_predict")
    return max(0, int(native or asked.get("max_tokens") or asked.get("max_completion_tokens") or 0))


def stamp_ns(ancillary: list[tuple[int, int, bytes]]) -> int | None:
    """The kernel's arrival stamp out of `recvmsg`, wall-clock ns."""
    for _, kind, data in ancillary:
        if kind == SO_TIMESTAMPNS:
            seconds, nanoseconds = struct.unpack_from("@qq", data)
            return int(seconds * 1_000_000_000 + nanoseconds)
    return None
