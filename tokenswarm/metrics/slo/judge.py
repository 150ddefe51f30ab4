"""Judging SLOs over the rows of a run: while it goes on, and from requests.csv afterwards, by the same counters."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from tokenswarm.metrics.clock import Tracks, Window
from tokenswarm.metrics.histogram import bucket, decode, middle_ms
from tokenswarm.metrics.percentile import is_supported, least_n, rank
from tokenswarm.metrics.slo.language import CHECKS, Slo
from tokenswarm.metrics.slo.sequential import Draws, surely_above

State = Literal["met", "crossed", "undecided"]


@dataclass(frozen=True, slots=True)
class SloResult:
    """What became of one SLO: its figure (the metric's unit; a share 0 to 1; None: none, or infinite), of n values."""

    slo: str
    state: State
    figure: float | None
    n: int
    why: str = ""


@dataclass(slots=True)
class _Count:
    """What one SLO needs of the values: none is kept."""

    n: int = 0
    kept: int = 0  # on the right side of the limit
    failed: int = 0
    total: float = 0.0
    least: float = math.inf
    most: float = -math.inf
    beyond: Draws = field(default_factory=Draws)  # whether values are on the wrong side

    def add(self, slo: Slo, value: float, times: int = 1) -> None:
        self.n += times
        self.kept += times * slo.keeps(value)
        self.total += times * value
        self.least, self.most = min(self.least, value), max(self.most, value)

    def fail(self) -> None:
        """A request that failed: it is as bad as can be, whichever way the SLO looks."""
        self.n += 1
        self.failed += 1


class SloJudge:
    """Takes rows and says of each SLO how it stands.

    A failed request counts as the worst value there is. One that the end of the run cut counts with what it had seen
    by then, and where that is nothing, not at all. The warm-up does not count. `clocks` are those of the workers, where
    they differ from the master's.
    """

    def __init__(self, slos: Sequence[Slo]) -> None:
        self.slos = tuple(slos)
        self._counts = [_Count() for _ in slos]
        self._values: list[dict[int, int]] = [{} for _ in slos]
        self._window = Window()
        self.clocks: Tracks = {}
        self._good = self._requests = 0
        self._bounds = [slo for slo in slos if slo.aggregate in ("percentile", "max", "min") or slo.subject in CHECKS]

    def add(self, row: Mapping[str, Any]) -> None:
        """Take in one row."""
        if row["phase"] == "warm-up" or not row["outcome"]:
            return
        self._requests += 1
        self._window.add(row)
        for slo, count, values in zip(self.slos, self._counts, self._values, strict=True):
            n, bad = count.n, _beyond(slo, count)
            if slo.aggregate == "share":
                applies, hit = count_in_share(slo, row)
                count.n += applies
                count.kept += hit
            elif slo.aggregate != "rate":
                _take(slo, count, values, row)
            if count.n == n + 1:
                count.beyond.add(_beyond(slo, count) > bad, *_span_ns(row))
        self._good += row["outcome"] == "ok" and all(_meets(slo, row) for slo in self._bounds)

    @property
    def window_s(self) -> float:
        """First sent to last ended."""
        return self._window.length_s(self.clocks)

    def judge_all(self) -> list[SloResult]:
        """Each SLO as it stands now."""
        return [self._judge(*each) for each in zip(self.slos, self._counts, self._values, strict=True)]

    def surely_crossed(self) -> list[str]:
        """SLOs that more of the same can hardly turn, each with its reason; for an end before the run's time."""
        found = []
        for slo, count in zip(self.slos, self._counts, strict=True):
            if lost := _for_good(slo, count):
                found.append(f"{slo.text}: {lost} of {count.n} requests are beyond it")
            allowed = allowed_share(slo)
            # Gaps within one request are no independent draws: of them nothing is certain before the end.
            if allowed is not None and slo.subject != "itl_ms" and count.beyond.surely_above(allowed):
                found.append(f"{slo.text}: {_beyond(slo, count)} of {count.n} requests are beyond it")
        return found

    def _judge(self, slo: Slo, count: _Count, values: Mapping[int, int]) -> SloResult:
        if slo.aggregate == "rate":
            rate = self._good / self.window_s if self.window_s else 0.0
            if not self._requests:
                return SloResult(slo.text, "undecided", None, 0, "there was no request")
            state: State = "met" if slo.keeps(rate) else "crossed"
            return SloResult(slo.text, state, round(rate, 6), self._requests)
        if not count.n:
            what = "a check applied to no answer:" if slo.subject in CHECKS else "no request has"
            return SloResult(slo.text, "undecided", None, 0, f"{what} {slo.subject}")
        if slo.aggregate == "share":
            share = count.kept / count.n
            return SloResult(slo.text, "met" if slo.keeps(share) else "crossed", round(share, 6), count.n)
        if slo.aggregate == "percentile":
            return _percentile(slo, count, values)
        figure = {"mean": count.total / max(1, count.n - count.failed), "max": count.most, "min": count.least}
        found = None if count.failed else round(figure[slo.aggregate], 6)
        spoilt = count.failed and (slo.aggregate == "mean" or (slo.aggregate == "max") == slo.below)
        met = not spoilt and count.n > count.failed and slo.keeps(figure[slo.aggregate])
        why = f"{count.failed} request{'s' * (count.failed > 1)} failed" if spoilt else ""
        return SloResult(slo.text, "met" if met else "crossed", found, count.n, why)


def _beyond(slo: Slo, count: _Count) -> int:
    return count.kept if slo.aggregate == "share" and slo.below else count.n - count.kept


def _span_ns(row: Mapping[str, Any]) -> tuple[int, int]:
    """When a request was sent (or was to be) and had ended; what is not known is as what is."""
    known = [row[name] or 0 for name in ("sent_unix_ns", "scheduled_unix_ns", "ended_unix_ns")]
    began_ns = known[0] or known[1] or known[2]
    return began_ns, known[2] or began_ns


def _for_good(slo: Slo, count: _Count) -> int:
    """How many values there are of which one is enough, whatever comes later: for a greatest or least value, a mean."""
    if slo.aggregate == "mean":
        return count.failed
    extreme = "max" if slo.below else "min"
    return count.n - count.kept if slo.aggregate == extreme else 0


def as_json(judged: Iterable[SloResult]) -> list[dict[str, Any]]:
    """For run.json and summary.json."""
    return [asdict(each) for each in judged]


def _take(slo: Slo, count: _Count, values: dict[int, int], row: Mapping[str, Any]) -> None:
    outcome = row["outcome"]
    if outcome not in ("ok", "cancelled"):
        count.fail()
        return
    if slo.subject == "itl_ms":
        for number, times in decode(row["itl_ms_hist"] or "").items():
            count.add(slo, middle_ms(number), times)
            values[number] = values.get(number, 0) + times
        return
    value = row[slo.subject]
    if value is None:
        return
    if outcome == "cancelled" and (slo.keeps(value) or not slo.below):
        # What it had seen by then may still have become worse: only what is beyond the limit already is known.
        return
    count.add(slo, value)
    number = bucket(round(value * 1e6))
    values[number] = values.get(number, 0) + 1


def count_in_share(slo: Slo, row: Mapping[str, Any]) -> tuple[bool, bool]:
    """Whether a share is of this row too, and whether the row is one of those meant."""
    if slo.subject in CHECKS:
        failed = row[slo.subject]
        return failed is not None, failed == 1
    return row["outcome"] != "cancelled", row["outcome"] == slo.subject


def _meets(slo: Slo, row: Mapping[str, Any]) -> bool:
    """Does this request itself keep within the limit? One that lacks the metric does not."""
    if slo.subject in CHECKS:
        return count_in_share(slo, row)[1] != slo.below
    if slo.subject == "itl_ms":
        gaps = decode(row["itl_ms_hist"] or "")
        return bool(gaps) and all(slo.keeps(middle_ms(number)) for number in gaps)
    value = row[slo.subject]
    return value is not None and slo.keeps(value)


def allowed_share(slo: Slo) -> float | None:
    """The share of requests that may be on the wrong side of the limit."""
    if slo.aggregate == "share":
        return slo.limit if slo.below else 1 - slo.limit
    if slo.percent is None:
        return None
    return 1 - slo.percent / 100 if slo.below else slo.percent / 100


def _percentile(slo: Slo, count: _Count, values: Mapping[int, int]) -> SloResult:
    """By nearest rank: p95 < L when at least ceil(0.95 n) values are; p10 > L when fewer than ceil(0.1 n) are not."""
    assert slo.percent is not None
    at = rank(count.n, slo.percent)
    holds = count.kept >= at if slo.below else count.n - count.kept < at
    figure = _nearest(values, at if slo.below else at - count.failed)
    if figure is not None and slo.keeps(figure) != holds:
        figure = slo.limit  # a bucket is 1 % wide, and the limit lies within it
    if not is_supported(count.n, slo.percent):
        figure = None
    least = least_n(slo.percent)
    if count.n < least:
        # Too few for a yes; but where as many are beyond the limit as would be too many of the number needed, it is no.
        bad, allowed = count.n - count.kept, 1 - slo.percent / 100 if slo.below else slo.percent / 100
        if not surely_above(bad, count.n, allowed):
            return SloResult(
                slo.text, "undecided", figure, count.n, f"p{slo.percent:g} needs {least} independent requests"
            )
    return SloResult(slo.text, "met" if holds else "crossed", figure, count.n)


def _nearest(values: Mapping[int, int], at: int) -> float | None:
    """The value of a rank, within 1 %; None where failures stand there."""
    seen = 0
    if at < 1:
        return None
    for number, times in sorted(values.items()):
        seen += times
        if seen >= at:
            return round(middle_ms(number), 6)
    return None
