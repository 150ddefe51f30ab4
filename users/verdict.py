"""When a trial of a capacity search may end, and as what. Pure: the controller asks again and again."""

from dataclasses import dataclass
from typing import Literal

from metrics.trial import ALMOST, SURE, Standing, Trial

LEAST, ENOUGH = 10, 30  # requests before a trial may end as crossed, as met
LOOK_SHARE = 0.25  # of a trial's longest time, for one that only shows the way
LEAST_S, TIMES_E2E = 1.0, 6.0  # a queue needs time to grow


@dataclass(frozen=True, slots=True)
class Ended:
    """A trial's end: `sure`, or by its estimate as its time was over."""

    state: Literal["met", "crossed"]
    sure: bool
    why: str
    standings: tuple[Standing, ...]


def ended(
    trial: Trial, spent_s: float, limit_s: float, users: float, *, firm: bool, drained: bool = False
) -> Ended | None:
    """The end of a trial of so long, None while it goes on.

    `users` is the number of them in a closed loop: each must have been answered a few times. `drained`: no more will
    come, so it ends now.
    """
    standings = tuple(trial.standings(SURE if firm else ALMOST))
    crossed = [one for one in standings if one.state == "crossed"]
    if trial.n >= LEAST and (certain := [one for one in crossed if one.sure]):
        return Ended("crossed", True, certain[0].slo, standings)
    over = drained or spent_s >= limit_s * (1 if firm else LOOK_SHARE)
    settled = trial.n >= max(ENOUGH, 3 * users) and spent_s >= max(LEAST_S, TIMES_E2E * (trial.mean_ms or 0) / 1e3)
    if not over and not settled:
        return None
    if trial.rises:
        return Ended("crossed", False, "requests took longer and longer", standings) if over else None
    sure = all(one.sure for one in standings)
    # Of an open loop nobody knows how long its queue remembers: a quiet while may be just that.
    early = users > 0 or not firm or over
    if not crossed and early and (sure or (not firm and all(map(_well, standings)))):
        return Ended("met", sure, "", standings)
    if not over:
        return None
    if not trial.n:
        return Ended("crossed", False, "no request ended", standings)
    return Ended("crossed" if crossed else "met", False, crossed[0].slo if crossed else "", standings)


def _well(one: Standing) -> bool:
    """Met by so much that a trial that only shows the way need not go on."""
    return one.sure or (one.share is not None and one.share * 2 <= one.allowed)
