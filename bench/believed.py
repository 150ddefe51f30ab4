"""What a client believed of its requests, set against what the server did."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from bench.truth import Truth
from bench.truth_log import Answered


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


def of_stamps(request_id: str, sent_ns: int, arrivals_ns: Sequence[int], ended_ns: int) -> Believed:
    """A request as our Locust users note it down (see `bench.clients`)."""
    gaps_ms = tuple((b - a) / 1e6 for a, b in pairwise(arrivals_ns))
    first_ns = arrivals_ns[0] if arrivals_ns else ended_ns
    return Believed(request_id, (first_ns - sent_ns) / 1e6, gaps_ms, (ended_ns - sent_ns) / 1e6, True)


@dataclass
class Errors:
    """|believed − truth| in ms, unsorted, of requests of `tokens` in all; no gaps of a client that keeps none.

    `coalesced`: gaps that the client saw as 0; `mismatched`: why a request could not be compared, a line each.
    """

    ttft_ms: list[float] = field(default_factory=list)
    gap_ms: list[float] = field(default_factory=list)
    e2e_ms: list[float] = field(default_factory=list)
    tokens: int = 0
    coalesced: int = 0
    mismatched: list[str] = field(default_factory=list)

    def add(self, one: Believed, answer: Answered | None) -> None:
        """Compare one request."""
        if answer is None or not answer.complete or answer.last_before_ns is None:
            self.mismatched.append(f"request {one.key}: the server {'cut it' if answer else 'knows no such'}")
            return
        since_ms = [(ns - answer.arrived_ns) / 1e6 for ns in answer.before_ns]
        if one.gaps_ms is not None and len(one.gaps_ms) != len(since_ms) - 1:
            self.mismatched.append(f"request {one.key}: {len(one.gaps_ms)} gaps were seen of {len(since_ms) - 1}")
            return
        end_ms = (answer.last_before_ns - answer.arrived_ns) / 1e6 if one.to_last_byte else since_ms[-1]
        self.tokens += len(since_ms)
        self.ttft_ms.append(abs(one.ttft_ms - since_ms[0]))
        self.e2e_ms.append(abs(one.end_ms - end_ms))
        if one.gaps_ms is not None:
            steps = pairwise(since_ms)
            self.gap_ms += [abs(gap - (b - a)) for gap, (a, b) in zip(one.gaps_ms, steps, strict=True)]
            self.coalesced += one.gaps_ms.count(0)


def errors(believed: Iterable[Believed], truth: Truth) -> Errors:
    """Compare all that a client believed."""
    by_key: dict[str | int, Answered] = {answer.number: answer for answer in truth.answers}
    by_key.update(truth.by_request_id())
    found = Errors()
    for one in believed:
        found.add(one, by_key.get(one.key))
    return found
