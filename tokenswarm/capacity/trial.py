"""Judging one trial of a capacity search: are its SLOs met at this load, and is that certain yet?"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

from tokenswarm.metrics.histogram import decode, middle_ms
from tokenswarm.metrics.slo.judge import allowed_share, count_in_share
from tokenswarm.metrics.slo.language import Slo
from tokenswarm.metrics.slo.sequential import surely_above, surely_below

State = Literal["met", "crossed"]
BATCHES = 10
LEAST_BATCH = 4
SURE, ALMOST = 0.01, 0.05  # error probabilities of a verdict that decides, and of one that only shows the way
RISES_BY, RISES_SIGMA = 1.2, 4.0


@dataclass(frozen=True, slots=True)
class Standing:
    """How one SLO stands: `share` is that of the requests beyond its limit, of which `allowed` may be,
    and of which so many as `inflation` says count as one;
    `figure` is a mean; of n requests.
    """

    slo: str
    state: State
    sure: bool
    n: int
    share: float | None = None
    allowed: float = 0.0
    inflation: float = 1.0
    figure: float | None = None
    why: str = ""

    def as_json(self) -> dict[str, Any]:
        """For run.json."""
        return asdict(self)


class Trial:
    """Takes a trial's rows as they come, those of the settling left out."""

    def __init__(self, slos: Sequence[Slo]) -> None:
        self._slos = tuple(slos)
        self._wrong: list[list[float]] = [[] for _ in slos]  # a request's share beyond the limit, or its value
        self._times_ms: list[float] = []
        self.n = 0

    def add(self, row: Mapping[str, Any]) -> None:
        """One request that has ended; what no client was free for says nothing of the server."""
        if row["outcome"] in ("dropped", "cancelled", None) or row["phase"] != "steady":
            return
        self.n += 1
        if (ms := row["response_ms"] or row["e2e_ms"]) and row["outcome"] == "ok":
            self._times_ms.append(ms)
        for slo, seen in zip(self._slos, self._wrong, strict=True):
            value = _mean_of(slo, row) if slo.aggregate == "mean" else wrong(slo, row)
            if value is not None:
                seen.append(value)

    @property
    def mean_ms(self) -> float | None:
        """Mean time of a request."""
        return sum(self._times_ms) / len(self._times_ms) if self._times_ms else None

    @property
    def rises(self) -> bool:
        """Do requests take longer and longer? The second half against the first, by batches: then a queue grows."""
        means = batches(self._times_ms)
        if len(means) < BATCHES:
            return False
        half = len(means) // 2
        first, second = means[:half], means[half:]
        error = math.sqrt(_variance(first) / half + _variance(second) / half)
        rise = sum(second) / half - sum(first) / half
        return rise > RISES_SIGMA * error and sum(second) > RISES_BY * sum(first)

    def standings(self, alpha: float = SURE) -> list[Standing]:
        """Each SLO as it stands, sure but for an error probability of `alpha`."""
        return [_standing(slo, seen, alpha) for slo, seen in zip(self._slos, self._wrong, strict=True)]


def wrong(slo: Slo, row: Mapping[str, Any]) -> float | None:
    """The share of a request that is beyond the limit (of its gaps for ITL, else 0 or 1); None: it has no such thing.

    Of an outcome's or a check's share: whether it is of those of which there may only be so many.
    """
    if slo.aggregate == "share":
        applies, hit = count_in_share(slo, row)
        return float(hit == slo.below) if applies else None
    if row["outcome"] != "ok":
        return 1.0
    if slo.subject == "itl_ms":
        gaps = decode(row["itl_ms_hist"] or "")
        beyond = sum(times for number, times in gaps.items() if not slo.keeps(middle_ms(number)))
        return beyond / sum(gaps.values()) if gaps else None
    value = row[slo.subject]
    return None if value is None else float(not slo.keeps(value))


def _mean_of(slo: Slo, row: Mapping[str, Any]) -> float | None:
    if row["outcome"] != "ok":
        return math.inf if slo.below else -math.inf
    if slo.subject == "itl_ms":
        gaps = decode(row["itl_ms_hist"] or "")
        return sum(middle_ms(number) * times for number, times in gaps.items()) / sum(gaps.values()) if gaps else None
    value = row[slo.subject]
    return None if value is None else float(value)


def _standing(slo: Slo, seen: Sequence[float], alpha: float) -> Standing:
    n = len(seen)
    if slo.aggregate == "mean":
        return _mean(slo, seen, alpha)
    allowed = allowed_share(slo)
    if allowed is None:  # a greatest or least value: one request decides
        allowed = 0.0
        if (slo.aggregate == "max") != slo.below:
            found = any(value < 1 for value in seen)
            return Standing(slo.text, "met" if found else "crossed", found, n)
    share = sum(seen) / n if n else 0.0
    state: State = "met" if share < allowed or (share <= allowed and (slo.inclusive or not slo.below)) else "crossed"
    if slo.aggregate != "share" and share <= allowed:
        state = "met"
    alike = inflation(seen)
    independent, hits = n / alike, share * n / alike
    test = surely_below if state == "met" else surely_above
    sure = n > 0 and bool(allowed or state == "crossed") and test(hits, independent, allowed, alpha)
    return Standing(slo.text, state, sure, n, round(share, 6), allowed, round(alike, 3))


def _mean(slo: Slo, seen: Sequence[float], alpha: float) -> Standing:
    failed = sum(math.isinf(value) for value in seen)
    if failed or not seen:
        why = f"{failed} request{'s' * (failed > 1)} failed" if failed else "no request has it"
        return Standing(slo.text, "crossed", bool(failed), len(seen), why=why)
    mean, means = sum(seen) / len(seen), batches(seen)
    # Student's t with 9 degrees of freedom, two-sided: 3.25 at 1 %, 2.26 at 5 %; more, since one looks again and again.
    sigma = 4.5 if alpha <= SURE else 3.0
    error = math.sqrt(_variance(means) / len(means)) if len(means) == BATCHES else math.inf
    sure = abs(mean - slo.limit) > sigma * error
    return Standing(slo.text, "met" if slo.keeps(mean) else "crossed", sure, len(seen), figure=round(mean, 6))


def inflation(seen: Sequence[float]) -> float:
    """How many requests count as one independent: those that wait in one queue fare alike.

    Variance of the means of batches, against that of the mean of as many independent requests (at least 1).
    """
    means = batches(seen)
    if len(means) < BATCHES or not (alone := _variance(seen)):
        return 1.0
    return max(1.0, _variance(means) * (len(seen) // BATCHES) / alone)


def batches(seen: Sequence[float]) -> list[float]:
    """Means of ten batches of consecutive values; none where there are too few."""
    size = len(seen) // BATCHES
    if size < LEAST_BATCH:
        return []
    first = len(seen) - size * BATCHES
    return [sum(seen[at : at + size]) / size for at in range(first, len(seen), size)]


def _variance(values: Sequence[float]) -> float:
    mean = sum(values) / len(values)
    return sum((value - mean) ** 2 for value in values) / max(1, len(values) - 1)
