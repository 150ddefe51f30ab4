"""`make bench-quick`: error and cost of our transport beside a plain `requests` user, against the truth.

100 streams at 20 ms a token, one Locust process each, in turns (see `bench.measure`).
"""

import argparse
from collections.abc import Callable
from statistics import median

from bench import curve
from bench.measure import Asked, Point, measure
from bench.noise import Stalls

STREAMS, STEP_MS = 100, 20.0
OURS, PLAIN = "OursUser", "PlainRequestsUser"
FIGURES: dict[str, Callable[[Point], float | None]] = {
    "gap error p99, ms": lambda point: point.gap_ms.p99,
    "TTFT error p99, ms": lambda point: point.ttft_ms.p99,
    "CPU a token, µs": lambda point: 1e3 * point.cpu_test_s_per_1000_tokens,
}


def main() -> None:
    """Run all in turns, print a row a run and the medians' ratios."""
    parser = argparse.ArgumentParser(prog="bench.quick", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=13.0, help="of load after the ramp-up, a run")
    given = parser.parse_args()
    stalls, found = Stalls(), dict[str, list[Point]]({OURS: [], PLAIN: []})
    print(f"{STREAMS} streams x {1e3 / STEP_MS:g} tokens/s; |client - truth|, ms; CPU while the test runs, µs a token")
    print(curve.line(curve.COLUMNS))
    for _ in range(given.rounds):
        for client, points in found.items():
            points.append(measure(Asked(client, STREAMS, STEP_MS, seconds=given.seconds), stalls))
            print(curve.line(curve.cells(client, points[-1])), flush=True)
    for what, figure in FIGURES.items():
        ours, plain = (median([figure(point) or 0.0 for point in points]) for points in found.values())
        ratio = ours / plain if plain else float("nan")
        print(f"{what}: ours {ours:.3f}, requests {plain:.3f}, ratio {ratio:.3f} (medians of {given.rounds} runs)")


if __name__ == "__main__":
    main()
