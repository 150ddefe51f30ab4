"""`python -m bench.streams`: what a token costs our worker at 100 to 2,000 streams × 50 tokens/s, and a C client.

Staggered, and in step: all users begin at once, so that their answers end together. Each point is one run of
`bench.measure` and one of `bench.floor` against the same server, in turns over the rounds; the medians of the rounds
are shown at the end. All of it takes nine minutes; `--rounds 1` a third of that. CPU is that of the client's process
while the test ran, per token that the server sent; the server's is its own process's.
"""

import argparse
import statistics
from dataclasses import asdict
from pathlib import Path
from typing import Any

from bench import cores, results
from bench.floor import Floor, floor
from bench.measure import Asked, Point, measure_at
from bench.noise import Stalls
from bench.truth import serving

STREAMS = (100, 600, 1000, 2000)
STEP_MS, TOKENS = 20.0, 100
COLUMNS = (
    "streams", "ours µs", "C µs", "C sys µs", "ratio", "gap p50", "gap p99", "TTFT p99", "lost %", "late p99",
    "pass p99", "server µs", "stall p99", "says",
)  # fmt: skip


def points(streams: list[int], seconds: float) -> dict[str, Asked]:
    """By name, `600` and `600-in-step`; an answer lasts 2 s."""
    found = {}
    for count in streams:
        said: dict[str, Any] = {"streams": count, "step_ms": STEP_MS, "tokens": TOKENS, "seconds": seconds}
        found[f"{count}"] = Asked(**said)
        found[f"{count}-in-step"] = Asked(**said, stagger_s=0.0, ramp_s=1.0)
    return found


def figures(point: Point, least: Floor | None) -> list[float]:
    """In the order of COLUMNS, without the first and the last."""
    ours_us = 1e3 * point.cpu_test_s_per_1000_tokens
    floor_us, system_us = (least.cpu_us, least.system_us) if least else (None, None)
    known = (
        ours_us, floor_us, system_us, floor_us and ours_us / floor_us, point.gap_ms.p50, point.gap_ms.p99,
        point.ttft_ms.p99, point.lost_percent, point.late_ms_p99, point.pass_ms_p99, point.server_us,
        point.stall_ms.p99,
    )  # fmt: skip
    return [float("nan") if value is None else value for value in known]


def line(cells: list[str]) -> str:
    """Cells in columns."""
    return f"{cells[0]:<14}" + "".join(f"{cell:>10}" for cell in cells[1:])


def main() -> None:
    """Measure all points in turns, print each and the medians."""
    parser = argparse.ArgumentParser(prog="bench.streams", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--streams", default=",".join(map(str, STREAMS)))
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=8.0, help="of load after the ramp-up, a point")
    parser.add_argument("--out", type=Path, default=results.FOLDER / "streams.jsonl")
    given = parser.parse_args()
    wanted = points([int(count) for count in given.streams.split(",")], given.seconds)
    results.begin(given.out, resume=True)
    stalls = Stalls()
    print(line(list(COLUMNS)))
    rows: dict[str, list[tuple[list[float], str]]] = {name: [] for name in wanted}
    for _ in range(given.rounds):
        for name, asked in wanted.items():
            with serving("--step-ms", str(asked.step_ms), cores=cores.split(1)[0]) as url:
                point, least = measure_at(url, asked, stalls), floor(url, asked)
            about = {"name": name, "asked": asdict(asked), "floor": least and asdict(least)}
            results.append(given.out, {**about, **point.row()})
            rows[name].append((figures(point, least), point.verdict or "–"))
            shown, says = rows[name][-1]
            print(line([name, *(f"{figure:.3f}" for figure in shown), says]), flush=True)
    print(f"medians of {given.rounds}")
    for name, found in rows.items():
        medians = [statistics.median(values) for values in zip(*(row for row, _ in found), strict=True)]
        valid = sum(says == "VALID" for _, says in found)
        print(line([name, *(f"{figure:.3f}" for figure in medians), f"{valid} VALID"]))


if __name__ == "__main__":
    main()
