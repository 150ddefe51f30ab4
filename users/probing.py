"""The probe's questions, in their order, and the figures that come of them."""

import math
import time
from dataclasses import asdict, dataclass
from statistics import median
from typing import Any

import gevent

from users import estimates
from users.asker import Asker, call
from users.errors import UsageError
from users.estimates import Level, Seen
from users.exchange import plain_socket
from users.preflight import Server
from users.settings import Settings
from users.stamps import prime
from wire import ollama_generate, openai_chat

MAX_PARALLEL, MAX_BURST = 64, 1100
DECODE_S, PREFILL_NS = 0.6, 200_000_000  # what a rate is read from: long beside the jitter of a millisecond or two
MOST_PROMPT_TOKENS = 2048
LOADED_NS = 250_000_000  # a warm load_duration is some ms, that of another name for a loaded model about 110 ms
TRIES = 3
SECONDS = 1e9


@dataclass(frozen=True, slots=True)
class Figure:
    """One finding: absent is None, and `how` says why. `n` answers gave it; `at_least`: there may be more."""

    value: float | bool | None
    unit: str
    how: str
    n: int = 0
    spread_percent: float | None = None
    at_least: bool = False


@dataclass(frozen=True, slots=True)
class Limits:
    """How far to go: `intrusive` unloads the model and sends bursts that the server may have to refuse."""

    intrusive: bool = False
    max_parallel: int = MAX_PARALLEL
    max_burst: int = MAX_BURST


def probe(settings: Settings, server: Server, model: str, limits: Limits = Limits()) -> dict[str, Any]:
    """All findings as JSON has them, with what they cost. Raises UsageError if the model does not answer at all."""
    prime(plain_socket)
    began_s = time.monotonic()
    asker = Asker(settings, ollama_generate if server.kind == "ollama" else openai_chat, model)
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
        "figures": {name: asdict(figure) for name, figure in figures.items()},
    }


def _figures(asker: Asker, server: Server, limits: Limits) -> dict[str, Figure]:
    first = asker.one(asker.prompt(), 8)
    if first.outcome != "ok":
        raise UsageError(f"{asker.model} does not answer a short request ({first.error}); nothing can be probed")
    rate = estimates.decode_per_s(first)
    tokens = min(256, max(8, round((rate or 50.0) * DECODE_S)))
    singles = [asker.one(asker.prompt(), tokens) for _ in range(TRIES)]
    context = _context(asker, server)
    prefill, cache = _prefill(asker, singles, context)
    decode = _rate([estimates.decode_per_s(seen) for seen in singles], "one stream alone")
    slots, refused = _slots(asker, singles, limits.max_parallel)
    found = {
        "slots": slots,
        "waiting_limit": refused or Figure(None, "requests", "nothing was refused; ask with --intrusive"),
        "load_queue_limit": Figure(None, "requests", "shows only before a load; ask with --intrusive"),
        "decode_tokens_per_s": decode,
        "prefill_tokens_per_s": prefill,
        "prompt_cache": cache,
        "context_tokens": context,
        "warm_load_ms": _warm(singles),
        "cold_load_ms": _as_found(first, asker.model, server),
    }
    if limits.intrusive:
        if slots.value is not None and not slots.at_least:
            found["waiting_limit"] = _waiting(asker, int(slots.value), decode, limits.max_burst)
        if server.kind == "ollama":
            found["cold_load_ms"], found["load_queue_limit"] = _cold(asker, limits.max_burst)
    if server.kind != "ollama":
        for name in ("load_queue_limit", "warm_load_ms", "cold_load_ms"):
            found[name] = Figure(None, found[name].unit, "an OpenAI-compatible server tells nothing of loads")
    return found


def _rate(values: list[float | None], how: str) -> Figure:
    known = [value for value in values if value is not None]
    if not known:
        return Figure(None, "tokens/s", f"{how}: no answer could be counted and timed")
    return Figure(round(median(known), 3), "tokens/s", how, len(known), estimates.spread_percent(known))


def _context(asker: Asker, server: Server) -> Figure:
    """The context length in force, else the greatest that the model takes."""
    names = (asker.model, f"{asker.model}:latest")
    if server.kind == "ollama":
        running = asker.told("GET", "/api/ps").get("models") or ()
        for model in running:
            if model.get("name") in names and (tokens := model.get("context_length")):
                return Figure(tokens, "tokens", "in force, says /api/ps", 1)
        facts = asker.told("POST", "/api/show", {"model": asker.model}).get("model_info") or {}
        for name, tokens in facts.items():
            if name.endswith(".context_length"):
                return Figure(tokens, "tokens", "the model's greatest, says /api/show; less may be in force", 1)
    for model in asker.told("GET", "/v1/models").get("data") or ():
        if model.get("id") in names and (tokens := model.get("max_model_len")):
            return Figure(tokens, "tokens", "max_model_len, says /v1/models", 1)
    if tokens := (asker.told("GET", "/props").get("default_generation_settings") or {}).get("n_ctx"):
        return Figure(tokens, "tokens", "in force for each slot, says llama.cpp's /props", 1)
    return Figure(None, "tokens", "the server does not say")


def _prefill(asker: Asker, short: list[Seen], context: Figure) -> tuple[Figure, Figure]:
    """Prefill rate, from prompts long enough to be timed; and whether the last, asked again, comes from a cache."""
    base = [ns for seen in short if (ns := seen.prefill_ns) is not None]
    if not base:
        none = "no short answer could be timed"
        return Figure(None, "tokens/s", none), Figure(None, "", none)
    base_ns, most = median(base), min(MOST_PROMPT_TOKENS, int(context.value or MOST_PROMPT_TOKENS) // 2)
    tokens, longs = min(64, most), []
    for _ in range(10):
        prompt = asker.prompt(tokens)
        seen = asker.one(prompt, 2)
        if seen.outcome != "ok" or seen.prefill_ns is None:
            most = tokens = max(1, tokens // 2)  # too long for it
            continue
        extra_ns = seen.prefill_ns - base_ns
        if extra_ns >= PREFILL_NS or tokens >= most:
            longs.append(seen)
            if len(longs) == TRIES:
                break
        else:
            tokens = min(most, round(tokens * min(16.0, max(2.0, 1.5 * PREFILL_NS / max(1.0, extra_ns)))))
    clock = "prompt_eval_duration" if seen.usage.prompt_eval_ns is not None else "TTFT"
    how = (
        f"slope of {clock} from short prompts to {longs[-1].usage.prompt_tokens} tokens"
        if longs
        else "no long prompt was answered"
    )
    figure = _rate([estimates.prefill_per_s(short, long) for long in longs], how)
    if not longs:
        return figure, Figure(None, "", how)
    return figure, _cache(min(base), longs, [asker.one(prompt, 2) for _ in range(2)])


def _cache(base_ns: int, longs: list[Seen], again: list[Seen]) -> Figure:
    """By what the server says was cached, else by the least times: what disturbs makes them longer, never shorter."""
    tokens = longs[-1].usage.prompt_tokens
    cached = [seen.usage.cached_tokens for seen in again if seen.usage.cached_tokens is not None]
    if cached and tokens:
        how = f"{tokens} tokens asked again: {max(cached)} of them cached, says the server"
        return Figure(max(cached) > tokens / 2, "", how, len(again))
    first_ns = min(seen.prefill_ns for seen in longs if seen.prefill_ns is not None)
    again_ns = min((seen.prefill_ns for seen in again if seen.prefill_ns is not None), default=None)
    if again_ns is None:
        return Figure(None, "", "the long prompt was not answered again")
    times = f"{tokens} tokens asked again: {first_ns / 1e6:.1f} ms at first, then {again_ns / 1e6:.1f} ms"
    if first_ns < 2 * base_ns:
        return Figure(None, "", f"{times}, too near the {base_ns / 1e6:.1f} ms of a short prompt")
    return Figure(estimates.is_cached(base_ns, first_ns, again_ns), "", times, len(again))


def _slots(asker: Asker, singles: list[Seen], max_parallel: int) -> tuple[Figure, Figure | None]:
    """Bursts of growing size, until not all run at once; the limit on those that wait, if some were refused."""
    ttft_ns = median([seen.ttft_ns or 0 for seen in singles])
    steps = [rate for seen in singles if (rate := estimates.decode_per_s(seen)) is not None]
    tokens = min(512, 8 + math.ceil(2.5 * ttft_ns / SECONDS * median(steps))) if steps else 32
    size, best, sure, tries = min(2, max_parallel), 0, False, 0
    while not sure and tries < TRIES:
        burst = asker.generate([asker.prompt() for _ in range(size)], tokens)
        if silent := [seen for seen in burst if seen.first_ns is None and not seen.refused]:
            return Figure(None, "requests", f"of {size} sent together one said nothing: {silent[0].error}"), None
        found = estimates.level(burst)
        best = max(best, found.running)
        if found.running == size:
            if size == max_parallel:
                return Figure(size, "requests", f"all {size} sent together ran at once", size, at_least=True), None
            size, tries = min(max_parallel, 2 * size), 0
        elif not (sure := found.full and found.running == best):
            tokens, tries = min(512, 3 * tokens), tries + 1
    limit = estimates.waiting_limit(burst, best)
    waiting = None if limit is None else Figure(limit, "requests", _refusals(burst, best), size)
    return Figure(best, "requests", _why(found, size, best, sure), size), waiting


def _why(found: Level, size: int, best: int, sure: bool) -> str:
    said = f"of {size} sent together {best} ran at once"
    if not sure:
        return f"{said}; not sure: answers are too short for how long they take to begin"
    if not found.waited:
        return f"{said}, the other {found.refused} were refused"
    return f"{said}, the next began after an end; before it nothing for {found.silence:.1f} × the time all {best} took"


def _refusals(burst: list[Seen], slots: int) -> str:
    refused = [seen for seen in burst if seen.refused]
    return f"{len(refused)} of {len(burst)} refused with HTTP {refused[0].status} while {slots} ran"


def _waiting(asker: Asker, slots: int, decode: Figure, max_burst: int) -> Figure:
    """The limit on requests that wait for a slot of a loaded model: bursts, cut when all refusals are there."""
    tokens = min(512, max(64, round(4 * (decode.value or 50))))
    size = min(max_burst, 64)
    tries = 0
    while True:
        asker.connect(size)
        burst = asker.generate([asker.prompt() for _ in range(size)], tokens, hang_up=True)
        asker.one(asker.prompt(), 1)  # when it is answered, the others are gone
        if any(seen.refused for seen in burst):
            if (limit := estimates.waiting_limit(burst, slots)) is not None:
                return Figure(limit, "requests", _refusals(burst, slots), size)
            tries += 1
            if tries == TRIES:
                return Figure(
                    None, "requests", "some were refused, but answers ended too soon to count how many waited"
                )
        elif size == max_burst:
            how = f"a loaded model refused none of {size}"
            return Figure(max(0, size - slots), "requests", how, size, at_least=True)
        else:
            size = min(max_burst, 4 * size)


def _warm(singles: list[Seen]) -> Figure:
    loads = [seen.usage.load_ns / 1e6 for seen in singles if seen.usage.load_ns is not None]
    if not loads:
        return Figure(None, "ms", "no load_duration was told")
    return Figure(round(median(loads), 3), "ms", "load_duration, model in memory", len(loads))


def _as_found(first: Seen, model: str, server: Server) -> Figure:
    """What the first request shows: a cold load, if the model was not in memory."""
    load_ns = first.usage.load_ns
    if load_ns is None or load_ns < LOADED_NS or {model, f"{model}:latest"} & set(server.loaded):
        return Figure(None, "ms", "the model was in memory; ask with --intrusive")
    return Figure(round(load_ns / 1e6, 3), "ms", "load_duration of the first request", 1)


def _cold(asker: Asker, max_burst: int) -> tuple[Figure, Figure]:
    """The load after an unload; and Ollama's queue before a load, by bursts of requests that only load."""
    if not _unload(asker):
        why = "the model could not be unloaded"
        return Figure(None, "ms", why), Figure(None, "requests", why)
    load_ns = asker.one(asker.prompt(), 1).usage.load_ns
    told = Figure(None, "ms", "no load_duration was told")
    if load_ns is not None:
        told = Figure(round(load_ns / 1e6, 3), "ms", "load_duration after an unload", 1)
    size, tries = min(max_burst, 32), 0
    only_load = call("POST", ollama_generate.PATH, {"model": asker.model, "stream": False})
    while True:
        asker.connect(size)
        _unload(asker)
        burst = asker.burst([only_load] * size)
        refused = sum(seen.refused for seen in burst)
        if refused and (limit := estimates.load_queue_limit(burst)) is not None:
            how = f"{refused} of {size} refused while the model was loaded; one more than the limit is accepted"
            return told, Figure(limit, "requests", how, size)
        if refused or any(seen.outcome != "ok" for seen in burst):
            tries += 1
            if tries == TRIES:
                return told, Figure(None, "requests", f"the load was over before {size} requests had been decided")
        elif size == max_burst:
            how = f"none of {size} refused while the model was loaded"
            return told, Figure(size - 1, "requests", how, size, at_least=True)
        else:
            size = min(max_burst, 4 * size)


def _unload(asker: Asker) -> bool:
    """Ask the server to unload the model, and wait until it has; False if it has not after 15 s."""
    asker.told("POST", ollama_generate.PATH, {"model": asker.model, "keep_alive": 0, "stream": False})
    names = {asker.model, f"{asker.model}:latest"}
    until_s = time.monotonic() + 15
    while time.monotonic() < until_s:
        if not names & {model.get("name") for model in asker.told("GET", "/api/ps").get("models") or ()}:
            return True
        gevent.sleep(0.05)
    return False
