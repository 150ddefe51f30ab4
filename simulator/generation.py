"""The endpoints that generate: a request is read, its answer decided and handed to the engine, or it is refused."""

import time
from collections.abc import Mapping
from typing import Any

from simulator import ollama, openai, plan, tokens
from simulator.ask import Api, Ask, Refused, read
from simulator.faults import BUSY, CRASHED
from simulator.loader import Busy, TooBig
from simulator.pacer import wall_minus_clock_ns
from simulator.reply import Dialect, Exchange, Reply
from simulator.server import Server
from simulator.truth import Record

PATHS: dict[str, Api] = {
    "/api/chat": "chat",
    "/api/generate": "generate",
    "/v1/chat/completions": "v1_chat",
    "/v1/completions": "v1_completions",
}
_STYLES = ollama.STYLES | openai.STYLES


async def generate(server: Server, exchange: Exchange, headers: Mapping[bytes, str], body: bytes, receive: Any) -> None:
    """Answer a generation: hand it to the engine, then sleep until it has ended or the client has gone."""
    number, agent, given = server.ledger.new_id(), headers.get(b"user-agent"), headers.get(b"x-request-id")
    record = Record(number, exchange.path, "", agent, given, time.time_ns())
    api = PATHS[exchange.path]
    reply: Reply | None = None
    try:
        reply = _begin(server, exchange, record, read(api, body, server.models))
        while (await receive())["type"] != "http.disconnect":
            pass
    except Refused as refused:
        record.status = refused.status
        _refuse(exchange, api, refused)
    finally:
        if reply is not None:
            server.engine.cancel(reply.job)
            server.pacer.arm()
            del reply.job  # the two know each other: without this only the cyclic collector could free them
        if record.status >= 400 and record.end == "cancelled":
            record.end = "complete"  # a refusal is a complete answer too
        if reply is None or server.live.pop(reply, None) is not None:
            server.ledger.close_record(record)


def _begin(server: Server, exchange: Exchange, record: Record, ask: Ask) -> Reply:
    """Decide the answer and submit it; Refused if the server is busy, or says so."""
    settings, fault = server.settings, ask.model.fault
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
    dialect = _dialect(server, ask, decided, record)
    reply = Reply(ask, decided, dialect, exchange, record, server.engine, wall_minus_clock_ns())
    if ask.only_loads:
        record.prompt_tokens = 0
        if ask.keep_alive_ns == 0:
            server.engine.unload(ask.model.weights)
            reply.job.done = True
            reply.answer_load(record.read_ns)
    if not reply.job.done:
        try:
            server.engine.submit(reply.job)
        except Busy:
            raise Refused(503, BUSY) from None
        except TooBig as error:
            raise Refused(500, str(error)) from None
    server.live[reply] = record
    server.pacer.arm()
    reply.open()
    return reply


def _dialect(server: Server, ask: Ask, decided: plan.Plan, record: Record) -> Dialect:
    """Who words the answer."""
    if ask.api in ollama.STYLES:
        return ollama.Native(ask, decided)
    created_s = record.read_ns // 10**9
    return openai.OpenAI(ask, decided, record.id, created_s, role_first=server.settings.openai_only)


def _refuse(exchange: Exchange, api: Api, refused: Refused) -> None:
    if api in ollama.STYLES:
        exchange.whole(refused.status, ollama.WHOLE_TYPE, ollama.error_body(refused.message))
        return
    content_type = openai.EARLY_TYPE if refused.early else openai.WHOLE_TYPE
    body = openai.error_body(refused.status, refused.message, early=refused.early)
    exchange.whole(refused.status, content_type, body)
