"""When a trial of a capacity search may end, and as what. Pure: the controller asks again and again."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from tokenswarm.capacity.search import Tried, Try
from tokenswarm.capacity.trial import ALMOST, SURE, Standing, Trial

LEAST, ENOUGH = 10, 30  # requests before a trial may end as crossed, as met
LOOK_SHARE = 0.25  # of a trial's longest time, for one that only shows the way
LEAST_S, TIMES_E2E = 1.0, 6.0  # a queue needs time to grow
IDLE = 0.5  # requests under way, on the average
GROWS = "requests took longer and longer"
GROWING = 2.0  # times the share that is allowed: what will be beyond the limit at least, if the queue goes on growing


@dataclass(frozen=True, slots=True)
class TrialEnd:
    """A trial's end: `sure`, or by its estimate as its time was over."""

    state: Literal["met", "crossed"]
    sure: bool
    why: str
    standings: tuple[Standing, ...]


def trial_end(
    trial: Trial, spent_s: float, limit_s: float, users: float, *, firm: bool, drained: bool = False
) -> TrialEnd | None:
    """The end of a trial of so long, None while it goes on.

    `users` is the number of them in a closed loop: each must have been answered a few times. `drained`: no more will
    come, so it ends now.
    """
    standings = tuple(trial.standings(SURE if firm else ALMOST))
    silent = not all(one.n for one in standings)  # of some SLO nothing is known: even a quick trial waits for that
    crossed = [one for one in standings if one.state == "crossed"]
    # Of an open loop nobody knows how long its queue remembers: a quiet while, or a busy one, may be just that.
    random = firm and not users
    certain = [one for one in crossed if one.sure]
    if certain and trial.n >= LEAST and not (random and spent_s < limit_s / 2):
        return TrialEnd("crossed", True, certain[0].slo, standings)
    over = drained or spent_s >= limit_s * (1 if firm or silent or trial.n < LEAST else LOOK_SHARE)
    settled = trial.n >= max(ENOUGH, 3 * users) and spent_s >= max(LEAST_S, TIMES_E2E * (trial.mean_ms or 0) / 1e3)
    if not over and not settled:
        return None
    if trial.rises:
        return TrialEnd("crossed", False, GROWS, standings) if over else None
    sure = all(one.sure for one in standings)
    if not crossed and (over or not random) and (sure or (not firm and all(map(_well, standings)))):
        return TrialEnd("met", sure, "", standings)
    if not over:
        return None
    if not trial.n:
        return TrialEnd("crossed", False, "no request ended in time", standings)
    return TrialEnd("crossed" if crossed else "met", False, crossed[0].slo if crossed else "", standings)


def _well(one: Standing) -> bool:
    """Met by so much that a trial that only shows the way need not go on."""
    return one.sure or (one.n > 0 and one.share is not None and one.share * 2 <= one.allowed)


def slos_without_requests(end: TrialEnd) -> list[str]:
    """SLOs that a trial says nothing of, since no request has what they are about, if no other SLO is crossed."""
    known = [one for one in end.standings if one.n]
    return [] if any(one.state == "crossed" for one in known) else [one.slo for one in end.standings if not one.n]


def include_drain(end: TrialEnd, trial: Trial, users: float, *, firm: bool) -> TrialEnd:
    """The end with the requests that were still under way then: they may cross what was met, never the reverse."""
    last = trial_end(trial, 0, 0, users, firm=firm, drained=True) or end
    if end.state == "crossed":
        return replace(end, standings=last.standings)
    return replace(last, sure=end.sure) if last.state == "met" else last


def judge_trial(step: Try, end: TrialEnd, limits: Sequence[str], mean_ms: float | None, *, pooled: bool) -> Tried:
    """What a trial came to; `limits` says how the client was one, `mean_ms` is the mean time of a request.

    A load that is far too much needs no healthy client, since only the way is to be shown; what decides does.
    """
    verdict = "limited" if limits and (end.state == "met" or step.firm) else end.state
    idle = step.load * (mean_ms or 0) / 1e3 < IDLE
    firm = step.firm or (end.sure and not limits and not pooled)
    if (one := find_tightest(end.standings)) and pooled:
        share = max(one.share or 0.0, min(1.0, GROWING * one.allowed) if end.why == GROWS else 0.0)
        return Tried(step.load, verdict, firm, idle, one.n, share, one.allowed, one.inflation)
    return Tried(step.load, verdict, firm, idle)


def find_tightest(standings: Sequence[Standing]) -> Standing | None:
    """The SLO that is nearest to its limit, or furthest beyond it, of those about shares."""
    shares = [one for one in standings if one.share is not None and one.allowed]
    return max(shares, key=lambda one: (one.share or 0) / one.allowed, default=None)
