"""Does a comparison cry wolf? Pairs of made-up runs of one server (A/A), and of one that is 5 % slower (A/B)."""

import argparse
import json
import sys
import time
from typing import Any

import numpy as np
import pandas as pd

from bench.ab_worlds import WORLDS, Columns, World, run
from reports.compare.figures import Rows, figures, matching
from reports.compare.verdicts import UNKNOWN, BETTER, WORSE, judge


def frame(columns: Columns) -> Any:
    """A run's columns as the DataFrame that is read from its requests.csv."""
    n = len(columns["sequence"])
    known = {
        "worker": 0,
        "sequence": columns["sequence"],
        "endpoint": "/api/chat",
        "model": "made-up",
        "prompt_id": [f"p{which}" for which in columns["prompt"]],
        "turn": 1,
        "phase": "steady",
        "outcome": "ok",
        "max_tokens": 4096,
        "prompt_tokens": 20,
        "output_tokens": columns["output_tokens"],
        "sent_unix_ns": columns["sent_ns"],
        "ended_unix_ns": columns["ended_ns"],
    }
    made = pd.DataFrame(known).astype({name: "Int64" for name in ("turn", "max_tokens", "output_tokens", "sent_unix_ns", "ended_unix_ns")})
    made["arrival"] = pd.array(columns["arrival"] if columns["arrival"] is not None else [pd.NA] * n, dtype="Int64")
    for name in ("batch_size", "vectors", "scheduled_unix_ns"):
        made[name] = pd.array([pd.NA] * n, dtype="Int64")
    for name in ("ttft_ms", "tpot_ms", "e2e_ms"):
        made[name] = columns[name]
    return made


def verdicts(world: World, n: int, pair: int, slower: float, other_seed: bool) -> dict[str, str]:
    """What is said of one pair of runs, by figure."""
    a = run(world, n, 2 * pair, pair)
    b = run(world, n, 2 * pair + 1, pair + 10**6 if other_seed else pair, slower)
    sides = ([Rows.of(frame(a), 0.0)], [Rows.of(frame(b), 1.0)])
    alike = matching(sides, not other_seed, not other_seed and world.load is not None)
    found = judge(figures(sides, alike))
    return {f"{each.figure.metric} {each.figure.aggregate}".strip(): each.verdict for each in found}


def main() -> None:
    p = argparse.ArgumentParser()
    p.add_argument("--pairs", type=int, default=100); p.add_argument("-n", type=int, default=500); p.add_argument("--other", action="store_true"); p.add_argument("--worlds", default="")
    o = p.parse_args()
    for world in WORLDS:
        if o.worlds and o.worlds not in world.name: continue
        t = time.time(); res = {}
        for slower in (0.0, 0.05):
            res[slower] = [verdicts(world, o.n, k, slower, o.other) for k in range(o.pairs)]
        names = list(res[0.0][0])
        any_aa = np.mean([any(v in (BETTER, WORSE) for v in each.values()) for each in res[0.0]])
        print(f"{world.name} ({o.pairs} pairs, {time.time()-t:.0f}s) any A/A {100*any_aa:.1f} any A/B {100*np.mean([any(v == WORSE or v==BETTER for v in each.values()) for each in res[0.05]]):.0f}")
        for name in names:
            aa = [r[name] for r in res[0.0]]; ab = [r[name] for r in res[0.05]]
            print(f"   {name:22s} A/A wrong {100*np.mean([v in (BETTER, WORSE) for v in aa]):.1f} cannot tell {100*np.mean([v == UNKNOWN for v in aa]):.0f} | 5% found {100*np.mean([v==WORSE for v in ab]):.0f} wrong way {100*np.mean([v==BETTER for v in ab]):.1f} cannot {100*np.mean([v==UNKNOWN for v in ab]):.0f}", flush=True)


if __name__ == "__main__":
    main()
