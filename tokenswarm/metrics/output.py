"""Where the output tokens of a request lie in time, and how many there are: what every tokens/s is made of. Pure.

They lie between its first output and its end: evenly, but where the row keeps moments of it (see `metrics.moments`)
evenly between these. The functions of numbers take numpy arrays of them alike, so that one row and a column of a
million have the same definition.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from tokenswarm.metrics.buffering import HELD_BACK
from tokenswarm.metrics.histogram import decode, middle_ms
from tokenswarm.metrics.moments import MOMENTS

Number = Any  # a number, or a numpy array of numbers
ABSENT = -1.0
MS = 1_000_000
_SHORTEST = 1e-9


def output_span(e2e: Number, waited: Number, chunked: Number, decoded: Number) -> tuple[Number, Number]:
    """Between which moments a request's output lies, since it was sent. Durations of one unit, ABSENT where unknown.

    From its first output, for which the client `waited`, to its end. Where nothing was streamed, or all of it came at
    once, it lies in the time before the end that the server says it `decoded` for; else in all the time since the
    request was sent. `chunked`, from the first chunk to the last, is that of a request that failed: what it stalled for
    after that made nothing.
    """
    cut = (waited >= 0) & (chunked >= 0) & (waited + chunked < e2e)
    end = _either(cut, waited + chunked, e2e)
    streamed = _either(waited >= 0, end - waited, ABSENT)
    lasted = _either(streamed * HELD_BACK < decoded, decoded, streamed)
    return end - _either((lasted >= 0) & (lasted <= end), lasted, end), end


def even_parts(
    begin: Number, end: Number, moments: Iterable[tuple[Number, Number]]
) -> Iterator[tuple[Number, Number, Number]]:
    """(begin, end, share) of the parts of a request's output, in order, over each of which its share lies evenly.

    A moment is (when, in the unit of begin and end, and since begin; the share that had come then), ABSENT where there
    is none. The shares add up to 1; where a moment is absent, or cannot be, a part is empty.
    """
    here, before = begin, 0.0
    for since, share in moments:
        known = (since >= 0) & (share > before) & (share <= 1) & (begin + since >= here)
        at, share = _either(known, begin + since, here), _either(known, share, before)
        at = _either(at < end, at, end)
        yield here, at, share - before
        here, before = at, share
    yield here, end, 1 - before


def share_before(begin: Number, end: Number, at: Number) -> Number:
    """The share of begin to end that lies before a moment."""
    span = _either(end - begin > _SHORTEST, end - begin, _SHORTEST)
    share = (at - begin) / span
    return _either(share > 0, _either(share < 1, share, 1.0), 0.0)


def within(begin: Number, end: Number, since: Number, until: Number) -> Number:
    """The share of begin to end that lies in a window."""
    return share_before(begin, end, until) - share_before(begin, end, since)


def _either(which: Number, one: Number, other: Number) -> Number:
    return which * one + (1 - which) * other


class TokensPerChunk:
    """A run's tokens a chunk, by endpoint and model, by which the tokens of a request without a count are estimated."""

    def __init__(self) -> None:
        self._sums: dict[tuple[str, str], tuple[int, int]] = {}

    def add(self, endpoint: str, model: str, tokens: int, chunks: int) -> None:
        """Take in requests that have a count, and chunks."""
        had_tokens, had_chunks = self._sums.get((endpoint, model), (0, 0))
        self._sums[endpoint, model] = had_tokens + tokens, had_chunks + chunks

    def of(self, endpoint: str, model: str) -> float | None:
        """Of this endpoint and model, else of the model, else of all; None where the server counted nothing."""
        own = self._sums.get((endpoint, model), (0, 0))
        alike = (sums for (_, name), sums in self._sums.items() if name == model)
        for tokens, chunks in (own, _total(alike), _total(self._sums.values())):
            if chunks:
                return tokens / chunks
        return None


def _total(sums: Iterable[tuple[int, int]]) -> tuple[int, int]:
    found = list(sums)
    return sum(tokens for tokens, _ in found), sum(chunks for _, chunks in found)


class EvenPart(NamedTuple):
    """A part of a request's output that lies evenly: wall-clock ns from when to when, its share of all."""

    begin_ns: int
    end_ns: int
    share: float


class Output(NamedTuple):
    """A request's output: its parts in order, how many tokens, whether by an estimate."""

    parts: tuple[EvenPart, ...]
    tokens: float
    estimated: bool

    @property
    def begin_ns(self) -> int:
        """When its first output came."""
        return self.parts[0].begin_ns

    @property
    def end_ns(self) -> int:
        """When it ended."""
        return self.parts[-1].end_ns

    def within(self, since_ns: int, until_ns: int) -> float:
        """The tokens that lie in a window."""
        width = until_ns - since_ns
        shares = (p.share * within(p.begin_ns - since_ns, p.end_ns - since_ns, 0, width) for p in self.parts)
        return float(self.tokens * sum(shares))


def count(row: Mapping[str, Any], ratios: TokensPerChunk) -> None:
    """Take a row of requests.csv into a run's tokens a chunk."""
    if row["outcome"] == "ok" and row["output_tokens"] is not None and row["output_chunks"]:
        ratios.add(row["endpoint"], row["model"], row["output_tokens"], row["output_chunks"])


def output(row: Mapping[str, Any], ratios: TokensPerChunk) -> Output | None:
    """The output of a row of requests.csv; None where there is none, or nobody knows how many tokens it has.

    Of a request that was cut, or failed in the middle, they are estimated by its chunks.
    """
    if not (parts := spread(row)):
        return None
    if row["output_tokens"] is not None:
        return Output(parts, row["output_tokens"], False)
    ratio = ratios.of(row["endpoint"], row["model"])
    if row["outcome"] == "ok" or row["output_chunks"] is None or ratio is None:
        return None
    return Output(parts, ratio * row["output_chunks"], True)


def spread(row: Mapping[str, Any]) -> tuple[EvenPart, ...] | None:
    """Where in time the output of a row of requests.csv lies; None where nothing was sent."""
    sent_ns, ended_ns = row["sent_unix_ns"], row["ended_unix_ns"]
    if sent_ns is None or ended_ns is None:
        return None
    waited_ns, decoded_ns = (ABSENT if row[name] is None else row[name] * 1e6 for name in ("ttft_ms", "eval_ms"))
    chunked_ns = ABSENT if row["outcome"] == "ok" or waited_ns < 0 else gaps_ms(row["itl_ms_hist"]) * 1e6
    begin, end = map(round, output_span(max(0, ended_ns - sent_ns), waited_ns, chunked_ns, decoded_ns))
    if row[MOMENTS[0][0]] is None:
        return (EvenPart(sent_ns + begin, sent_ns + end, 1.0),)
    known = [(row[ms], row[percent]) for ms, percent in MOMENTS if row[ms] is not None and row[percent] is not None]
    moments = [(ms * MS, percent / 100) for ms, percent in known]
    parts = even_parts(sent_ns + begin, sent_ns + end, moments)
    return tuple(EvenPart(*part) for part in parts if part[2] > 0)


def gaps_ms(histogram: str | None) -> float:
    """The time from a request's first chunk to its last, exact to 1 %: the sum of its gaps."""
    return sum(middle_ms(bucket) * times for bucket, times in decode(histogram or "").items())
