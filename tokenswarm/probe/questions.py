"""The probe's questions, in their order, and the figures that come of them."""

import time
from dataclasses import asdict, dataclass
from typing import Any

from tokenswarm.preflight.discovery import FoundServer
from tokenswarm.preflight.load_fields import load_fields
from tokenswarm.probe import estimates, rates, slots
from tokenswarm.probe import model_loads as loads
from tokenswarm.probe.client import ProbeClient
from tokenswarm.probe.estimates import ProbeAnswer
from tokenswarm.probe.result import LABELS, ProbeResult
from tokenswarm.settings.errors import UsageError
from tokenswarm.settings.settings import Settings
from tokenswarm.transport.control import count_in, objects, text_in
from tokenswarm.transport.kernel_stamps import prime
from tokenswarm.transport.receiving import plain_socket
from tokenswarm.wire import ollama_generate, openai_chat
from tokenswarm.wire.values import Ask

MAX_PARALLEL, MAX_BURST = 64, 1100
DECODE_S = 0.6  # what the decode rate is read from: long beside the jitter of a millisecond or two
LEAST, MOST, UNSTEADY_PERCENT = 3, 7, 2.0  # answers of one stream: more where their rates differ


@dataclass(frozen=True, slots=True)
class Limits:
    """How far to go: `intrusive` unloads the model and sends bursts that the server may have to refuse."""

    intrusive: bool = False
    max_parallel: int = MAX_PARALLEL
    max_burst: int = MAX_BURST


PLAIN = Limits()


def probe(settings: Settings, server: FoundServer, asked: Ask, limits: Limits = PLAIN) -> dict[str, Any]:
    """All findings as JSON has them, with what they cost. Raises UsageError if the model does not answer at all.

    Of what the run asks those options are sent that Ollama loads a model with (it must be the one the load will find),
    and what it leaves out is left out.
    """
    prime(plain_socket)
    began_s = time.monotonic()
    ollama = server.kind == "ollama"
    model = asked.model
    options = load_fields(asked.options) if ollama else {}
    left_out = {name: value for name, value in asked.fields.items() if value is None}
    ask = Ask(model, think=settings.ask.think, options=options, fields=left_out, limit_as=asked.limit_as)
    asker = ProbeClient(settings, ollama_generate if ollama else openai_chat, ask)
    try:
        figures = _figures(asker, server, limits)
    finally:
        asker.close()
    return {
        "target": settings.target.url,
        "model": model,
        "kind": server.kind,
        "version": server.version,
        "intrusive": limits.intrusive,
        "seconds": round(time.monotonic() - began_s, 3),
        "requests": asker.requests,
        "prompt_tokens": asker.prompt_tokens,
        "output_tokens": asker.output_tokens,
        "lost": asker.lost,
        "figures": {name: {"label": LABELS[name], **asdict(figures[name])} for name in LABELS},
    }


def _figures(asker: ProbeClient, server: FoundServer, limits: Limits) -> dict[str, ProbeResult]:
    told = None if server.kind == "ollama" else slots.read_slots(asker)
    first = asker.one(asker.prompt(), 8)
    if first.outcome != "ok":
        raise UsageError(f"{asker.model} does not answer a short request ({first.error}); nothing can be probed")
    rate = estimates.decode_per_s(first)
    tokens = min(256, max(8, round((rate or 50.0) * DECODE_S)))
    singles = _singles(asker, tokens)
    context = _context(asker, server)
    prefill, cache = rates.prefill(asker, singles, context)
    decode = rates.rate([estimates.decode_per_s(seen) for seen in singles], "one stream alone")
    parallel, refused = (told, None) if told else slots.slots(asker, singles, limits.max_parallel)
    found = {
        "slots": parallel,
        "waiting_limit": refused or ProbeResult(None, "requests", "nothing was refused; ask with --intrusive"),
        "load_queue_limit": ProbeResult(None, "requests", "shows only before a load; ask with --intrusive"),
        "decode_tokens_per_s": decode,
        "prefill_tokens_per_s": prefill,
        "prompt_cache": cache,
        "context_tokens": context,
        "warm_load_ms": loads.warm(singles),
        "cold_load_ms": loads.as_found(first, asker.model, server),
    }
    if limits.intrusive:
        if parallel.value is not None and not parallel.at_least:
            found["waiting_limit"] = slots.measure_queue(asker, int(parallel.value), decode, limits.max_burst)
        if server.kind == "ollama":
            found["cold_load_ms"], found["load_queue_limit"] = loads.cold(asker, limits.max_burst)
    if server.kind != "ollama":
        for name in ("load_queue_limit", "warm_load_ms", "cold_load_ms"):
            found[name] = ProbeResult(None, found[name].unit, "an OpenAI-compatible server tells nothing of loads")
    return found


def _singles(asker: ProbeClient, tokens: int) -> list[ProbeAnswer]:
    """Answers to one stream alone; on a machine that is disturbed a few more of them."""
    seen: list[ProbeAnswer] = []
    spread: float | None = None
    while len(seen) < LEAST or (len(seen) < MOST and (spread or 0) > UNSTEADY_PERCENT):
        seen.append(asker.one(asker.prompt(), tokens))
        spread = estimates.spread_percent([rate for one in seen if (rate := estimates.decode_per_s(one)) is not None])
    return seen


def _context(asker: ProbeClient, server: FoundServer) -> ProbeResult:
    """The context length in force, else the greatest that the model takes."""
    names = (asker.model, f"{asker.model}:latest")
    if server.kind == "ollama":
        for model in objects(asker.ask_plain("GET", "/api/ps"), "models"):
            if text_in(model, "name") in names and (tokens := count_in(model, "context_length")):
                return ProbeResult(tokens, "tokens", "in force, says /api/ps", 1)
        facts = asker.ask_plain("POST", "/api/show", {"model": asker.model}).get("model_info")
        facts = facts if isinstance(facts, dict) else {}
        for name in facts:
            if name.endswith(".context_length") and (tokens := count_in(facts, name)):
                return ProbeResult(tokens, "tokens", "the model's greatest, says /api/show; less may be in force", 1)
    for model in objects(asker.ask_plain("GET", "/v1/models"), "data"):
        if text_in(model, "id") in names and (tokens := count_in(model, "max_model_len")):
            return ProbeResult(tokens, "tokens", "max_model_len, says /v1/models", 1)
    settings = asker.ask_plain("GET", "/props").get("default_generation_settings")
    if isinstance(settings, dict) and (tokens := count_in(settings, "n_ctx")):
        return ProbeResult(tokens, "tokens", "in force for each slot, says llama.cpp's /props", 1)
    return ProbeResult(None, "tokens", "the server does not say")
