"""A request and its answer, for the endpoints that generate nothing."""

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import Any

from tokenswarm.simulator.api.gojson import decode, encode
from tokenswarm.simulator.api.request import Refused

JSON, PLAIN_JSON, NDJSON = b"application/json; charset=utf-8", b"application/json", b"application/x-ndjson"
SUCCESS = {"status": "success"}


@dataclass(frozen=True)
class Request:
    """One HTTP request, body and all; header names in lower case."""

    method: str
    path: str
    headers: Mapping[bytes, str]
    body: bytes

    def fields(self) -> dict[str, Any]:
        """The body as a JSON object; ValueError with Go's words."""
        return decode(self.body)

    def last(self) -> str:
        """The last part of the path."""
        return self.path.rpartition("/")[2]


@dataclass(frozen=True)
class HttpAnswer:
    """One HTTP answer: whole, or in lines that leave as chunks one by one."""

    status: int
    body: bytes = b""
    content_type: bytes = b""  # empty = none
    headers: tuple[tuple[bytes, bytes], ...] = ()
    chunked: bool = False
    lines: AsyncIterator[bytes] | None = None
    bare: bool = False  # neither body nor length, as Go answers some HEADs


def answer_json(value: Any, status: int = 200) -> HttpAnswer:
    """An answer of one JSON value, as Ollama's native API gives it."""
    return HttpAnswer(status, encode(value), JSON)


def answer_error(status: int, message: str) -> HttpAnswer:
    """An error of Ollama's native API."""
    return answer_json({"error": message}, status)


async def answer_steps(steps: AsyncIterator[dict[str, Any]], *, stream: bool) -> HttpAnswer:
    """Steps of a long task: a stream of lines, the error in one of them if it fails (200 all the same), or its end.

    A Refused before the first step is an answer of its own; after it, it is a line, or the status of the whole.
    """
    try:
        first = await anext(steps)
        if stream:
            return HttpAnswer(200, content_type=NDJSON, lines=_lines(first, steps))
        async for _step in steps:
            pass
    except Refused as refused:
        body = encode({"error": str(refused)})
        return HttpAnswer(refused.status, body, PLAIN_JSON, chunked=refused.early)
    return HttpAnswer(200, encode(SUCCESS), PLAIN_JSON)


async def _lines(first: dict[str, Any], rest: AsyncIterator[dict[str, Any]]) -> AsyncIterator[bytes]:
    yield encode(first) + b"\n"
    try:
        async for step in rest:
            yield encode(step) + b"\n"
    except Refused as refused:
        yield encode({"error": str(refused)}) + b"\n"
