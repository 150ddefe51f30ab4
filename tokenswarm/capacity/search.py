"""The capacity search itself: which load to try next, given what the trials so far have shown. Pure."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from tokenswarm.capacity.estimate import REACH, TrialPoint, estimate

STEP = 1.03  # rates so close together are neighbours
COARSE = 1.15  # so close, it is no more a matter of one trial or the other, but of all together
# Firm trials for that within NEAR of the answer, which else would be read off a curve that nobody has seen: three, on
# both sides of the limit, and until the standard error is so small; not more than eight, and twelve in all.
NEAR, LEAST_FIRM, MOST_NEAR, MOST_FIRM, ERROR = 0.06, 3, 8, 12, 0.02
BOLD = 2 * NEAR
LOOK_WEIGHT, USUAL_INFLATION = 0.5, 5.0
Verdict = Literal["met", "crossed", "limited"]  # limited: by the client itself, so it says nothing of the server
LIMITED_TWICE = 2  # once may have been something passing


@dataclass(frozen=True, slots=True)
class SearchRange:
    """Where to search: users (whole numbers) or, `open`, requests a second; from `start`, from least to most.

    `pooled`: an open loop whose trials all say what share of the requests was beyond a limit.
    """

    open: bool
    start: float
    least: float
    most: float
    pooled: bool = False

    def between(self, good: float, bad: float) -> float | None:
        """A load in the middle; None where they are neighbours."""
        if self.open:
            return None if bad / good <= (COARSE if self.pooled else STEP) + 1e-9 else round_load(math.sqrt(good * bad))
        return None if bad - good <= 1 else float(round((good + bad) / 2 - 1e-9))

    def above(self, load: float, factor: float = 2.0) -> float:
        """The next load while it grows."""
        return min(self.most, round_load(load * factor) if self.open else load * factor)

    def below(self, load: float) -> float:
        """The next load while not even the first was met."""
        return max(self.least, round_load(load / 2) if self.open else math.floor(load / 2))


@dataclass(frozen=True, slots=True)
class Tried:
    """One trial's outcome; `firm`: it went on until it was sure, or for as long as a trial may. `idle`: the server
    had hardly anything to do; `dead`: it answered no request. Of its n requests a `share` was beyond the limit, where
    it may be `allowed`; so many as `inflation` says count as one."""

    load: float
    verdict: Verdict
    firm: bool
    idle: bool = False
    n: int = 0
    share: float = 0.0
    allowed: float = 0.0
    inflation: float = 1.0
    dead: bool = False


@dataclass(frozen=True, slots=True)
class Try:
    """The next trial: at this load; a firm one decides, another only shows the way."""

    load: float
    firm: bool


@dataclass(frozen=True, slots=True)
class SearchResult:
    """The most that is met (None: not even the least), and what lies just above: crossed, limited, or nothing; or the
    server is gone, even for loads that it bore.

    `error` is the standard error of a load that is no trial's own, as a share of it.
    """

    load: float | None
    above: Literal["crossed", "limited", "end", "gone"]
    bad: float | None = None
    error: float | None = None


def next_step(tried: Sequence[Tried], field: SearchRange) -> Try | SearchResult:
    """Grow until it is not met, then narrow down; both neighbours of the answer must have been tried firmly."""
    if not tried:
        return Try(field.start, False)
    if tried[-1].dead and (met := best([one for one in tried if not one.dead])):  # too much for it, or is it gone?
        return SearchResult(met.load, "gone") if tried[-2].dead else Try(met.load, False)
    levels = latest_trials(tried)
    firm = [one for one in tried if one.firm]
    if field.pooled and firm and {"met", "crossed"} <= {one.verdict for one in tried}:
        return _together(tried, firm[-1].load)
    if pending := [load for load, one in levels.items() if one is None]:
        return Try(pending[0], any(t.firm for t in tried if t.load == pending[0]))
    known = {load: one for load, one in levels.items() if one}
    bad = min((load for load, one in known.items() if one.verdict != "met"), default=None)
    good = max((load for load in known if bad is None or load < bad), default=None)
    if bad is None:
        assert good is not None
        if good < field.most:
            return Try(field.above(good, 4.0 if known[good].idle and field.open else 2.0), False)
        return SearchResult(good, "end") if known[good].firm else Try(good, True)
    if good is None:
        if not known[bad].firm:
            return Try(bad, True) if bad <= field.least else Try(field.below(bad), False)
        return _none(known[bad], bad) if bad <= field.least else Try(field.below(bad), False)
    if known[bad].verdict == "limited" and any(one.load == bad and one.verdict == "met" for one in tried):
        # What quick trials say is not to be relied on with this client: down to a load that it bears for long.
        sure = max((load for load, one in known.items() if load < bad and one.firm), default=None)
        return Try(field.below(bad), True) if sure is None else SearchResult(sure, "limited", bad)
    middle = field.between(good, bad)
    if middle is not None and good < middle < bad:
        return Try(middle, False)
    if field.pooled and known[bad].verdict == "crossed":
        return _together(tried, math.sqrt(good * bad))
    for load in (good, bad):
        if not known[load].firm:
            return Try(load, True)
    return SearchResult(good, "limited" if known[bad].verdict == "limited" else "crossed", bad)


def _together(tried: Sequence[Tried], around: float) -> Try | SearchResult:
    """Firm trials where all of them together say that the limit is, until that is known well enough."""
    limited = [one for one in tried if one.verdict == "limited" and one.firm]
    if len(limited) >= LIMITED_TWICE:
        met = [one.load for one in tried if one.verdict == "met" and one.load < limited[-1].load]
        return SearchResult(max(met, default=None), "limited", limited[-1].load)
    firm = [one for one in tried if one.firm and one.verdict != "limited"]
    if not firm:  # quick trials say little more than on which side they are
        return Try(round_load(around), True)
    found = estimate(points(tried, around), around)
    near = [one for one in firm if _within(one, found.load, NEAR)]
    enough = len(firm) >= MOST_FIRM or len(near) >= MOST_NEAR
    sides = {one.share > one.allowed for one in near}
    if enough or (len(near) >= LEAST_FIRM and len(sides) == 2 and found.error <= ERROR):
        return SearchResult(round_load(found.load), "crossed", None, round(found.error, 4))
    if len(near) > 1 and len(sides) == 1:
        return Try(round_load(_bold(firm, found.load, over=sides.pop())), True)
    return Try(round_load(found.load), True)


def _bold(firm: Sequence[Tried], load: float, *, over: bool) -> float:
    """All firm trials near a load were `over` the limit, or none: the curve is another there, and its estimate would
    creep. Halfway to the next firm trial on the other side, or a step of that size."""
    step = math.exp(-BOLD if over else BOLD)
    ahead = [one.load / load for one in firm if (one.share > one.allowed) != over and (one.load < load) == over]
    steps = [step, *(math.sqrt(ratio) for ratio in ahead)]
    return load * (max(steps) if over else min(steps))


def points(tried: Sequence[Tried], around: float) -> list[TrialPoint]:
    """The trials as the estimate takes them. A quick trial ends when it leans to one side, so it counts for less.

    How much requests fare alike shows only where some are beyond the limit, and is another in an overload, so it is
    taken to be what it is in the firm trials around that load.
    """
    alike = [one for one in tried if one.firm and _within(one, around, REACH) and one.share * one.n >= LEAST_FIRM]
    n = sum(one.n for one in alike)
    inflation = sum(one.inflation * one.n for one in alike) / n if n else USUAL_INFLATION
    return [
        TrialPoint(one.load, one.n / max(1.0, inflation) * (1 if one.firm else LOOK_WEIGHT), one.share, one.allowed)
        for one in tried
        if one.verdict != "limited" and one.n
    ]


def _within(one: Tried, load: float, reach: float) -> bool:
    return abs(math.log(one.load / load)) <= reach


def latest_trials(tried: Iterable[Tried]) -> dict[float, Tried | None]:
    """What is known of each load: its last firm trial, else its last one; None where it must be tried again."""
    by_load: dict[float, list[Tried]] = {}
    for one in tried:
        by_load.setdefault(one.load, []).append(one)
    return {load: _last_known(trials) for load, trials in by_load.items()}


def best(tried: Sequence[Tried]) -> Tried | None:
    """The greatest load that is met below all that are not, for a search that was broken off."""
    known = [one for one in latest_trials(tried).values() if one]
    bad = min((one.load for one in known if one.verdict != "met"), default=math.inf)
    return max((one for one in known if one.load < bad), key=lambda one: one.load, default=None)


def _last_known(trials: Sequence[Tried]) -> Tried | None:
    clean = [one for one in trials if one.verdict != "limited"]
    if firm := [one for one in clean if one.firm]:
        return firm[-1]
    if len(trials) - len(clean) >= LIMITED_TWICE:  # as firm as it can get: another trial would be limited, too
        return Tried(trials[0].load, "limited", True)
    return clean[-1] if clean else None


def _none(one: Tried, load: float) -> SearchResult:
    return SearchResult(None, "limited" if one.verdict == "limited" else "crossed", load)


def round_load(load: float) -> float:
    """Four digits are enough of a rate."""
    return float(f"{load:.4g}")
