"""Prefill rate of one prompt alone, and whether prompts are cached."""

from statistics import median

from tokenswarm.probe import estimates
from tokenswarm.probe.client import ProbeClient
from tokenswarm.probe.estimates import ProbeAnswer
from tokenswarm.probe.result import ProbeResult

PREFILL_NS = 200_000_000  # what a rate is read from: long beside the jitter of a millisecond or two
MOST_PROMPT_TOKENS = 2048
TRIES = 3


def prefill(asker: ProbeClient, short: list[ProbeAnswer], context: ProbeResult) -> tuple[ProbeResult, ProbeResult]:
    """Prefill rate, from prompts long enough to be timed; and whether the last, asked again, comes from a cache."""
    base = [ns for seen in short if (ns := seen.prefill_ns) is not None]
    if not base:
        none = "no short answer could be timed"
        return ProbeResult(None, "tokens/s", none), ProbeResult(None, "", none)
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
    figure = rate([estimates.prefill_per_s(short, long) for long in longs], how)
    if not longs:
        return figure, ProbeResult(None, "", how)
    return figure, _cache(min(base), longs, [asker.one(prompt, 2) for _ in range(2)])


def _cache(base_ns: int, longs: list[ProbeAnswer], again: list[ProbeAnswer]) -> ProbeResult:
    """By what the server says was cached, else by the least times: what disturbs makes them longer, never shorter."""
    tokens = longs[-1].usage.prompt_tokens
    cached = [seen.usage.cached_tokens for seen in again if seen.usage.cached_tokens is not None]
    if cached and tokens:
        how = f"{tokens} tokens asked again: {max(cached)} of them cached, says the server"
        return ProbeResult(max(cached) > tokens / 2, "", how, len(again))
    first_ns = min(seen.prefill_ns for seen in longs if seen.prefill_ns is not None)
    again_ns = min((seen.prefill_ns for seen in again if seen.prefill_ns is not None), default=None)
    if again_ns is None:
        return ProbeResult(None, "", "the long prompt was not answered again")
    times = f"{tokens} tokens asked again: {first_ns / 1e6:.1f} ms at first, then {again_ns / 1e6:.1f} ms"
    if first_ns < 2 * base_ns:
        return ProbeResult(None, "", f"{times}, too near the {base_ns / 1e6:.1f} ms of a short prompt")
    return ProbeResult(estimates.is_cached(base_ns, first_ns, again_ns), "", times, len(again))


def rate(values: list[float | None], how: str) -> ProbeResult:
    """The median of those that are known, tokens/s."""
    known = [value for value in values if value is not None]
    if not known:
        return ProbeResult(None, "tokens/s", f"{how}: no answer could be counted and timed")
    return ProbeResult(round(median(known), 3), "tokens/s", how, len(known), estimates.spread_percent(known))
