"""The ASGI application: it reads a request, lets the router or an endpoint answer, and writes what they say."""

import asyncio
from collections.abc import Awaitable, Mapping
from typing import Any

from tokenswarm.simulator.api import counting, engines, generation, ollama, openai
from tokenswarm.simulator.api.answer import JSON, HttpAnswer, Request, answer_error
from tokenswarm.simulator.api.reply import HttpExchange, run_now
from tokenswarm.simulator.api.request import Refused
from tokenswarm.simulator.api.routes import ENDPOINTS, methods, route
from tokenswarm.simulator.api.strangers import strange_host, strange_origin
from tokenswarm.simulator.server import Server
from tokenswarm.simulator.settings import SimulatorSettings
from tokenswarm.simulator.transport import HoldingTransport

_PLAIN = b"text/plain"
_ONLY = {path: (engine,) for path, engine in engines.ONLY.items()} | counting.ONLY


class App:
    """One simulated server; it must run on asyncio's own loop (see `protocol`)."""

    def __init__(self, settings: SimulatorSettings) -> None:
        """Set up; OSError if the truth log cannot be written."""
        self.settings = settings
        self.server = Server(settings)
        self.close, self.stats = self.server.close, self.server.stats

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Answer one HTTP exchange."""
        body = await _body(receive)
        if body is None:
            return
        transport: HoldingTransport = scope["extensions"]["simulator"]["transport"]
        path, method = scope["path"], scope["method"]
        row = route(path)
        exchange = HttpExchange(
            row or "other", send, transport, self.server.ledger, is_go=not self.settings.openai_only
        )
        headers = {name: value.decode("latin-1") for name, value in scope["headers"]}
        refused = self._refusal(row, path, method, headers)
        if refused is not None:
            await _send(exchange, refused)
        elif row in generation.PATHS:
            await generation.generate(self.server, exchange, headers, body, receive)
        else:
            answer = await self._answer(row, Request(method, path, headers, body), receive)
            if answer is not None:
                await _send(exchange, answer)

    async def _answer(self, row: str, request: Request, receive: Any) -> HttpAnswer | None:
        """What an endpoint says; `None` if the client has gone."""
        try:
            answer = ENDPOINTS[row][1](self.server, request)
            return answer if isinstance(answer, HttpAnswer) else await _unless_gone(receive, answer)
        except ValueError as error:
            return answer_error(400, str(error))
        except Refused as refused:
            return answer_error(refused.status, str(refused))

    def _refusal(self, row: str, path: str, method: str, headers: Mapping[bytes, str]) -> HttpAnswer | None:
        """What the router says to who asks amiss, or is a stranger."""
        only_v1, only = self.settings.openai_only, _ONLY.get(row)
        host, origin = headers.get(b"host", ""), headers.get(b"origin", "")
        if not only_v1 and (strange_host(host, self.settings.host) or (origin and strange_origin(origin, host))):
            return HttpAnswer(403)
        if method == "OPTIONS" and origin:
            return HttpAnswer(204, headers=(*_cors(origin), *_allow(row)), bare=True)
        served = self.settings.engine in only if only else not only_v1 or row.startswith(("/v1/", "/sim/"))
        if not row or not served:
            if only_v1:
                return HttpAnswer(404, b'{"detail":"Not Found"}', b"application/json")
            return HttpAnswer(404, b"404 page not found", _PLAIN)
        if method not in methods(row):
            if only_v1:
                return HttpAnswer(405, b'{"detail":"Method Not Allowed"}', b"application/json", _allow(row))
            return HttpAnswer(405, b"405 method not allowed", _PLAIN, _allow(row))
        return self._unauthorized(path, method, headers)

    def _unauthorized(self, path: str, method: str, headers: Mapping[bytes, str]) -> HttpAnswer | None:
        key = self.settings.api_key
        guarded = key is not None and (method in ("POST", "DELETE") or path.startswith("/v1/"))
        if not guarded or headers.get(b"authorization") == f"Bearer {key}":
            return None
        if path.startswith("/v1/"):
            error = openai.error_body(401, "Incorrect API key provided", kind="authentication_error")
            return HttpAnswer(401, error, JSON)
        return HttpAnswer(401, ollama.error_body("unauthorized"), JSON)


async def _body(receive: Any) -> bytes | None:
    """All of a request's body; `None` if the client left before its end."""
    pieces: list[bytes] = []
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        pieces.append(message["body"])
        if not message["more_body"]:
            return b"".join(pieces)


async def _unless_gone(receive: Any, answering: Awaitable[HttpAnswer]) -> HttpAnswer | None:
    """Wait for an answer as long as the client does."""
    task = asyncio.ensure_future(answering)
    leaving = asyncio.ensure_future(receive())
    try:
        await asyncio.wait({task, leaving}, return_when=asyncio.FIRST_COMPLETED)
        return task.result() if task.done() else None
    finally:
        for one in (task, leaving):
            one.cancel()
        await asyncio.gather(task, leaving, return_exceptions=True)


async def _send(exchange: HttpExchange, answer: HttpAnswer) -> None:
    """Write an answer."""
    if answer.lines is not None:
        exchange.start(answer.status, answer.content_type, *answer.headers)
        async for line in answer.lines:
            if exchange.transport.is_closing():
                break  # uvicorn may not know yet that the client has left, and would complain of an answer without end
            exchange.body(line, last=False)
        exchange.body(b"", last=True)
    elif answer.bare:
        run_now(exchange.send({"type": "http.response.start", "status": answer.status, "headers": [*answer.headers]}))
        exchange.body(b"", last=True)
    elif answer.chunked:
        exchange.chunk(answer.status, answer.content_type, answer.body, *answer.headers)
    else:
        exchange.whole(answer.status, answer.content_type, answer.body, *answer.headers)


def _allow(row: str) -> tuple[tuple[bytes, bytes], ...]:
    """Which methods a path takes."""
    return ((b"allow", ", ".join(methods(row)).encode()),) if row else ()


_STAINLESS = "Arch Async Custom-Poll-Interval Helper-Method Lang Os Package-Version Poll-Helper Retry-Count Runtime"
_STAINLESS += " Runtime-Version Timeout"
_CORS_HEADERS = ",".join(
    [
        *("Authorization", "Content-Type", "User-Agent", "Accept", "X-Requested-With", "Openai-Beta"),
        *(f"X-Stainless-{name}" for name in _STAINLESS.split()),
    ]
).encode()


def _cors(origin: str) -> tuple[tuple[bytes, bytes], ...]:
    """What a browser's page from this very machine may do."""
    return (
        (b"access-control-allow-origin", origin.encode("latin-1")),
        (b"access-control-allow-methods", b"GET,POST,PUT,PATCH,DELETE,HEAD,OPTIONS"),
        (b"access-control-allow-headers", _CORS_HEADERS),
        (b"access-control-max-age", b"43200"),
        *((b"vary", name) for name in (b"Origin", b"Access-Control-Request-Method", b"Access-Control-Request-Headers")),
    )
