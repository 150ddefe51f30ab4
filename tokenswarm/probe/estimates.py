"""What a server's answers say about it: slots, limits, rates. Pure: no clock, no socket.

Slots are read from the order of things, not from thresholds. An answer holds its slot from its first chunk to its last;
so as many answers as are ever between the two at once, so many slots there are at least. And there are not more, if
others waited meanwhile, and nothing began for longer than all that had begun took to begin.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import median

from tokenswarm.wire.values import Usage

BUSY = (429, 503)
# Nothing may have begun for so many times as long as it took until all those had begun that ran at once.
SILENCE = 1.5
NOTHING = Usage()


@dataclass(frozen=True, slots=True)
class ProbeAnswer:
    """One answer: moments in wall-clock ns; `first_ns` and `last_ns` are of chunks with output, absent without any."""

    sent_ns: int
    ended_ns: int
    first_ns: int | None = None
    last_ns: int | None = None
    status: int | None = 200
    outcome: str = "ok"
    error: str = ""
    finish_reason: str | None = None
    chunks: int = 0
    usage: Usage = NOTHING

    @property
    def refused(self) -> bool:
        """Did the server say that it is too busy?"""
        return self.status in BUSY

    @property
    def ttft_ns(self) -> int | None:
        """From sent to the first chunk with output."""
        return None if self.first_ns is None else self.first_ns - self.sent_ns

    @property
    def prefill_ns(self) -> int | None:
        """The server's own prompt evaluation where it tells, else TTFT, which holds it."""
        return self.ttft_ns if self.usage.prompt_eval_ns is None else self.usage.prompt_eval_ns


@dataclass(frozen=True, slots=True)
class Level:
    """How many answers of one burst ran at once; `waited` of the others began after an end; `refused` were sent away.

    `silence` is how long nothing began while that many ran and others waited, relative to the time until that many had
    begun: what tells a lack of slots from a slow start.
    """

    running: int
    waited: int
    refused: int
    silence: float

    @property
    def full(self) -> bool:
        """Were there as many as there can be? (Only refused ones beside them: then there was room for no other.)"""
        return bool(self.running) and (self.silence >= SILENCE if self.waited else self.refused > 0)


def level(burst: Sequence[ProbeAnswer]) -> Level:
    """Count what ran at once among requests that were sent together, each with two tokens of output or more."""
    begun = [seen for seen in burst if seen.first_ns is not None]
    spans = [(s.first_ns, s.last_ns) for s in begun if s.first_ns is not None and s.last_ns is not None]
    # An end before a beginning of the same nanosecond: only what is certain counts.
    events = sorted(
        [(first, 1) for first, last in spans if last > first] + [(last, -1) for first, last in spans if last > first]
    )
    running = most = 0
    for _, step in events:
        running += step
        most = max(most, running)
    refused = sum(seen.refused for seen in burst)
    waited = len(begun) - most
    return Level(most, waited, refused, _silence(burst, events, most) if waited else 0.0)


def _silence(burst: Sequence[ProbeAnswer], events: Sequence[tuple[int, int]], most: int) -> float:
    """The longest time at the highest level, while somebody waited, relative to the time until it was first reached."""
    sent_ns = min(seen.sent_ns for seen in burst)
    begins = sum(1 for _, step in events if step > 0)
    running = begun = longest_ns = 0
    reached_ns: int | None = None
    for (ns, step), (next_ns, _) in pairwise(events):
        running, begun = running + step, begun + (step > 0)
        if running == most and begun < begins:
            reached_ns = ns if reached_ns is None else reached_ns
            longest_ns = max(longest_ns, next_ns - ns)
    return longest_ns / max(1, reached_ns - sent_ns) if reached_ns is not None else 0.0


def waiting_limit(burst: Sequence[ProbeAnswer], slots: int) -> int | None:
    """How many may wait for a slot: those not refused beyond the slots. None if none was refused, or one had ended
    before the last was: its place may have been given away again.
    """
    refusals = [seen.ended_ns for seen in burst if seen.refused]
    if not refusals or any(seen.outcome == "ok" and seen.ended_ns < max(refusals) for seen in burst):
        return None
    return max(0, len(burst) - len(refusals) - slots)


def before_the_load(burst: Sequence[ProbeAnswer]) -> bool:
    """Had all requests been sent, and all refusals come, before the first of the others was answered?"""
    loaded_ns = min((seen.ended_ns for seen in burst if seen.outcome == "ok"), default=0)
    return loaded_ns > max(seen.ended_ns if seen.refused else seen.sent_ns for seen in burst)


def load_queue_limit(burst: Sequence[ProbeAnswer]) -> int | None:
    """Ollama's queue before a load, from requests sent to a model that is not loaded: one more is accepted than the
    limit says, the one whose load it is. None if none was refused, or the load was over before all had been decided.
    """
    refused = sum(seen.refused for seen in burst)
    return len(burst) - refused - 1 if refused and before_the_load(burst) else None


def decode_per_s(seen: ProbeAnswer) -> float | None:
    """Decode rate, tokens/s: n - 1 intervals between n tokens, by the server's clock if it tells, else by the chunks.

    A token that ends the text has no chunk, so an answer that stopped by itself has one interval less to show.
    """
    tokens, eval_ns = seen.usage.output_tokens, seen.usage.eval_ns
    if tokens is None or seen.first_ns is None or seen.last_ns is None:
        return None
    intervals = tokens - 1
    if eval_ns is None:
        intervals, eval_ns = intervals - (seen.finish_reason == "stop"), seen.last_ns - seen.first_ns
    return intervals * 1e9 / eval_ns if intervals > 0 and eval_ns > 0 else None


def prefill_per_s(short: Sequence[ProbeAnswer], long: ProbeAnswer) -> float | None:
    """Prefill rate, tokens/s: the slope from short prompts to a long one, so that what each request costs beside its
    own tokens (a template that is cached, the network) falls out.
    """
    times = [ns for seen in short if (ns := seen.prefill_ns) is not None]
    counts = [count for seen in short if (count := seen.usage.prompt_tokens) is not None]
    if not times or not counts or long.prefill_ns is None or long.usage.prompt_tokens is None:
        return None
    more_tokens, more_ns = long.usage.prompt_tokens - median(counts), long.prefill_ns - median(times)
    return more_tokens * 1e9 / more_ns if more_tokens > 0 and more_ns > 0 else None


def is_cached(short_ns: float, first_ns: int, again_ns: int) -> bool:
    """Did a long prompt, asked again, take rather the time of a short one? All three are prefill times."""
    return again_ns < (short_ns + first_ns) / 2


def spread_percent(values: Sequence[float]) -> float | None:
    """Half of the way from the least to the greatest, in % of the median; None of less than two."""
    return round(50 * (max(values) - min(values)) / median(values), 2) if len(values) > 1 else None
