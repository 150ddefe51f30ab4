"""`python -m bench.capacity_trial`: does `--find-capacity` find what a server can take? The simulator, drawn at random.

Half of the cases are closed loops (users), half open ones (requests a second); see bench/capacity_draw.py for what is
drawn, and how the true capacity is computed. Then some cases in which the client is the limit on purpose, of which none
may get an unqualified answer.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import Any

from bench import results
from bench.capacity_draw import Case, capacity, draw
from bench.markdown import number, table

ROOT = Path(__file__).parents[1]
LISTENS = "simulator: listening on "
USERS, RATE_PERCENT = 1, 5.0
TRIAL_S = {False: "12s", True: "40s"}
START_PER_S = 8.0
PATIENCE_S = 1800
STARVED = ("--users", "--max-in-flight", "CPU")


@contextmanager
def serving(case: Case) -> Iterator[str]:
    """Its URL while it runs."""
    command = [sys.executable, "-m", "tokenswarm.simulator", "--port", "0", "--load-ms", "0", *case.options()]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT) as process:
        assert process.stdout is not None
        try:
            yield process.stdout.readline().removeprefix(LISTENS).strip()
        finally:
            process.terminate()
            process.communicate()


def arrivals(case: Case) -> str:
    """Where an open loop begins."""
    kind = {0.0: "constant {}/s", 1.0: "poisson {}/s"}.get(case.cv, f"gamma {{}}/s cv={case.cv:g}")
    return kind.format(f"{START_PER_S:g}")


def search(case: Case, *more: str, prefix: tuple[str, ...] = ()) -> dict[str, Any]:
    """One search by real processes, as a user starts it: `capacity` of its run.json."""
    with serving(case) as url, tempfile.TemporaryDirectory() as folder:
        command = [
            *(*prefix, sys.executable, "-m", "locust", "-f", "locustfile.py", "--host", url, "--model", "sim:latest"),
            *("--headless", "--only-summary", "--run-dir", folder, "--no-report", "--json-file", f"{folder}/stats"),
            *("--sample-every", "0s", "--find-capacity", "--slo", case.slo, "--trial-time", TRIAL_S[case.open]),
            *("--prompt-tokens", f"{case.asks.least}..{case.asks.most}", "--max-tokens", str(case.asks.max_tokens)),
            *(("--arrivals", arrivals(case)) if case.open else ()),
            *(*more, "OpenAIChatUser" if case.openai else "OllamaChatUser"),
        ]
        began_s = time.monotonic()
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=PATIENCE_S)
        took_s = round(time.monotonic() - began_s, 3)
        runs = list(Path(folder).glob("*/run.json"))
        found = json.loads(runs[0].read_text()).get("capacity") if runs else None
    if not found:
        return {"answer": None, "qualifier": "", "said": done.stderr[-800:], "seconds": took_s, "trials": []}
    kept = ("answer", "qualifier", "why", "error", "sentence")
    trials = [{name: one[name] for name in ("load", "verdict", "firm", "steady", "seconds")} for one in found["trials"]]
    limits = [line for one in found["trials"] for line in one["client"]]
    return {**{name: found[name] for name in kept}, "seconds": took_s, "trials": trials, "limits": limits}


def starved(seed: int, place: int) -> tuple[Case, tuple[str, ...], tuple[str, ...]]:
    """A case whose client is the limit: a ceiling below the capacity, too few clients, or next to no CPU."""
    how = STARVED[place % 3]
    case = draw(seed, 1000 + 2 * place + (how == "--max-in-flight"))
    while case.metric == "tpot_ms":  # of which a single user may be too many
        place += 50
        case = draw(seed, 1000 + 2 * place)
    if how == "--users":
        return case, ("--users", "2"), ()
    if how == "--max-in-flight":
        return case, ("--max-in-flight", "2"), ()
    return case, (), (sys.executable, "-m", "bench.starved", "0.08")


def error(case: Mapping[str, Any], truth: float, answer: float | None) -> float | None:
    """How far an answer is off: in users, or in %."""
    if answer is None:
        return None
    return round(100 * (answer / truth - 1), 3) if case["open"] else answer - truth


def is_hit(row: Mapping[str, Any]) -> bool:
    """Is an answer as good as the goal asks, and unqualified?"""
    off = row["error"]
    return off is not None and not row["qualifier"] and abs(off) <= (RATE_PERCENT if row["case"]["open"] else USERS)


def known_truth(seed: int, place: int) -> dict[str, Any]:
    """The case at a place and its true capacity: some 10 s of arithmetic."""
    case = draw(seed, place)
    return {"of": place, "case": case.as_json(), "truth": round(capacity(case), 4)}


def starved_truth(seed: int, place: int) -> dict[str, Any]:
    """The same of a case whose client is to be the limit: where it was not, the answer must be right."""
    return {"of_starved": place, "truth": round(capacity(starved(seed, place)[0]), 4)}


def one(case: Case, place: int, truth: float) -> dict[str, Any]:
    """What was found of a case."""
    found = search(case)
    off = error(case.as_json(), truth, found["answer"])
    return {"place": place, "case": case.as_json(), "slo": case.slo, "truth": truth, **{**found, "error": off}}


def one_starved(seed: int, place: int, truth: float) -> dict[str, Any]:
    """The same with a client that is the limit."""
    case, more, prefix = starved(seed, place)
    told = {"starved": place, "how": STARVED[place % 3], "case": case.as_json(), "slo": case.slo, "truth": truth}
    found = search(case, *more, prefix=prefix)
    return {**told, **found, "error": error(case.as_json(), truth, found["answer"])}


def summary(rows: list[dict[str, Any]]) -> str:
    """The tables, as Markdown."""
    cells = []
    for is_open, what in ((False, "closed loop, within 1 user"), (True, f"open loop, within {RATE_PERCENT:g} %")):
        part = [row for row in rows if "place" in row and row["case"]["open"] == is_open]
        if not part:
            continue
        known = [row["error"] for row in part if row["error"] is not None]
        seconds = sorted(row["seconds"] for row in part)
        unit = " %" if is_open else ""
        cells.append(
            (
                what,
                f"{sum(map(is_hit, part))} / {len(part)}",
                number(median(map(abs, known)), 2) + unit,
                f"{max(known, key=abs):+.3g}{unit}",
                str(sum(bool(row["qualifier"]) or row["error"] is None for row in part)),
                number(median(len(row["trials"]) for row in part), 1),
                f"{median(seconds):.0f} ({seconds[0]:.0f}–{seconds[-1]:.0f})",
            )
        )
    heads = ("", "hits", "median error", "worst error", "qualified or none", "trials", "seconds: median (range)")
    limited = [row for row in rows if "starved" in row]
    ways = [
        (
            how,
            str(len(part)),
            str(sum(row["qualifier"] == "at least" for row in part)),
            str(sum(row["answer"] is None for row in part)),
            str(sum(map(is_hit, part))),
            str(sum(row["answer"] is not None and not row["qualifier"] and not is_hit(row) for row in part)),
        )
        for how in STARVED
        if (part := [row for row in limited if row["how"] == how])
    ]
    kinds = ("at least", "no answer", "unqualified and right", "unqualified and wrong")
    said = table(("the client is limited by", "searches", *kinds), ways) if ways else ""
    return f"{table(heads, cells)}\n\n{said}"


def main() -> None:
    """Search one server after the other, print one line each, then the tables."""
    parser = argparse.ArgumentParser(prog="bench.capacity_trial", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--servers", type=int, default=50, help="stop when there are so many")
    parser.add_argument("--starved", type=int, default=6, help="and so many with a client that is the limit")
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--at-once", type=int, default=4, help="searches side by side")
    parser.add_argument("--seconds", type=float, default=1e9, help="begin none after so many; --resume goes on")
    parser.add_argument("--out", type=Path, default=results.CAPACITY)
    parser.add_argument("--truths", action="store_true", help="compute the true capacities only")
    parser.add_argument("--resume", action="store_true", help="go on with the file")
    given = parser.parse_args()
    begun = results.begin(given.out, resume=given.resume)
    known = [row for row in begun if "slo" in row]
    done = {(name, row[name]) for row in known for name in ("place", "starved") if name in row}
    wanted = [("place", at) for at in range(given.servers)] + [("starved", at) for at in range(given.starved)]
    truths: dict[tuple[str, int], Any] = {
        (name, row[name]): row for row in begun for name in ("of", "of_starved") if name in row
    }
    of = [("of", at) for at in range(given.servers)] + [("of_starved", at) for at in range(given.starved)]
    for name, at in (key for key in of if key not in truths):  # before any load, which it would disturb
        truths[name, at] = (known_truth if name == "of" else starved_truth)(given.seed, at)
        results.append(given.out, truths[name, at])
    if given.truths:
        return
    until_s = time.monotonic() + given.seconds

    def work(which: tuple[str, int]) -> None:
        if time.monotonic() > until_s:
            return
        name, at = which
        row = (
            one(Case.of_json(truths["of", at]["case"]), at, truths["of", at]["truth"])
            if name == "place"
            else one_starved(given.seed, at, truths["of_starved", at]["truth"])
        )
        known.append(row)
        results.append(given.out, row)
        right = is_hit(row) or (name == "starved" and (bool(row["qualifier"]) or row["answer"] is None))
        print(f"{name} {at:>3} {row['seconds']:6.1f} s {'  ' if right else '✗ '}{row.get('error')} "
              f"{row.get('sentence') or row.get('said')}", flush=True)  # fmt: skip

    with ThreadPoolExecutor(given.at_once) as pool:
        list(pool.map(work, [which for which in wanted if which not in done]))
    print(summary(known))


if __name__ == "__main__":
    main()
