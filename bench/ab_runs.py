"""`python -m bench.ab_runs`: does a comparison of real runs cry wolf? Of one simulator, and of one that is 5 % slower.

Runs of Locust as users make them, in turns, so that what drifts on this machine meets both alike: with the same seed
and with others. Then all pairs of them are compared, and all ways of five against five. A quarter of an hour.
"""

import argparse
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import combinations, product
from pathlib import Path

from bench import simulated
from bench.ab_trial import PAGE, SHOWN
from bench.markdown import table
from bench.simulated import publish, serving
from tokenswarm.reports.compare.comparison import compare
from tokenswarm.reports.compare.verdicts import BETTER, NONE, UNKNOWN, WORSE
from tokenswarm.reports.load import Run, load

DECODE_PER_S, PREFILL_PER_S, SLOWER = 100, 4000, 0.05
SERVER = ("--parallel", "4", "--load-ms", "1", "--output-tokens", "32", "--output-cv", "0.5")
LOAD = ("--users", "8", "--spawn-rate", "8", "--max-tokens", "256", "--stop-timeout", "10")
SIDE = 5  # runs
Sides = tuple[Sequence[Run], Sequence[Run]]
HEADS = ("servers", "seeds", "runs", "a side", "comparisons", "any figure")
HEADS_BY = tuple(f"{name}: found to differ / nobody can tell" for name in ("TPOT", "TTFT", "E2E", "tokens/s"))


@dataclass(frozen=True, slots=True)
class Measured:
    """Runs of a server, and of a slower one, with one seed or with a seed each."""

    same: list[Run]
    slower: list[Run]


def measure(runs: int, seconds: int, folder: Path) -> dict[str, Measured]:
    """`runs` of the server with each kind of seeds, and half as many of the slower one, in turns."""
    rates = [(DECODE_PER_S / (1 + slow), PREFILL_PER_S / (1 + slow)) for slow in (0.0, SLOWER)]
    options = [(*SERVER, "--decode-tps", f"{d:.6f}", "--prefill-tps", f"{p:.6f}") for d, p in rates]
    found = {seeds: Measured([], []) for seeds in ("the same", "other")}
    with serving(*options[0]) as url, serving(*options[1]) as slower_url:
        for number in range(runs):
            for seeds, kept in found.items():
                seed = 1 if seeds == "the same" else 1 + number
                kept.same.append(_run(url, seed, seconds, folder / f"{seeds}-{number}"))
                if number % 2:
                    other = seed if seeds == "the same" else seed + runs
                    kept.slower.append(_run(slower_url, other, seconds, folder / f"{seeds}-{number}-slower"))
                print(f"{seeds} seeds, run {number + 1} of {runs}: {len(kept.same[-1].frame)} requests", flush=True)
    return found


def _run(url: str, seed: int, seconds: int, folder: Path) -> Run:
    return load(simulated.run(url, folder, *LOAD, "--run-time", f"{seconds}s", "--seed", str(seed)))


def rows(measured: dict[str, Measured], side: int = SIDE) -> Iterator[tuple[str, ...]]:
    """The table's: a row for each kind of comparison, those with an INVALID run apart."""
    for seeds, runs in measured.items():
        one, ways = [((a,), (b,)) for a, b in combinations(runs.same, 2)], [*combinations(runs.same, side)]
        halves = [(a, _without(runs.same, a)) for a in ways if a[0] is runs.same[0]]
        yield from _rows("one server", seeds, one, (BETTER, WORSE))
        yield from _rows("one server", seeds, halves, (BETTER, WORSE))
        yield from _rows("5 % slower", seeds, [((a,), (b,)) for a, b in product(runs.same, runs.slower)], (WORSE,))
        yield from _rows("5 % slower", seeds, [(a, runs.slower) for a in ways], (WORSE,))


def _without(runs: Sequence[Run], some: Sequence[Run]) -> list[Run]:
    return [run for run in runs if all(run is not one for one in some)]


def _rows(what: str, seeds: str, sides: Sequence[Sides], hits: Sequence[str]) -> Iterator[tuple[str, ...]]:
    for among in (False, True):
        some = [(a, b) for a, b in sides if any(map(_invalid, (*a, *b))) == among]
        said = [_verdicts(*pair) for pair in some]
        if not said:
            continue
        found = _share([any(verdict in hits for verdict in one.values()) for one in said])
        by = (
            f"{_share([one.get(figure) in hits for one in said])} / "
            f"{_share([one.get(figure, UNKNOWN) in (UNKNOWN, NONE) for one in said])}"
            for figure in SHOWN
        )
        yield what, seeds, "some INVALID" if among else "VALID", str(len(some[0][0])), str(len(said)), f"{found} %", *by


def _verdicts(a: Sequence[Run], b: Sequence[Run]) -> dict[str, str]:
    """By figure; also of INVALID runs, of which a comparison says nothing."""
    made = compare([*map(_taken_for_valid, a)], [*map(_taken_for_valid, b)])
    return {f"{one.figure.metric} {one.figure.aggregate}".strip(): one.verdict for one in made.judged}


def _invalid(run: Run) -> bool:
    return bool(run.info["validity"]["verdict"] != "VALID")


def _taken_for_valid(run: Run) -> Run:
    return replace(run, info={**run.info, "validity": {"verdict": "VALID", "findings": []}})


def _share(hits: Sequence[bool]) -> str:
    return f"{100 * sum(hits) / len(hits):.1f}" if hits else "–"


def text(measured: dict[str, Measured], side: int = SIDE) -> str:
    """The table of docs/compare.md, and what its runs were."""
    every = [run for kept in measured.values() for run in (*kept.same, *kept.slower)]
    requests = sorted(len(run.frame) for run in every)
    invalid = sum(map(_invalid, every))
    note = (
        f"{len(every)} runs of {requests[0]} to {requests[-1]} requests; INVALID ({invalid} of them) since the machine "
        "was busy: a comparison gives them no verdict, and they are judged here all the same. Shares in per cent; of "
        "each metric its mean. Of one server any difference is a false alarm; one that is 5 % slower is found where it "
        "is called slower. Where answers differ in length, TTFT and E2E get no verdict: nobody can tell."
    )
    return f"{table((*HEADS, *HEADS_BY), [*rows(measured, side)])}\n\n{note}"


def main() -> None:
    """Measure, and put the table into docs/."""
    parser = argparse.ArgumentParser(prog="bench.ab_runs", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--runs", type=int, default=2 * SIDE, help="of the server with each kind of seeds, even")
    parser.add_argument("--seconds", type=int, default=20, help="each")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        made = text(measure(given.runs, given.seconds, Path(folder)))
    publish("real runs", made, PAGE)


if __name__ == "__main__":
    main()
