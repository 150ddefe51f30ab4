"""The ASGI application: which path answers what."""

import time
from typing import Any

from simulator import models, ollama, openai, plan, tokens
from simulator.ask import Api, Ask, Refused, read
from simulator.engine import Engine
from simulator.faults import BUSY, CRASHED
from simulator.gojson import decode, encode
from simulator.loader import Busy
from simulator.pacer import Pacer, wall_minus_clock_ns
from simulator.protocol import HoldingTransport
from simulator.reply import Exchange, Reply
from simulator.settings import Settings
from simulator.truth import Ledger, Record

_GENERATE: dict[str, Api] = {
    "/api/chat": "chat",
    "/api/generate": "generate",
    "/v1/chat/completions": "v1_chat",
    "/v1/completions": "v1_completions",
}
_READ: dict[str, tuple[str, ...]] = {
    "/": ("GET", "HEAD"),
    "/api/version": ("GET", "HEAD"),
    "/api/tags": ("GET", "HEAD"),
    "/api/ps": ("GET",),
    "/api/show": ("POST",),
    "/v1/models": ("GET",),
    "/sim/stats": ("GET",),
}
_STYLES = ollama.STYLES | openai.STYLES
_PLAIN, _JSON = b"text/plain", b"application/json; charset=utf-8"


class App:
    """One simulated server. Its clock is the monotonic one; it must run on asyncio's own loop (see `protocol`)."""

    def __init__(self, settings: Settings) -> None:
        """Set up; OSError if the truth log cannot be written."""
        self.settings = settings
        self.ledger = Ledger(settings.truth)
        self.engine = Engine(settings, time.monotonic_ns, self.ledger.ticks.add)
        self.models = models.catalogue(settings.models)
        self._pacer = Pacer(self.engine, self.ledger)
        self._live: dict[Reply, Record] = {}

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
        path = scope["path"]
        known = path in _GENERATE or path in _READ or path.startswith("/v1/models/")
        exchange = Exchange(path if known else "other", send, transport, self.ledger)
        headers = {name: value.decode("latin-1") for name, value in scope["headers"]}
        if path in _GENERATE and scope["method"] == "POST" and not self._hidden(path):
            await self._generate(exchange, headers, body, receive)
        else:
            self._look_up(exchange, scope["method"], path, headers, body)

    def close(self) -> None:
        """Break off all streams as a server that is killed does, and close the truth log."""
        for reply, record in list(self._live.items()):
            reply.break_off()
            self.ledger.close_record(record)
        self._live.clear()
        self.ledger.close()

    def stats(self) -> dict[str, Any]:
        """Totals since the start."""
        waiting = self.engine.accepted - len(self.engine.slots)
        return self.ledger.stats(len(self.engine.slots), waiting, self.engine.slips)

    def _hidden(self, path: str) -> bool:
        return self.settings.openai_only and not path.startswith(("/v1/", "/sim/"))

    def _unauthorized(self, method: str, path: str, headers: dict[bytes, str]) -> bool:
        key = self.settings.api_key
        guarded = method == "POST" or path.startswith("/v1/")
        return key is not None and guarded and headers.get(b"authorization") != f"Bearer {key}"

    def _refuse_stranger(self, exchange: Exchange, path: str) -> None:
        body = ollama.error_body("unauthorized")
        if path.startswith("/v1/"):
            body = openai.error_body(401, "Incorrect API key provided", kind="authentication_error")
        exchange.whole(401, _JSON, body)

    def _look_up(self, exchange: Exchange, method: str, path: str, headers: dict[bytes, str], body: bytes) -> None:
        """Answer what needs no model."""
        allowed = ("POST",) if path in _GENERATE else ("GET",) if path.startswith("/v1/models/") else _READ.get(path)
        if allowed is None or self._hidden(path):
            if self.settings.openai_only:
                exchange.whole(404, b"application/json", b'{"detail":"Not Found"}')
            else:
                exchange.whole(404, _PLAIN, b"404 page not found")
        elif method not in allowed:
            allow = (b"allow", ", ".join(allowed).encode())
            if self.settings.openai_only:
                exchange.whole(405, b"application/json", b'{"detail":"Method Not Allowed"}', allow)
            else:
                exchange.whole(405, _PLAIN, b"405 method not allowed", allow)
        elif self._unauthorized(method, path, headers):
            self._refuse_stranger(exchange, path)
        elif path == "/":
            exchange.whole(200, b"text/plain; charset=utf-8", b"Ollama is running")
        elif path == "/api/show":
            self._show(exchange, body)
        elif path.startswith("/v1/models/"):
            name = path.removeprefix("/v1/models/")
            if models.full_name(name) in self.models:
                exchange.whole(200, openai.WHOLE_TYPE, encode(models.openai_model(name)) + b"\n")
            else:
                message = f"model '{name}' not found"
                exchange.whole(404, openai.WHOLE_TYPE, openai.error_body(404, message))
        elif path == "/v1/models":
            exchange.whole(200, openai.WHOLE_TYPE, encode(models.openai_list(self.models.values())) + b"\n")
        else:
            exchange.whole(200, _JSON, encode(self._listing(path)))

    def _listing(self, path: str) -> dict[str, Any]:
        if path == "/api/tags":
            return models.tags(self.models.values())
        if path == "/api/ps":
            resident = self.engine.loader.resident(time.monotonic_ns())
            return models.running(resident, wall_minus_clock_ns())
        return self.stats() if path == "/sim/stats" else {"version": self.settings.version}

    def _show(self, exchange: Exchange, body: bytes) -> None:
        try:
            fields = decode(body)
        except ValueError as error:
            exchange.whole(400, _JSON, ollama.error_body(str(error)))
            return
        name = models.full_name(str(fields.get("model") or fields.get("name") or ""))
        if name in self.models:
            exchange.whole(200, _JSON, encode(models.show(self.models[name])))
        else:
            exchange.whole(404, _JSON, ollama.error_body(f"model '{name}' not found"))

    async def _generate(self, exchange: Exchange, headers: dict[bytes, str], body: bytes, receive: Any) -> None:
        """Answer a generation: hand it to the engine, then sleep until it has ended or the client has gone."""
        number, agent, given = self.ledger.new_id(), headers.get(b"user-agent"), headers.get(b"x-request-id")
        record = Record(number, exchange.path, "", agent, given, time.time_ns())
        api = _GENERATE[exchange.path]
        reply: Reply | None = None
        try:
            if self._unauthorized("POST", exchange.path, headers):
                record.status = 401
                self._refuse_stranger(exchange, exchange.path)
                return
            reply = self._begin(exchange, record, read(api, body, self.models))
            while (await receive())["type"] != "http.disconnect":
                pass
        except Refused as refused:
            record.status = refused.status
            self._refuse(exchange, api, refused)
        finally:
            if reply is not None:
                self.engine.cancel(reply.job)
                self._pacer.arm()
                del reply.job  # the two know each other: without this only the cyclic collector could free them
            if record.status >= 400 and record.end == "cancelled":
                record.end = "complete"  # a refusal is a complete answer too
            if reply is None or self._live.pop(reply, None) is not None:
                self.ledger.close_record(record)

    def _begin(self, exchange: Exchange, record: Record, ask: Ask) -> Reply:
        """Decide the answer and submit it; Refused if the server is busy, or says so."""
        settings, fault = self.settings, ask.model.fault
        record.model, record.prompt_tokens = ask.name, ask.prompt_tokens
        if fault.status is not None:
            record.end = "fault"
            raise Refused(fault.status, BUSY if fault.status == 503 else CRASHED)
        key = tokens.request_key(settings.seed, ask.model.name, ask.prompt)
        decided = plan.make_plan(
            key,
            tokens.natural_length_tokens(key, settings.output_tokens, settings.output_cv),
            ask.limit,
            seed=settings.seed,
            merge=settings.merge,
            cjk=tokens.has_cjk(ask.prompt),
            thinks=ask.thinks,
            style=_STYLES[ask.api],
            fault=fault,
        )
        native = ask.api in ollama.STYLES
        created_s = record.read_ns // 10**9
        dialect = (
            ollama.Native(ask, decided)
            if native
            else openai.OpenAI(ask, decided, record.id, created_s, role_first=settings.openai_only)
        )
        reply = Reply(ask, decided, dialect, exchange, record, self.engine, wall_minus_clock_ns())
        if ask.only_loads:
            record.prompt_tokens = 0
            if ask.keep_alive_ns == 0:
                self.engine.loader.unload(ask.model.name, time.monotonic_ns())
                reply.job.done = True
                reply.answer_load(record.read_ns)
        if not reply.job.done:
            try:
                self.engine.submit(reply.job)
            except Busy:
                raise Refused(503, BUSY) from None
        self._live[reply] = record
        self._pacer.arm()
        reply.open()
        return reply

    def _refuse(self, exchange: Exchange, api: Api, refused: Refused) -> None:
        if api in ollama.STYLES:
            exchange.whole(refused.status, ollama.WHOLE_TYPE, ollama.error_body(refused.message))
            return
        content_type = openai.EARLY_TYPE if refused.early else openai.WHOLE_TYPE
        body = openai.error_body(refused.status, refused.message, early=refused.early)
        exchange.whole(refused.status, content_type, body)
