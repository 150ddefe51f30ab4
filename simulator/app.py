"""The ASGI application: which path answers what, to whom."""

from collections.abc import Mapping
from typing import Any

from simulator import generation, lookup, ollama, openai
from simulator.answer import Answer, Request
from simulator.protocol import HoldingTransport
from simulator.reply import Exchange
from simulator.server import Server
from simulator.settings import Settings

_LOOK_UPS = lookup.ENDPOINTS
_PLAIN, _JSON = b"text/plain", b"application/json; charset=utf-8"


class App:
    """One simulated server; it must run on asyncio's own loop (see `protocol`)."""

    def __init__(self, settings: Settings) -> None:
        """Set up; OSError if the truth log cannot be written."""
        self.settings = settings
        self.server = Server(settings)
        self.close, self.stats = self.server.close, self.server.stats

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Answer one HTTP exchange."""
        body = b""
        while True:
            message = await receive()
            if message["type"] == "http.disconnect":
                return
            body += message["body"]
            if not message["more_body"]:
                break
        transport: HoldingTransport = scope["extensions"]["simulator"]["transport"]
        path, method = scope["path"], scope["method"]
        route = _route(path)
        exchange = Exchange(path if route else "other", send, transport, self.server.ledger)
        headers = {name: value.decode("latin-1") for name, value in scope["headers"]}
        refused = self._refusal(route, path, method, headers)
        if refused is not None:
            _send(exchange, refused)
        elif route in generation.PATHS:
            await generation.generate(self.server, exchange, headers, body, receive)
        else:
            _methods, answer = _LOOK_UPS[route]
            _send(exchange, answer(self.server, Request(method, path, headers, body)))

    def _refusal(self, route: str, path: str, method: str, headers: Mapping[bytes, str]) -> Answer | None:
        """What the router says to who asks amiss, or is a stranger."""
        only_v1 = self.settings.openai_only
        if not route or (only_v1 and not route.startswith(("/v1/", "/sim/"))):
            if only_v1:
                return Answer(404, b'{"detail":"Not Found"}', b"application/json")
            return Answer(404, b"404 page not found", _PLAIN)
        allowed = ("POST",) if route in generation.PATHS else _LOOK_UPS[route][0]
        if method not in allowed:
            allow = (b"allow", ", ".join(allowed).encode())
            if only_v1:
                return Answer(405, b'{"detail":"Method Not Allowed"}', b"application/json", (allow,))
            return Answer(405, b"405 method not allowed", _PLAIN, (allow,))
        key = self.settings.api_key
        guarded = key is not None and (method == "POST" or path.startswith("/v1/"))
        if guarded and headers.get(b"authorization") != f"Bearer {key}":
            if path.startswith("/v1/"):
                error = openai.error_body(401, "Incorrect API key provided", kind="authentication_error")
                return Answer(401, error, _JSON)
            return Answer(401, ollama.error_body("unauthorized"), _JSON)
        return None


def _route(path: str) -> str:
    """The row of the tables that a path belongs to; empty if none. A row that ends with a slash takes what follows."""
    if path in generation.PATHS or path in _LOOK_UPS:
        return path
    return next((row for row in _LOOK_UPS if row.endswith("/") and row != "/" and path.startswith(row)), "")


def _send(exchange: Exchange, answer: Answer) -> None:
    exchange.whole(answer.status, answer.content_type, answer.body, *answer.headers)
