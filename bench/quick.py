"""`make bench-quick`: error and cost of our transport beside a plain `requests` user, against the truth.

100 streams at 20 ms a token, one Locust process each, in turns (see `bench.measure`).
"""

from bench.measure import Asked, Point, measure
from bench.noise import Stalls
from bench.percentiles import median

STREAMS, STEP_MS, SECONDS, ROUNDS = 100, 20.0, 13.0, 3
CLIENTS = ("OursUser", "PlainRequestsUser")
COLUMNS = ("gap p50", "gap p99", "gap max", "TTFT p50", "TTFT p99", "E2E p99", "CPU/token", "stall p99", "stall max")


def figures(point: Point) -> list[float]:
    """In the order of COLUMNS: ms, the CPU in µs."""
    gap, ttft, stall = point.gap_ms, point.ttft_ms, point.stall_ms
    cpu_us = 1e3 * point.cpu_test_s_per_1000_tokens
    all_of = (gap.p50, gap.p99, gap.max, ttft.p50, ttft.p99, point.e2e_ms.p99, cpu_us, stall.p99, stall.max)
    return [float("nan") if value is None else value for value in all_of]


def main() -> None:
    """Run all in turns, print a row a run and the medians' ratios."""
    stalls = Stalls()
    print(f"{STREAMS} streams x {1e3 / STEP_MS:g} tokens/s, {SECONDS:g} s a run after the ramp-up")
    print("error = |client - truth|, ms; CPU while the test runs, µs a token; stall: the machine's noise, ms")
    print(f"{'client':18}{'n':>6}{'tokens':>8}" + "".join(f"{column:>10}" for column in COLUMNS))
    rows: dict[str, list[list[float]]] = {client: [] for client in CLIENTS}
    for _ in range(ROUNDS):
        for client in CLIENTS:
            point = measure(Asked(client, STREAMS, STEP_MS, seconds=SECONDS), stalls)
            rows[client].append(figures(point))
            shown = "".join(f"{figure:>10.3f}" for figure in rows[client][-1])
            print(f"{client:18}{point.requests:>6}{point.tokens:>8}{shown}", flush=True)
    for what, column in (("gap error p99, ms", 1), ("TTFT error p99, ms", 4), ("CPU a token, µs", 6)):
        ours, plain = (median([row[column] for row in rows[client]]) for client in CLIENTS)
        print(f"{what}: ours {ours:.3f}, requests {plain:.3f}, ratio {ours / plain:.3f} (medians of {ROUNDS} runs)")


if __name__ == "__main__":
    main()
