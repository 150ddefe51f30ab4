"""Durations of a server that cannot be: what emulates Ollama often makes them up."""

from tokenswarm.wire.values import Transcript, Usage

# A network that stalls lengthens the client's own gap, and an Ollama before 0.30 leaves its sampling time out.
STALL_NS, STALL_SHARE = 50_000_000, 0.2
# What two machines' clocks, and the moment of sending, may be off together.
CLOCK_NS, CLOCK_SHARE = 10_000_000, 0.05
LEAST_NS = 10_000  # a token, a prompt or a request in less is nobody's
# A chunk may hold a part of a character only, or a tag's rest: so many more chunks than tokens are no contradiction.
SPARE_CHUNKS = 2


def without_doubtful(usage: Usage, seen: Transcript, span_ns: int | None) -> tuple[Usage, str | None]:
    """The usage without durations that cannot be, and what these were: "" if all can be, None if there were none.

    `span_ns` is the client's own time from the first to the last chunk of what the server counted; None of an answer
    that was not streamed. Where the time of the work itself cannot be, the others are not believed either; where only
    the total cannot be, the others are.
    """
    if not usage.has_durations:
        return usage, None
    if why := _work(usage, seen, span_ns):
        return usage.without_durations(), why
    if why := _total(usage, seen):
        return usage._replace(total_ns=None), why
    return usage, ""


def _work(usage: Usage, seen: Transcript, span_ns: int | None) -> str:
    eval_ns, parts_ns, e2e_ns = usage.eval_ns, _parts_ns(usage), _e2e_ns(seen)
    intervals = max(0, (usage.output_tokens or 0) - 1)
    evaluated = (usage.prompt_tokens or 0) - (usage.cached_tokens or 0)
    if e2e_ns is not None and parts_ns > _at_most(e2e_ns, seen):
        named = "load, prompt eval and eval" if usage.queue_ns is None else "queue, load, prompt eval and eval"
        return f"{named} {_ms(parts_ns)}, e2e {_ms(e2e_ns)}"
    if eval_ns is not None and span_ns is not None and intervals:
        seen_ns = span_ns - abs(seen.clock_step_ns)
        if seen_ns > eval_ns * (1 + STALL_SHARE) + STALL_NS:
            return f"eval {_ms(eval_ns)}, first to last chunk {_ms(span_ns)}"
    if eval_ns is not None and eval_ns < LEAST_NS * intervals:
        return f"eval {_ms(eval_ns)}, {usage.output_tokens:,} tokens"
    if usage.prompt_eval_ns is not None and evaluated > 0 and usage.prompt_eval_ns < LEAST_NS:
        return f"prompt eval {_ms(usage.prompt_eval_ns)}, {evaluated:,} tokens"
    return ""


def _total(usage: Usage, seen: Transcript) -> str:
    total_ns, parts_ns, e2e_ns = usage.total_ns, _parts_ns(usage), _e2e_ns(seen)
    if total_ns is None:
        return ""
    if total_ns < LEAST_NS:
        return f"total {_ms(total_ns)}"
    if e2e_ns is not None and total_ns > _at_most(e2e_ns, seen):
        return f"total {_ms(total_ns)}, e2e {_ms(e2e_ns)}"
    if parts_ns > _at_most(total_ns, seen):
        return f"load, prompt eval and eval {_ms(parts_ns)}, total {_ms(total_ns)}"
    return ""


def _at_most(ns: int, seen: Transcript) -> float:
    return ns * (1 + CLOCK_SHARE) + CLOCK_NS + abs(seen.clock_step_ns)


def _parts_ns(usage: Usage) -> int:
    return (usage.queue_ns or 0) + (usage.load_ns or 0) + (usage.prompt_eval_ns or 0) + (usage.eval_ns or 0)


def _e2e_ns(seen: Transcript) -> int | None:
    return None if seen.ended_ns is None or seen.sent_ns is None else seen.ended_ns - seen.sent_ns


def _ms(ns: int) -> str:
    return f"{ns / 1e6:,.6g} ms"
