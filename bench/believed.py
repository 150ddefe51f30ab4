"""What a client believed of its requests, set against what the server did."""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise

from bench.percentiles import Spread, spread
from bench.truth import Answered, Truth


@dataclass(frozen=True, slots=True)
class Believed:
    """One request as a client saw it: ms since it was sent. `key` is its request id, or the number of its answer.

    `gaps_ms` is None where the client keeps none. `to_last_byte`: does `end_ms` mean the last byte of the answer, or
    the last chunk with output?
    """

    key: str | int
    ttft_ms: float
    gaps_ms: tuple[float, ...] | None
    end_ms: float
    to_last_byte: bool


@dataclass(frozen=True, slots=True)
class Moments:
    """One request by a tool's own time stamps, or the server's: ms since it was sent, at `sent_ms` on that clock."""

    sent_ms: float
    first_ms: float
    last_ms: float
    end_ms: float
    chunks: int
    gaps_ms: tuple[float, ...]
    prompt_tokens: float
    output_tokens: float
    ok: bool = True


@dataclass(frozen=True, slots=True)
class Errors:
    """|believed − truth| in ms, of `n` requests of `tokens` in all; `gap_ms` is None of a client that keeps no gaps."""

    n: int
    tokens: int
    ttft_ms: Spread
    gap_ms: Spread | None
    e2e_ms: Spread


def true_moments(truth: Truth) -> list[Moments]:
    """Each request by the server's stamps, also those that were cut after their first token."""
    found = []
    for answer in truth.answers:
        if answer.before_ns:
            since = [(ns - answer.arrived_ns) / 1e6 for ns in answer.before_ns]
            ended_ns = answer.last_before_ns or answer.before_ns[-1]
            found.append(
                Moments(
                    sent_ms=answer.arrived_ns / 1e6,
                    first_ms=since[0],
                    last_ms=since[-1],
                    end_ms=(ended_ns - answer.arrived_ns) / 1e6,
                    chunks=len(since),
                    gaps_ms=tuple(b - a for a, b in pairwise(since)) if answer.complete else (),
                    prompt_tokens=math.nan,
                    output_tokens=len(since),
                    ok=answer.complete,
                )
            )
    return found


def errors(believed: Iterable[Believed], truth: Truth) -> Errors:
    """Compare. Raises ValueError where a request is not in the truth, or its chunks are not as many."""
    by_key: dict[str | int, Answered] = {answer.number: answer for answer in truth.answers}
    by_key.update(truth.by_request_id())
    ttft, gaps, e2e, tokens, kept_gaps = [], [], [], 0, True
    for one in believed:
        if (answer := by_key.get(one.key)) is None:
            raise ValueError(f"the server knows no request {one.key}")
        left, arrived = answer.before_ns, answer.arrived_ns
        tokens += len(left)
        ttft.append(abs(one.ttft_ms - (left[0] - arrived) / 1e6))
        ended = answer.last_before_ns if one.to_last_byte else left[-1]
        if ended is None:
            raise ValueError(f"request {one.key} was cut")
        e2e.append(abs(one.end_ms - (ended - arrived) / 1e6))
        if one.gaps_ms is None:
            kept_gaps = False
            continue
        if len(one.gaps_ms) != len(left) - 1:
            raise ValueError(f"request {one.key}: {len(one.gaps_ms)} gaps were seen of {len(left) - 1}")
        gaps += [abs(gap - (b - a) / 1e6) for gap, a, b in zip(one.gaps_ms, left, left[1:], strict=False)]
    return Errors(len(ttft), tokens, spread(ttft), spread(gaps) if kept_gaps else None, spread(e2e))
