"""Parallel slots, and how many requests may wait for one: by bursts."""

import math
from statistics import median

from tokenswarm.probe import estimates
from tokenswarm.probe.client import LOST, ProbeClient
from tokenswarm.probe.estimates import Level, ProbeAnswer
from tokenswarm.probe.result import ProbeResult
from tokenswarm.transport.control import count_in

TRIES = 3
SECOND_NS = 1e9


def read_slots(asker: ProbeClient) -> ProbeResult | None:
    """The slots by llama.cpp's own word, which costs nothing; None of any other server.

    Asked while nothing of ours is under way, so that those at work are at work for others.
    """
    number = count_in(asker.ask_plain("GET", "/props"), "total_slots")
    if not number:
        return None
    how = "total_slots, says llama.cpp's /props"
    if others := asker.busy_slots():
        how += (
            f"; {others} of them at work for others before the probe began, says /slots: its rates are under that load"
        )
    return ProbeResult(number, "requests", how, 1)


def slots(asker: ProbeClient, singles: list[ProbeAnswer], max_parallel: int) -> tuple[ProbeResult, ProbeResult | None]:
    """Bursts of growing size, until not all run at once; the limit on those that wait, if some were refused."""
    ttft_ns = median([seen.ttft_ns or 0 for seen in singles])
    steps = [rate for seen in singles if (rate := estimates.decode_per_s(seen)) is not None]
    tokens = min(512, 8 + math.ceil(2.5 * ttft_ns / SECOND_NS * median(steps))) if steps else 32
    size, best, sure, tries = min(2, max_parallel), 0, False, 0
    while not sure and tries < TRIES:
        burst = asker.generate([asker.prompt() for _ in range(size)], tokens)
        if any(seen.outcome == LOST for seen in burst) and tries + 1 < TRIES:
            tries += 1
            continue
        if failed := [seen for seen in burst if seen.first_ns is None and not seen.refused and seen.outcome != "ok"]:
            return ProbeResult(None, "requests", f"of {size} sent together one failed: {failed[0].error}"), None
        found = estimates.level(burst)
        best = max(best, found.running)
        if not found.waited and not found.refused:  # one that ended without a word is no sign of anything
            if size == max_parallel:
                return ProbeResult(best, "requests", f"all {size} sent together ran at once", size, at_least=True), None
            size, tries = min(max_parallel, 2 * size), 0
        elif not (sure := found.full and found.running == best):
            tokens, tries = min(512, 3 * tokens), tries + 1
    limit = estimates.waiting_limit(burst, best)
    waiting = None if limit is None else ProbeResult(limit, "requests", _refusals(burst, best), size)
    return ProbeResult(best, "requests", _why(found, size, best, sure), size), waiting


def _why(found: Level, size: int, best: int, sure: bool) -> str:
    said = f"of {size} sent together {best} ran at once"
    if not sure:
        return f"{said}; not sure: answers are too short for how long they take to begin"
    if not found.waited:
        return f"{said}, the other {found.refused} were refused"
    return f"{said}; the next began after an end, and nothing for {found.silence:.1f} × the time until they had begun"


def _refusals(burst: list[ProbeAnswer], slots: int) -> str:
    refused = [seen for seen in burst if seen.refused]
    return f"{len(refused)} of {len(burst)} refused with HTTP {refused[0].status} while {slots} ran"


def measure_queue(asker: ProbeClient, slots: int, decode: ProbeResult, max_burst: int) -> ProbeResult:
    """The limit on requests that wait for a slot of a loaded model: bursts, cut when all refusals are there."""
    tokens = min(512, max(64, round(4 * (decode.value or 50))))
    size, tries, least = min(max_burst, 64), 0, 0
    while True:
        asker.connect(size)
        burst = asker.generate([asker.prompt() for _ in range(size)], tokens, hang_up=True)
        asker.one(asker.prompt(), 1)  # when it is answered, the others are gone
        if any(seen.refused for seen in burst):
            if (limit := estimates.waiting_limit(burst, slots)) is not None:
                return ProbeResult(limit, "requests", _refusals(burst, slots), size)
            tries += 1
            if tries == TRIES:
                how = "some were refused, but answers ended too soon to count how many waited"
                return ProbeResult(least or None, "requests", how, size, at_least=least > 0)
            continue
        least = max(0, size - slots - sum(seen.outcome == "ok" for seen in burst))
        if size == max_burst:
            return ProbeResult(least, "requests", f"a loaded model refused none of {size}", size, at_least=True)
        size = min(max_burst, 4 * size)
