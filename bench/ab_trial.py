"""`python -m bench.ab_trial`: does a comparison cry wolf, and does it find what is there? On made-up runs.

Pairs of runs of one server (A/A), and of one and another that is 5 % slower (A/B), in worlds whose requests depend on
each other (bench/ab_worlds.py). A false alarm is any verdict but "no difference" and "cannot tell" on any figure.
"""

import argparse
import time
from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from typing import Any

import pandas as pd

from bench import results
from bench.ab_worlds import WORLDS, Columns, World, run
from bench.markdown import table
from bench.simulated import publish
from bench.truth import ROOT
from tokenswarm.reports.compare.figures import ComparedRows, figures, match_requests
from tokenswarm.reports.compare.verdicts import judge

PAGE = ROOT / "docs" / "compare.md"
KEPT = results.FOLDER / "ab.jsonl"
SLOWER, OTHER_SEED = 0.05, 10**6
SHOWN = ("tpot_ms mean", "ttft_ms mean", "e2e_ms mean", "output_tokens_per_s")
FOUND = ("better", "worse")
INTEGERS = ("turn", "max_tokens", "output_tokens", "sent_unix_ns", "ended_unix_ns", "made_from_ns", "made_to_ns")


def frame(columns: Columns) -> Any:
    """A run's columns as the DataFrame that is read from its requests.csv."""
    n = len(columns["sequence"])
    same = {"worker": 0, "turn": 1, "prompt_tokens": 20, "max_tokens": 4096, "endpoint": "/api/chat", "model": "m"}
    same |= {"phase": "steady", "outcome": "ok"}
    made = pd.DataFrame(
        {
            "sequence": columns["sequence"],
            "prompt_id": [f"p{which}" for which in columns["prompt"]],
            "sent_unix_ns": columns["sent_ns"],
            "ended_unix_ns": columns["ended_ns"],
            "made_from_ns": columns["sent_ns"] + (columns["ttft_ms"] * 1e6).astype("int64"),
            "made_to_ns": columns["ended_ns"],
            "made_tokens": columns["output_tokens"].astype("float64"),
            **{name: columns[name] for name in ("ttft_ms", "tpot_ms", "e2e_ms", "output_tokens")},
            **same,
        }
    ).astype(dict.fromkeys(INTEGERS, "Int64"))
    made["arrival"] = pd.array([pd.NA] * n if columns["arrival"] is None else columns["arrival"], dtype="Int64")
    for name in ("batch_size", "vectors", "scheduled_unix_ns"):
        made[name] = pd.array([pd.NA] * n, dtype="Int64")
    return made


def verdicts(world: World, n: int, pair: int, slower: float, *, other_seed: bool) -> dict[str, str]:
    """What is said of one pair of runs, by figure. With another seed, other prompts are asked at other moments."""
    a = run(world, n, 2 * pair, pair)
    b = run(world, n, 2 * pair + 1, pair + OTHER_SEED * other_seed, slower)
    sides = ([ComparedRows.of(frame(a), 0.0)], [ComparedRows.of(frame(b), 1.0)])
    matched = match_requests(sides, not other_seed, not other_seed and world.load is not None)
    said = judge(figures(sides, matched))
    return {f"{each.figure.metric} {each.figure.aggregate}".strip(): each.verdict for each in said}


def trial(world: World, n: int, pairs: int, slower_pairs: int, *, other_seed: bool) -> results.Row:
    """A world's row: shares of the pairs, by figure, of one and the same server, and of it and a slower one."""
    began_s = time.monotonic()
    same = [verdicts(world, n, pair, 0.0, other_seed=other_seed) for pair in range(pairs)]
    slower = [verdicts(world, n, pair, SLOWER, other_seed=other_seed) for pair in range(slower_pairs)]
    return {
        "world": world.name,
        "n": n,
        "pairs": pairs,
        "slower_pairs": slower_pairs,
        "other_seed": other_seed,
        "alarms": _share(bool(set(FOUND) & set(each.values())) for each in same),
        "alarms_by": {name: _share(each.get(name) in FOUND for each in same) for name in SHOWN},
        "unknown_by": {name: _share(each.get(name) == "cannot tell" for each in same) for name in SHOWN},
        "found": _share("worse" in each.values() for each in slower),
        "found_by": {name: _share(each.get(name) == "worse" for each in slower) for name in SHOWN},
        "wrong": _share("better" in each.values() for each in slower),
        "seconds": round(time.monotonic() - began_s, 1),
    }


def _share(hits: Iterator[bool]) -> float:
    known = list(hits)
    return sum(known) / len(known)


HEADS = ("world", "seeds", "n", "pairs A/A, A/B", "false alarms, any figure", "5 % found, any figure")
HEADS_BY = tuple(f"{name}: alarms / cannot tell / 5 % found" for name in ("TPOT", "TTFT", "E2E", "tokens/s"))


def _line(row: Mapping[str, Any]) -> tuple[str, ...]:
    kinds = ("alarms_by", "unknown_by", "found_by")
    by = (" / ".join(f"{100 * row[kind][figure]:.1f}" for kind in kinds) for figure in SHOWN)
    seeds, pairs = "other" if row["other_seed"] else "the same", f"{row['pairs']:,}, {row['slower_pairs']:,}"
    shares = f"{100 * row['alarms']:.1f} %", f"{100 * row['found']:.0f} %"
    return row["world"], seeds, f"{row['n']:,}", pairs, *shares, *by


def text(rows: Sequence[Mapping[str, Any]]) -> str:
    """The table of docs/compare.md."""
    worst = max(row["wrong"] for row in rows)
    note = (
        f"Shares of the pairs in per cent; of each metric its mean. In at most {100 * worst:.1f} % of the pairs of a "
        "world the slower one was called faster in any figure."
    )
    return f"{table((*HEADS, *HEADS_BY), [*map(_line, rows)])}\n\n{note}"


def main() -> None:
    """Measure what is not on file yet, then write the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", type=int, default=2000)
    parser.add_argument("--slower-pairs", type=int, default=400)
    parser.add_argument("--requests", type=int, nargs="*", default=[500, 100, 2000], help="a run")
    parser.add_argument("--resume", action="store_true", help="go on with what is on file")
    options = parser.parse_args()
    known = [row for row in results.begin(KEPT, resume=options.resume) if "world" in row]
    done = {(row["world"], row["n"], row["other_seed"]) for row in known}
    for n in options.requests:
        pairs = max(1, min(options.pairs, options.pairs * 500 // n))
        for world in WORLDS:
            for other_seed in (False, True) if world.load else (False,):
                if (world.name, n, other_seed) not in done:
                    slower = max(1, min(options.slower_pairs, pairs))
                    row = trial(world, n, pairs, slower, other_seed=other_seed)
                    results.append(KEPT, row)
                    alarms, found = 100 * row["alarms"], 100 * row["found"]
                    print(f"{world.name}, n {n}: alarms {alarms:.1f} %, found {found:.0f} %", flush=True)
    rows = [row for row in results.read(KEPT) if "world" in row]
    places = {world.name: place for place, world in enumerate(WORLDS)}
    ordered = sorted(rows, key=lambda row: (row["n"], places[row["world"]], row["other_seed"]))
    tables = "\n\n".join(text(list(own)) for _, own in groupby(ordered, lambda row: row["n"]))
    publish("false alarms", tables, PAGE)


if __name__ == "__main__":
    main()
