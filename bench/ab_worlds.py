"""Made-up runs whose truth is known, in virtual time: servers whose requests depend on each other. numpy alone.

It knows nothing of what judges them: a run is a dict of columns as requests.csv has them, times in ms and ns.
"""

import heapq
from dataclasses import dataclass
from typing import Any

import numpy as np

Array = Any
Columns = dict[str, Any]
ZERO_NS = 1_795_433_493_000_000_000
PROMPTS, TPOT_MS, PREFILL_MS, TOKENS_MEAN, TOKENS_CV = 32, 20.0, 30.0, 100, 0.5
BURN_IN = 300  # requests, before those that are seen
SLOTS, USERS = 4, 8


@dataclass(frozen=True, slots=True)
class World:
    """`slots` requests at once; `users` of a closed loop, or an open one at `load` (share of what the server can do).

    `drift` is how much slower the first requests are, `tau` of their number after which that is over; `slope` how much
    slower the last are than the first; `run_sd` how runs differ. A neighbour makes it 20 % slower half of the time, in
    spells of `spell` requests; a share `cold` of the requests waits thirty times as long for its first token.
    """

    name: str
    slots: int = 8
    users: int = 8
    load: float | None = None
    phi: float = 0.9
    sd: float = 0.03
    drift: float = 0.0
    tau: float = 0.08
    slope: float = 0.0
    run_sd: float = 0.0
    spell: float = 0.0
    cold: float = 0.0


WORLDS = (
    World("AR(1) 0.9"),
    World("independent", phi=0.0),
    World("AR(1) 0.97", phi=0.97),
    World("warm-up drift of 30 %", drift=0.3),
    World("drift of 10 % all along", slope=0.1),
    World("closed loop, 8 users on 4 slots", SLOTS, USERS),
    World("open loop at 80 %", SLOTS, load=0.8),
    World("open loop at 90 %", SLOTS, load=0.9),
    World("a neighbour, in spells of 20 requests", spell=20),
    World("a neighbour, in spells of 80 requests", spell=80),
    World("one request in thirty cold", cold=1 / 30),
    World("runs differ by 1 % (sd)", run_sd=0.01),
)


def run(world: World, n: int, server: int, seed: int, slower: float = 0.0) -> Columns:
    """One run of `n` requests: `seed` draws what is asked and when, `server` what the server makes of it."""
    asked, noise = np.random.default_rng([seed, 1]), np.random.default_rng([server, 2])
    burn = BURN_IN if world.users > world.slots or world.load else 0
    total = n + burn
    prompt = asked.integers(0, PROMPTS, total)
    tokens = _lengths()[prompt]
    tpot = TPOT_MS * _pace(world, n, burn, noise) * (1 + slower)
    prefill = PREFILL_MS * np.exp(0.2 * noise.normal(size=total)) * (1 + slower)
    prefill = np.where(noise.random(total) < world.cold, 30 * prefill, prefill)
    busy = prefill + tpot * (tokens - 1)
    due = None
    if world.load:
        mean_ms = PREFILL_MS + TPOT_MS * (float(_lengths().mean()) - 1)
        due = asked.exponential(mean_ms / world.slots / world.load, total).cumsum()
    sent, begun = _serve(busy, due, world)
    keep = slice(burn, None)
    sent, begun, busy, prefill, tokens = (each[keep] for each in (sent, begun, busy, prefill, tokens))
    ttft, e2e = begun - sent + prefill, begun - sent + busy
    zero = sent[0]
    return {
        "sequence": np.arange(n),
        "prompt": prompt[keep],
        "arrival": np.arange(n) if world.load else None,
        "sent_ns": ZERO_NS + ((sent - zero) * 1e6).astype(np.int64),
        "ended_ns": ZERO_NS + ((sent - zero + e2e) * 1e6).astype(np.int64),
        "ttft_ms": ttft,
        "tpot_ms": tpot[keep],
        "e2e_ms": e2e,
        "output_tokens": tokens,
    }


def _lengths() -> Array:
    """Output tokens of each prompt, the same in every run."""
    sigma2 = np.log1p(TOKENS_CV**2)
    drawn = np.random.default_rng(7).lognormal(np.log(TOKENS_MEAN) - sigma2 / 2, np.sqrt(sigma2), PROMPTS)
    return np.maximum(2, drawn.round()).astype(np.int64)


def _pace(world: World, n: int, burn: int, noise: Any) -> Array:
    """How slow each request is decoded, about 1: a slow part that wanders, one of its own, rare spikes."""
    total = n + burn
    steps, slow = noise.normal(size=total) * np.sqrt(1 - world.phi**2), np.empty(total)
    slow[0] = noise.normal()
    for at in range(1, total):
        slow[at] = world.phi * slow[at - 1] + steps[at]
    pace = np.exp(world.sd * slow + 0.02 * noise.normal(size=total))
    spikes = noise.random(total) < 0.01
    pace = np.where(spikes, pace * (1 + noise.exponential(0.5, total)), pace)
    if world.spell:
        changes = noise.random(total) < 1 / world.spell
        pace = pace * np.where((np.cumsum(changes) + noise.integers(2)) % 2, 1.2, 1.0)
    since = np.maximum(0, np.arange(total) - burn) / n
    return (
        pace
        * (1 + world.drift * np.exp(-since / world.tau))
        * (1 + world.slope * since)
        * np.exp(world.run_sd * noise.normal())
    )


def _serve(busy: Array, due: Array | None, world: World) -> tuple[Array, Array]:
    """(sent, begun to be served) of each request, ms; first come, first served."""
    n = len(busy)
    sent, begun = np.empty(n), np.empty(n)
    free = [0.0] * world.slots
    ready = [float(user) for user in range(world.users)]
    for at in range(n):
        sent[at] = due[at] if due is not None else heapq.heappop(ready)
        begun[at] = max(sent[at], heapq.heappop(free))
        ended = begun[at] + busy[at]
        heapq.heappush(free, ended)
        if due is None:
            heapq.heappush(ready, ended)
    return sent, begun
