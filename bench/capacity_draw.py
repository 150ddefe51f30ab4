"""Random servers and SLOs for the trial of the capacity search, and their true capacity, computed in virtual time."""

import math
import random
from collections.abc import Callable
from dataclasses import dataclass, replace
from statistics import linear_regression, quantiles
from typing import Any

from bench.virtual import Asks, World
from tokenswarm.simulator.settings import NS_PER_S, SimulatorSettings

CLOSED_REQUESTS, OPEN_REQUESTS, WARM_SHARE = 6_000, 24_000, 0.1
PERCENTS = (90, 95)
RATE_STEP = 1.006
REFINING_REQUESTS = 80_000
BUSY, FULLEST, LEAST_RISE = (0.4, 0.85), 0.97, 1.2  # shares of what it can do at most; of the idle server's figure


@dataclass(frozen=True, slots=True)
class Case:
    """One server, what it is asked, and the SLO: `limit_ms` for a percentile of `metric`."""

    open: bool
    settings: SimulatorSettings
    asks: Asks
    metric: str
    percent: int
    limit_ms: float
    cv: float = 1.0  # of the gaps between arrivals

    @property
    def slo(self) -> str:
        """As `--slo` takes it."""
        return f"{self.metric} p{self.percent} < {self.limit_ms:g}"


def draw(seed: int, place: int) -> Case:
    """The case at a place of the trial; every second one is an open loop."""
    chance = random.Random(f"capacity {seed} {place}")
    is_open = place % 2 == 1
    slots, decode = chance.randint(2, 12), round(chance.uniform(100, 250), 1)
    output = round(decode * (chance.uniform(0.05, 0.12) if is_open else chance.uniform(0.1, 0.3)))
    metric = chance.choice(("ttft_ms", "e2e_ms", "response_ms" if is_open else "tpot_ms", "ttft_ms"))
    least = chance.randint(20, 100)
    settings = SimulatorSettings(
        parallel=slots,
        decode_tps=decode,
        prefill_tps=round(chance.uniform(2000, 8000)),
        slowdown=round(chance.uniform(0.01, 0.1), 4),
        output_tokens=output,
        output_cv=round(chance.uniform(0.2, 0.8), 2),
        prompt_cache=False,
    )
    asks = Asks(least, least + chance.randint(10, 200), round(output * chance.uniform(1.5, 3)))
    percent, cv = chance.choice(PERCENTS), chance.choice((1.0, 1.0, 1.0, 0.0, 0.5)) if is_open else 1.0
    made = Case(is_open, settings, asks, metric, percent, limit_ms=0.0, cv=cv)
    return _with_limit(made, chance)


def _with_limit(case: Case, chance: random.Random) -> Case:
    """A limit that the server keeps up to a load drawn at random, and not far beyond it."""
    if case.open:
        most, share = saturated_per_s(case), chance.uniform(*BUSY)
        idle_ms = percentile_ms(case, 0.05 * most, 4000)
        # At constant gaps nothing waits until the server is all but full: then no less is a limit.
        while (limit_ms := percentile_ms(case, share * most, 20_000)) < LEAST_RISE * idle_ms and share < FULLEST:
            share += 0.02
        return replace(case, limit_ms=float(f"{max(limit_ms, LEAST_RISE * idle_ms):.4g}"))
    within = case.metric == "tpot_ms"
    users = (
        chance.randint(1, case.settings.parallel - 1)
        if within
        else case.settings.parallel + chance.randint(0, 2 * case.settings.parallel)
    )
    low, high = (percentile_ms(case, n, 6_000) for n in (users, users + 1))
    return replace(case, limit_ms=float(f"{low + (high - low) * chance.uniform(0.2, 0.8):.4g}"))


def rows(case: Case, load: float, requests: int, seed: int = 0) -> list[dict[str, Any]]:
    """What so many requests see at a load that lasts, its beginning left out."""
    world = World(case.settings, case.asks, seed)
    if case.open:
        world.arrivals(load, requests / load, case.cv)
        world.run_until(world.now_ns + round(requests / load * NS_PER_S))
        world.drain()
    else:
        world.closed(int(load), NS_PER_S // 10)
        while len(world.ended) < requests:
            world.run_until(world.now_ns + NS_PER_S)
    seen = sorted(world.taken(), key=lambda row: row["sent_unix_ns"])
    return seen[round(len(seen) * WARM_SHARE) :]


def saturated_per_s(case: Case) -> float:
    """Requests a second that all slots give together."""
    seen = rows(replace(case, open=False), 3 * case.settings.parallel, 4000)
    return len(seen) / ((seen[-1]["sent_unix_ns"] - seen[0]["sent_unix_ns"]) / NS_PER_S)


def percentile_ms(case: Case, load: float, requests: int, seed: int = 0) -> float:
    """The SLO's figure at a load."""
    values = [row[case.metric] for row in rows(case, load, requests, seed) if row[case.metric] is not None]
    return quantiles(values, n=100)[case.percent - 1]


def capacity(case: Case) -> float:
    """The greatest load at which the SLO is met: users, or requests a second to 0.6 %."""
    if not case.open:
        return _users(lambda users: percentile_ms(case, users, CLOSED_REQUESTS, seed=1) < case.limit_ms)
    good, bad = 0.1, saturated_per_s(case)
    for requests, step in ((OPEN_REQUESTS // 6, 1.05), (OPEN_REQUESTS, RATE_STEP)):  # first where, then exactly
        good, bad = good / 1.05, bad * 1.05
        while bad / good > step:
            middle = (good * bad) ** 0.5
            met = percentile_ms(case, middle, requests, seed=1) < case.limit_ms
            good, bad = (middle, bad) if met else (good, middle)
    return refined(case, (good * bad) ** 0.5)


def refined(case: Case, rate: float) -> float:
    """A rate that is known roughly, by the share of many requests that are beyond the limit at three rates around it.

    Near saturation even 24,000 requests leave it open by 3 %. The odds' logarithm is laid through the three as a line.
    """
    at, odds = [], []
    for factor in (0.96, 1.0, 1.04):
        values = [row[case.metric] for row in rows(case, rate * factor, REFINING_REQUESTS, seed=2)]
        share = sum(value > case.limit_ms for value in values) / len(values)
        at.append(math.log(factor))
        odds.append(math.log(max(share, 1e-6) / (1 - min(share, 1 - 1e-6))))
    slope, level = linear_regression(at, odds)
    allowed = 1 - case.percent / 100
    step = (math.log(allowed / (1 - allowed)) - level) / slope if slope > 0 else 0.0
    return rate * math.exp(max(-0.1, min(0.1, step)))


def _users(met: Callable[[float], bool]) -> float:
    bad = 1
    while bad < 4096 and met(bad):
        bad *= 2
    good = bad // 2
    while bad - good > 1:
        middle = (good + bad) // 2
        good, bad = (middle, bad) if met(middle) else (good, middle)
    return float(good)
