"""`python -m bench.streams`: what a token costs our worker at 100 to 2,000 streams × 50 tokens/s, and a C client.

Staggered; in step: all users begin at once, so that their answers end together; and staggered over TLS. Each point is
one run of `bench.measure` and, in plain HTTP with one worker, one of `bench.floor` against the same server, in turns
over the rounds; the medians of the rounds are shown at the end. A round takes three and a half minutes. CPU is that of
the workers' processes while the test ran, per token that the server sent; the server's is its own process's.

Ten thousand slow streams over four workers, a minute a round:

    python -m bench.streams --streams 10000 --ways staggered --step-ms 200 --tokens 50 --workers 4 --ramp 10 \\
        --seconds 35 --rounds 1
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
from dataclasses import asdict, replace
from pathlib import Path

from bench import certificate, results
from bench.floor import Floor, floor
from bench.measure import RAMP_S, Asked, Point, measure_at, truth_server
from bench.noise import Stalls
from bench.truth import ROOT

STREAMS = (100, 600, 1000, 2000)
WAYS = ("staggered", "in-step", "tls")
COLUMNS = (
    "streams", "n", "ours µs", "C µs", "C sys µs", "ratio", "gap p50", "gap p99", "TTFT p99", "lost %", "merged %",
    "late p99", "pass p99", "server µs", "stall p99", "start s", "says",
)  # fmt: skip


def points(streams: list[int], ways: list[str], one: Asked) -> dict[str, Asked]:
    """By name, `600`, `600-in-step` and `600-tls`, which lacks its certificate yet; all else as in `one`."""
    found: dict[str, Asked] = {}
    for count in streams:
        asked = replace(one, streams=count)
        known = {
            "staggered": (f"{count}", asked),
            "in-step": (f"{count}-in-step", replace(asked, stagger_s=0.0, ramp_s=one.ramp_s / 2)),
            "tls": (f"{count}-tls", asked),
        }
        found |= dict(known[way] for way in ways)
    return found


def measured(asked: Asked, stalls: Stalls) -> tuple[Point, Floor | None]:
    """A point, and the C client on the same load where it can do it."""
    with truth_server(asked) as url:
        point = measure_at(url, asked, stalls)
        return point, None if asked.tls or asked.workers > 1 else floor(url, asked)


def figures(point: Point, least: Floor | None) -> list[float]:
    """In the order of COLUMNS, without the first and the last."""
    ours_us = 1e3 * point.cpu_test_s_per_1000_tokens
    floor_us, system_us = (least.cpu_us, least.system_us) if least else (None, None)
    known = (
        point.requests, ours_us, floor_us, system_us, floor_us and ours_us / floor_us, point.gap_ms.p50,
        point.gap_ms.p99, point.ttft_ms.p99, point.lost_percent, point.coalesced_percent, point.late_ms_p99,
        point.pass_ms_p99, point.server_us, point.stall_ms.p99, point.start_s,
    )  # fmt: skip
    return [float("nan") if value is None else value for value in known]


def verdict(point: Point) -> str:
    """What the run said of itself, and by which rules it is not valid."""
    rules = [finding["rule"] for finding in point.findings if finding["level"] == "invalid"]
    return " ".join([point.verdict or "–", ", ".join(rules)]).rstrip()


def cell(figure: float) -> str:
    """A figure with three digits after the point; a count without."""
    return f"{figure}" if isinstance(figure, int) else f"{figure:.3f}"


def line(cells: list[str]) -> str:
    """Cells in columns; the last one is text."""
    return f"{cells[0]:<14}" + "".join(f"{cell:>10}" for cell in cells[1:-1]) + f"  {cells[-1]}"


def _compile_into(folder: str) -> None:
    """Have all modules compiled there, as they are where a user has run them once: else each start would compile."""
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    os.environ["PYTHONPYCACHEPREFIX"] = folder
    subprocess.run([sys.executable, "-c", "import locust.main, locustfile, bench.truth_server"], cwd=ROOT, check=True)


def main() -> None:
    """Measure all points in turns, print each and the medians."""
    parser = argparse.ArgumentParser(prog="bench.streams", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--streams", default=",".join(map(str, STREAMS)))
    parser.add_argument("--ways", default=",".join(WAYS), help="%(default)s")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=8.0, help="of load after the ramp-up, a point")
    parser.add_argument("--step-ms", type=float, default=20.0, help="time of a token")
    parser.add_argument("--tokens", type=int, default=100, help="of an answer")
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--ramp", type=float, default=RAMP_S, help="seconds until all users run; in step half of it")
    parser.add_argument("--out", type=Path, default=results.FOLDER / "streams.jsonl")
    given = parser.parse_args()
    ways = given.ways.split(",")
    if unknown := set(ways) - set(WAYS):
        parser.error(f"--ways: no such way: {', '.join(sorted(unknown))}")
    one = Asked(
        step_ms=given.step_ms, tokens=given.tokens, workers=given.workers, seconds=given.seconds, ramp_s=given.ramp
    )
    wanted = points([int(count) for count in given.streams.split(",")], ways, one)
    results.begin(given.out, resume=True)
    stalls = Stalls()
    print(line(list(COLUMNS)))
    rows: dict[str, list[tuple[list[float], str]]] = {name: [] for name in wanted}
    with tempfile.TemporaryDirectory() as folder:
        _compile_into(folder)
        made = certificate.make(Path(folder)) if "tls" in ways else ""
        for _ in range(given.rounds):
            for name, asked in wanted.items():
                point, least = measured(replace(asked, certificate=made if name.endswith("tls") else ""), stalls)
                about = {"name": name, "asked": asdict(asked), "floor": least and asdict(least)}
                results.append(given.out, {**about, **point.row()})
                rows[name].append((figures(point, least), verdict(point)))
                shown, says = rows[name][-1]
                print(line([name, *map(cell, shown), says]), flush=True)
    print(f"medians of {given.rounds}")
    for name, found in rows.items():
        medians = [statistics.median(values) for values in zip(*(row for row, _ in found), strict=True)]
        valid = sum(says == "VALID" for _, says in found)
        print(line([name, *map(cell, medians), f"{valid} of {len(found)} VALID"]))


if __name__ == "__main__":
    main()
