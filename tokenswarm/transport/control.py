"""The control client: small questions beside the load (what is there, what is in memory), each bounded in all it takes.

It asks over the load's own transport: what one question may cost is `CONTROL_BYTES` and its time-out, whatever the
server does. All its failures are one kind of error.
"""

import json
import ssl
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from gevent import Timeout

from tokenswarm.metrics.text import plain
from tokenswarm.transport.connection import Timeouts, Transport
from tokenswarm.transport.exchange import Exchange
from tokenswarm.transport.http1 import request_bytes, retry_after_s
from tokenswarm.transport.refusal import words
from tokenswarm.transport.target import Target
from tokenswarm.wire.decoding import decode
from tokenswarm.wire.values import Call

HEADERS = (("Accept", "application/json"),)
CONTROL_BYTES = 16 * 1024 * 1024
NAME_CHARACTERS = 1000
MOST = 1 << 60

# No connection, or none with TLS; not in time; cut in the middle; no HTTP, or too much; not 200; not the JSON we want.
Reason = Literal["refused", "tls", "timeout", "closed", "protocol", "status", "shape"]


class Unanswered(Exception):
    """The server gave no proper answer; the text says why in a few words, `status` is what came with it, if any."""

    def __init__(self, reason: Reason, text: str, status: int | None = None) -> None:
        super().__init__(text)
        self.reason, self.status = reason, status


@dataclass(frozen=True, slots=True)
class ControlReply:
    """A whole answer: headers by their names in lower case, the body as it came, seconds from asking to its end."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    took_s: float
    retry_after_s: float | None = None

    @property
    def content_type(self) -> str:
        """In lower case; "" where there is none."""
        return self.headers.get("content-type", "").lower()

    def object(self) -> dict[str, Any]:
        """The JSON object that the body is. Raises Unanswered, also where the status is another than 2xx."""
        if not 200 <= self.status < 300:
            raise Unanswered("status", self.describe(), self.status)
        try:
            said = decode(self.body)
        except ValueError:
            raise Unanswered("shape", "not JSON", self.status) from None
        if not isinstance(said, dict):
            raise Unanswered("shape", "not a JSON object", self.status)
        return said

    def describe(self) -> str:
        """The status and what an error body says, short."""
        return words(self.status, self.headers, self.body, self.retry_after_s)


class Access(Protocol):
    """How a server is reached: what a client takes of a run's settings."""

    @property
    def target(self) -> Target:
        """Where it is."""

    @property
    def timeouts(self) -> Timeouts:
        """How long it may take."""

    @property
    def tls(self) -> ssl.SSLContext | None:
        """How its certificate is checked."""

    @property
    def headers(self) -> tuple[tuple[str, str], ...]:
        """What every request of the run bears."""


class ControlClient:
    """Asks one server, one question after the other, on a kept connection.

    `total_s` bounds each question from the connection to the last byte, `most_bytes` its answer. `headers` stand
    beside the run's own.
    """

    def __init__(
        self,
        access: Access,
        total_s: float,
        headers: tuple[tuple[str, str], ...] = (),
        most_bytes: int = CONTROL_BYTES,
    ) -> None:
        self._access, self._total_s, self._headers, self._most_bytes = access, total_s, headers, most_bytes
        timeouts = Timeouts(min(total_s, access.timeouts.connect_s), total_s, total_s)
        self._transport = Transport(access.target.host, access.target.port, timeouts, access.tls)

    def get(self, path: str) -> dict[str, Any]:
        """The JSON object at a path. Raises Unanswered."""
        return self.ask(question("GET", path))

    def ask(self, call: Call) -> dict[str, Any]:
        """The JSON object that answers a call. Raises Unanswered."""
        return self.send(call).object()

    def send(self, call: Call) -> ControlReply:
        """The answer to a call, whatever its status. Raises Unanswered if none came whole."""
        access, exchange, began_s = self._access, Exchange(most_bytes=self._most_bytes), time.monotonic()
        request = request_bytes(call, access.target, self._headers + access.headers)
        limit = Timeout(self._total_s)  # connecting and a second try included
        try:
            with limit:
                self._transport.run(exchange, request)
        except Timeout as expired:
            if expired is not limit:
                raise
            raise Unanswered("timeout", f"no whole answer within {self._total_s:g} s") from None
        failure, response = exchange.failure, exchange.response
        if failure:
            reason: Reason = "tls" if exchange.tls_failed else _reason(failure.kind)
            raise Unanswered(reason, failure.text, response.status)
        assert response.status is not None
        headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in response.headers}
        wait_s = retry_after_s(response.headers, time.time())
        return ControlReply(response.status, headers, b"".join(response.bodies), time.monotonic() - began_s, wait_s)

    def close(self) -> None:
        """Drop the connection."""
        self._transport.close()


def _reason(kind: str) -> Reason:
    known: dict[str, Reason] = {"refused": "refused", "timeout": "timeout", "closed": "closed"}
    return known.get(kind, "protocol")


def question(method: str, path: str, body: Mapping[str, object] | None = None) -> Call:
    """A call with a JSON body of our own, or none."""
    headers = HEADERS if body is None else (*HEADERS, ("Content-Type", "application/json"))
    return Call(method, path, headers, b"" if body is None else json.dumps(body).encode())


def objects(said: Mapping[str, Any], key: str) -> list[dict[str, Any]]:
    """The JSON objects in a list of an answer; what is anything else is left out."""
    found = said.get(key)
    return [one for one in found if isinstance(one, dict)] if isinstance(found, list) else []


def text_in(said: Mapping[str, Any], key: str) -> str | None:
    """A name, an id, a version: a text of one line, 1 to 1,000 characters long; None for anything else."""
    found = said.get(key)
    fits = isinstance(found, str) and found.strip() and len(found) <= NAME_CHARACTERS and plain(found) == found
    return found if fits else None


def count_in(said: Mapping[str, Any], key: str) -> int | None:
    """A size or a number of things: a whole number from 0 to 2^60; None for anything else."""
    found = said.get(key)
    return found if type(found) is int and 0 <= found <= MOST else None
