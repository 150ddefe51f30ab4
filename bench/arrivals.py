"""`make bench-arrivals`: are an open loop's requests due and sent when theory has them, and how late are they sent?

2,000 arrivals a run on the simulator, into docs/open-loop.md. Lateness is sent - due; a request for which a connection
had to be opened first has that in it, so it is shown without that time too. KS is sqrt(n) D of the gaps against the
exponential distribution (1.63 is the limit at 1 %), CV their coefficient of variation. stall: how late a process that
only sleeps woke up meanwhile, which is the machine's.
"""

import argparse
import itertools
from dataclasses import dataclass

from bench import machine, theory
from bench.markdown import number, table
from bench.noise import Stalls
from bench.percentiles import Spread, spread
from bench.simulated import publish, run, serving
from tokenswarm.load.arrivals import parse

N = 2000
# An answer takes 3 ms: what is measured is the sending.
SIMULATOR: tuple[str, ...] = ("--decode-tps", "2000", "--load-ms", "1", "--output-tokens", "6", "--output-cv", "0")
SIMULATOR += ("--slowdown", "0", "--parallel", "256")
CASES = [(f"poisson {rate}/s", workers) for rate in (50, 200, 500) for workers in (1, 2)]
CASES += [("gamma 200/s cv=2", 2), ("gamma 200/s cv=0.5", 2), ("constant 200/s", 2)]
HEADS: tuple[str, ...] = ("arrivals", "workers", "n", "due, error ns", "KS due", "KS sent", "CV due", "CV sent")
HEADS += ("late p50", "p99", "max", "unconnected p99", "connects", "stall p99", "max")


@dataclass(frozen=True, slots=True)
class Found:
    """One run: n, how far a due time is from theory's, tests of the gaps, times in ms."""

    due_error_ns: int
    ks: tuple[float, float]
    cv: tuple[float, float]
    late: Spread
    unconnected: Spread
    connects: int
    stall: Spread

    def cells(self) -> list[str]:
        """As the table has them."""
        late, bare = self.late, self.unconnected
        ks = [number(value, 2) for value in self.ks]
        cv = [number(value, 3) for value in self.cv]
        times = [number(value, 2) for value in (late.p50, late.p99, late.max, bare.p99)]
        stall = [number(value, 2) for value in (self.stall.p99, self.stall.max)]
        return [str(late.n), str(self.due_error_ns), *ks, *cv, *times, str(self.connects), *stall]


def measure(arrivals: str, workers: int, n: int, stalls: Stalls) -> Found:
    """One run of n arrivals."""
    process = parse(arrivals)
    expected_s = list(itertools.islice(process.times_s(0), n))
    # The run's time counts from when the users start; the first arrival from 0.6 s after they are there.
    options = ("--arrivals", arrivals, "--run-time", f"{round(expected_s[-1] + 4)}s", "--max-in-flight", "200")
    with serving(*SIMULATOR) as server:
        stalls.take()
        rows = run(server.url, *options, workers=workers)
        stall = spread(stalls.take())
    rows = sorted(rows, key=lambda row: int(row["scheduled_unix_ns"]))[:n]
    due = [int(row["scheduled_unix_ns"]) for row in rows]
    started_ns = due[0] - round(expected_s[0] * 1e9)
    sent = [row for row in rows if row["sent_unix_ns"]]
    both = [theory.gaps(due), theory.gaps([int(row["sent_unix_ns"]) for row in sent])]
    mean_ns = 1e9 / process.rates_per_s[0]
    ks = [theory.kolmogorov_smirnov(gaps, theory.exponential(mean_ns)) for gaps in both]
    late = [float(row["lateness_ms"]) for row in sent]
    return Found(
        due_error_ns=max(abs(at - started_ns - round(s * 1e9)) for at, s in zip(due, expected_s, strict=True)),
        ks=(ks[0], ks[1]),
        cv=(theory.variation(both[0]), theory.variation(both[1])),
        late=spread(late),
        unconnected=spread([float(row["lateness_ms"]) - float(row["connect_ms"] or 0) for row in sent]),
        connects=sum(row["connect_ms"] != "" for row in sent),
        stall=stall,
    )


def main() -> None:
    """Run them one after the other; a line each, then the table."""
    parser = argparse.ArgumentParser(prog="bench.arrivals", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--n", type=int, default=N, help="arrivals a run")
    given = parser.parse_args()
    stalls, cells = Stalls(), []
    for arrivals, workers in CASES:
        found = measure(arrivals, workers, given.n, stalls)
        cells.append([arrivals, str(workers), *found.cells()])
        print(", ".join(f"{head} {cell}" for head, cell in zip(HEADS, cells[-1], strict=True)), flush=True)
    facts = ", ".join(f"{name} {value}" for name, value in machine.facts().items())
    publish("arrivals", f"{table(HEADS, cells)}\n\nTimes in ms. Measured on one machine: {facts}.")


if __name__ == "__main__":
    main()
