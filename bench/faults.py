"""`python -m bench.faults`: a hundred random mishaps on several hosts, and whether anything was lost. Linux, root.

Runs of about half a minute, three to six mishaps each; see `bench.hosts.mishaps` for what befalls them, and
`bench.hosts.account` for what must hold afterwards. Exit code 1 if it does not; then what the
run left is kept.
"""

import argparse
import shutil
import signal
import sys
import time
from collections import Counter
from pathlib import Path
from random import Random
from typing import Any

from bench import results
from bench.hosts.mishaps import KINDS, plan
from bench.hosts.network import why_not
from bench.hosts.run import WORKERS, play

# Instead of Locust's 60 s, but in each tenth run: longer than any link is cut, so that workers outlive that.
MASTER_TIMEOUT_S = 25.0
MASTER_DIES_EVERY, SHOWN = 3, 5


def drawn(seed: int, number: int) -> tuple[list[Any], float, float]:
    """(mishaps, length of the run in s, the workers' patience with their master in s), the same for a seed and run."""
    chance = Random(f"{seed}/{number}")
    run_s = round(chance.uniform(16, 30))
    mishaps = plan(chance, chance.randint(4, 7), run_s, WORKERS, kill_master=number % MASTER_DIES_EVERY == 2)
    return mishaps, run_s, 60.0 if number % 10 == 5 else MASTER_TIMEOUT_S


def one(seed: int, number: int, into: Path) -> dict[str, Any]:
    """One run; what came of it."""
    mishaps, run_s, patience_s = drawn(seed, number)
    folder = into / f"{seed}-{number}"
    shutil.rmtree(folder, ignore_errors=True)
    played = play(folder, mishaps, run_s, patience_s)
    if not played.wrong:
        shutil.rmtree(folder)
    return {"seed": seed, "number": number, "run_s": run_s, **played.row()}


def told(row: dict[str, Any]) -> str:
    """A run in a line."""
    kinds = Counter(mishap["kind"] for mishap in row["mishaps"])
    done = ", ".join(f"{kinds[kind]} {kind}" for kind in KINDS if kinds[kind])
    books = row["books"]
    figures = f"{row['rows_before']} → {books['rows']} rows, {books['complete']} complete at the server"
    more = f"{books['lost']} lost with a disk, {books['unread']} unread, {books['cut']} cut"
    return (
        f"{row['number']:>3} {done}: {figures}, {more}; {row['verdict_before']} → {row['verdict']}; {row['took_s']} s"
    )


def totals(rows: list[dict[str, Any]]) -> list[str]:
    """All runs together."""
    kinds = Counter(mishap["kind"] for row in rows for mishap in row["mishaps"])
    books = {
        name: sum(row["books"][name] for row in rows)
        for name in ("rows", "ok", "complete", "lost", "unread", "cut", "stepped")
    }
    wrong = sum(len(row["wrong"]) for row in rows)
    return [
        f"{len(rows)} runs, {kinds.total()} mishaps: " + ", ".join(f"{kinds[kind]} {kind}" for kind in KINDS),
        ", ".join(f"{value} {name}" for name, value in books.items()) + f"; {wrong} things wrong",
    ]


def main() -> None:
    """Run until there have been enough mishaps."""
    parser = argparse.ArgumentParser(prog="bench.faults", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--mishaps", type=int, default=100)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--for-s", type=float, default=float("inf"), help="begin no further run after that time")
    parser.add_argument("--out", type=Path, default=results.FOLDER / "faults.jsonl")
    parser.add_argument("--resume", action="store_true", help="go on with the file")
    given = parser.parse_args()
    if why := why_not():
        sys.exit(f"bench.faults: {why}")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # the hosts are taken down all the same
    known = [row for row in results.begin(given.out, resume=given.resume) if row.get("seed") == given.seed]
    until_s = time.monotonic() + given.for_s
    while sum(len(row["mishaps"]) for row in known) < given.mishaps and time.monotonic() < until_s:
        row = one(given.seed, len(known), given.out.with_suffix(""))
        known.append(row)
        results.append(given.out, row)
        shown = [f"    WRONG: {what}" for what in row["wrong"]]
        print(told(row), *shown[:SHOWN], *([f"    and {len(shown) - SHOWN} more"] if shown[SHOWN:] else []), sep="\n")
    print("\n".join(totals(known)))
    sys.exit(any(row["wrong"] for row in known))


if __name__ == "__main__":
    main()
