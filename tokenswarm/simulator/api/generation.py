"""The endpoints that generate: a request is read, its answer decided and handed to the engine, or it is refused."""

import time
from collections.abc import Mapping
from functools import partial
from hashlib import blake2b
from random import Random
from typing import Any

from tokenswarm.simulator.api import engines, lm_studio, messages, ollama, openai, responses
from tokenswarm.simulator.api.readers import read
from tokenswarm.simulator.api.reply import HttpExchange, Reply, ReplyDialect
from tokenswarm.simulator.api.request import Api, GenerationRequest, Refused
from tokenswarm.simulator.engine.loader import Busy, TooBig
from tokenswarm.simulator.engine.pacer import wall_minus_clock_ns
from tokenswarm.simulator.model import plan, tokens
from tokenswarm.simulator.model.faults import BUSY, CRASHED
from tokenswarm.simulator.model.script import Task
from tokenswarm.simulator.server import Server
from tokenswarm.simulator.truth import LedgerEntry

PATHS: dict[str, Api] = {
    "/api/chat": "chat",
    "/api/generate": "generate",
    "/v1/chat/completions": "v1_chat",
    "/v1/completions": "v1_completions",
    "/v1/messages": "v1_messages",
    "/v1/responses": "v1_responses",
    engines.LM_STUDIO_CHAT: "v1_chat",
    lm_studio.PATH: "lm_chat",
}
_STYLES = ollama.STYLES | openai.STYLES
_WAVERING = 0.1  # the share of requests in which fault-nondeterministic says something else
_ONE_TEXT = ("generate", "v1_completions")


async def generate(
    server: Server, exchange: HttpExchange, headers: Mapping[bytes, str], body: bytes, receive: Any
) -> None:
    """Answer a generation: hand it to the engine, then sleep until it has ended or the client has gone."""
    number, agent, given = server.ledger.new_id(), headers.get(b"user-agent"), headers.get(b"x-request-id")
    record = LedgerEntry(number, exchange.path, "", agent, given, time.time_ns())
    api = PATHS[exchange.path]
    reply: Reply | None = None
    try:
        ask = read(api, body, server.models, server.settings)
        if ask.rendered is not None:
            record.status, record.end = 200, "complete"
            exchange.whole(200, ollama.WHOLE_TYPE, ollama.write_rendered(ask, time.time_ns()))
            return
        reply = _begin(server, exchange, record, ask)
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


def _begin(server: Server, exchange: HttpExchange, record: LedgerEntry, ask: GenerationRequest) -> Reply:
    """Decide the answer and submit it; Refused if the server is busy, or says so."""
    fault = ask.model.fault
    record.model, record.prompt_tokens = ask.name, ask.prompt_tokens
    if fault.status is not None:
        record.end = "fault"
        raise Refused(fault.status, BUSY if fault.status == 503 else CRASHED)
    try:
        decided = _decide(server, ask, record.id)
    except (
        ValueError,
        TypeError,
        AttributeError,
        RecursionError,
        OverflowError,
    ):  # it is not ours: no check can foresee all
        raise Refused(500, "invalid JSON schema in format", late=True) from None
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


def _decide(server: Server, ask: GenerationRequest, number: int) -> plan.Plan:
    """What the answer to request `number` will be."""
    settings, model = server.settings, ask.model
    key = tokens.request_key(settings.seed, model.name, ask.prompt)
    task = Task(
        path=model.path,
        thinks=ask.thinks,
        separates=model.path != "N" or ask.api not in _ONE_TEXT,
        format=ask.format,
        twice=ask.thinks and ask.format is not None,
        tools=ask.tools,
        calls=2 if "parallel" in model.name else 1,
        talks="talks" in model.name,
        bare="bare" in model.name and model.path == "G",
        text_key=_text_key(ask, key, number),
        number=number,
    )
    return plan.make_plan(
        key,
        tokens.natural_length_tokens(key, settings.output_tokens, settings.output_cv),
        ask.limit,
        seed=settings.seed,
        merge=settings.merge,
        cjk=tokens.has_cjk(ask.prompt),
        style=_STYLES.get(ask.api, plan.Style()),
        fault=model.fault,
        task=task,
        room=ask.room,
        stop=ask.stop,
        top_logprobs=ask.top_logprobs,
    )


def _text_key(ask: GenerationRequest, key: int, number: int) -> int:
    """What the words are chosen by: the prompt alone at temperature 0, the seed too if there is one, else chance."""
    wavers = ask.model.fault.wavers and Random(f"wavers {number}").random() < _WAVERING
    if ask.temperature == 0 and not wavers:
        return key
    chance = number if wavers or ask.seed is None else f"{ask.seed} {ask.temperature}"
    return int.from_bytes(blake2b(f"{key} {chance}".encode(), digest_size=8).digest(), "big")


def _dialect(server: Server, ask: GenerationRequest, decided: plan.Plan, record: LedgerEntry) -> ReplyDialect:
    """Who words the answer."""
    if ask.api in ollama.STYLES:
        return ollama.Native(ask, decided, tells_cached=server.settings.tells_cached)
    created_s = record.read_ns // 10**9
    if ask.api == "v1_messages":
        return messages.Messages(ask, decided, record.id)
    if ask.api == "lm_chat":
        return lm_studio.LMStudio(ask, decided)
    if ask.api == "v1_responses":
        return responses.Responses(ask, decided, record.id, created_s)
    only_v1 = server.settings.openai_only
    tells_cached = server.settings.cached_tokens_in_usage if only_v1 else server.settings.tells_cached
    own = partial(engines.own_numbers, server.settings.engine, record.path) if server.settings.engine else None
    return openai.OpenAI(ask, decided, record.id, created_s, role_first=only_v1, tells_cached=tells_cached, own=own)


def _refuse(exchange: HttpExchange, api: Api, refused: Refused) -> None:
    if refused.whole:
        content_type, body = openai.EARLY_TYPE, refused.message.encode()
    elif api in ollama.STYLES:
        content_type, body = ollama.WHOLE_TYPE, ollama.error_body(refused.message)
    elif api == "lm_chat":
        content_type, body = openai.WHOLE_TYPE, lm_studio.error_body(refused.status, refused.message)
    elif api == "v1_messages":
        content_type, body = openai.WHOLE_TYPE, messages.error_body(refused.status, refused.message)
    else:
        content_type = openai.EARLY_TYPE if refused.early else openai.WHOLE_TYPE
        body = openai.error_body(refused.status, refused.message, early=refused.early)
    if refused.late:
        exchange.chunk(refused.status, openai.WHOLE_TYPE, body)
    else:
        exchange.whole(refused.status, content_type, body)
