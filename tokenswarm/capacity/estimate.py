"""The highest rate from all trials together: where the share of requests beyond the limit is just what it may be.

At random arrivals one trial near the limit says little: whether a queue builds up in a minute is half luck. Pure.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

# How fast the odds of being beyond the limit grow with the rate: as its power of so much. Near saturation it is
# steep; where it is the length of answers that counts, flat.
POWERS = tuple(0.75 * 1.6**step for step in range(9))
USUAL_POWER, POWERS_SPREAD = 3.3, 1.0  # what is supposed beforehand: its middle, and the deviation of its logarithm
SPREAD, CELLS = 0.5, 120  # of the logarithm of the rate, to both sides
LEAST_SHARE, LEAST_WEIGHT = 1e-4, 0.01
# The power is another further away, so a trial counts for less the further it is: deviation of the rate's logarithm.
REACH = 0.12
ROUNDS, STILL = 3, 0.003  # the trials near the estimate give another estimate
LEAST_ERROR = 0.01  # what the supposed curve is off by


class TrialPoint(NamedTuple):
    """One trial: its load, how many independent requests it is worth, the share beyond the limit, and that allowed."""

    load: float
    weight: float
    share: float
    allowed: float


class Estimate(NamedTuple):
    """A load, and its standard error as a share of it."""

    load: float
    error: float


def estimate(points: Sequence[TrialPoint], around: float) -> Estimate:
    """Posterior mean and deviation of the load at which the share is what is allowed; nothing is known beforehand but
    that it lies near `around`.

    Odds of a request to be beyond the limit: those allowed, times (load / limit load) ** power. On a grid of both.
    """
    mean = deviation = 0.0
    for _ in range(ROUNDS):
        mean, deviation = _posterior(points, around)
        around *= math.exp(mean)
        if abs(mean) < STILL:
            break
    return Estimate(around, math.hypot(deviation, LEAST_ERROR))


def _posterior(points: Sequence[TrialPoint], around: float) -> tuple[float, float]:
    """Of the logarithm of the load, from `around` on."""
    cells = [SPREAD * (2 * cell / CELLS - 1) for cell in range(CELLS + 1)]
    beyond = [(_nearby(point, above), above) for point in points for above in [math.log(point.load / around)]]
    seen = [(point, above) for point, above in beyond if point.weight > LEAST_WEIGHT]
    logs = [
        (at, _log_prior(power) + sum(_log_likelihood(point, above - at, power) for point, above in seen))
        for power in POWERS
        for at in cells
    ]
    most = max(value for _, value in logs)
    total = mean = square = 0.0
    for at, value in logs:
        weight = math.exp(value - most)
        total += weight
        mean += weight * at
        square += weight * at * at
    mean /= total
    return mean, math.sqrt(max(0.0, square / total - mean**2))


def _nearby(point: TrialPoint, above: float) -> TrialPoint:
    return point._replace(weight=point.weight * math.exp(-((above / REACH) ** 2) / 2))


def _log_prior(power: float) -> float:
    return -((math.log(power / USUAL_POWER) / POWERS_SPREAD) ** 2) / 2


def _log_likelihood(point: TrialPoint, beyond: float, power: float) -> float:
    allowed = min(1 - LEAST_SHARE, max(LEAST_SHARE, point.allowed))
    odds = math.log(allowed / (1 - allowed)) + power * beyond
    # log p = -log(1 + e^-odds), log (1 - p) = -log(1 + e^odds)
    return -point.weight * (point.share * _softplus(-odds) + (1 - point.share) * _softplus(odds))


def _softplus(x: float) -> float:
    return x + math.log1p(math.exp(-x)) if x > 0 else math.log1p(math.exp(x))
