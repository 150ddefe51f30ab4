"""`make bench-workers`: do two workers get twice the tokens of one, at the same accuracy?

Each worker would need a core of its own, and so would the server. Here all share what there is, so each worker gets a
slice of a core (`bench.slices`), small enough that server, master and two of them together leave some of the machine
to others: a worker's limit is then its slice and nothing else. One worker and two are loaded in turns with more and
more streams each; what counts are the most tokens/s at which the run called itself VALID and the truth agrees.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import psutil

from bench import machine, results, simulated
from bench.markdown import number, table
from bench.measure import believed, clean_environment, compare, free_port
from bench.noise import Stalls
from bench.percentiles import median, spread
from bench.slices import move, slice_of
from bench.truth import ROOT, serving, take

OUT = results.FOLDER / "workers.jsonl"
PAGE = ROOT / "docs" / "distributed.md"
STEP_MS, TOKENS, SHARE = 20.0, 100, 0.45
STREAMS = (80, 110, 140, 170, 200)  # of each worker
RAMP_S, STAGGER_S, SECONDS = 1.0, 1.0, 6.0
GAP_ERROR_MS, WANTED = 0.05 * STEP_MS, 1.8


@dataclass(frozen=True, slots=True)
class Point:
    """One run. `tokens_per_s`: that the server wrote while all users were up; CPU in µs a token, of workers and server.

    `idle`: of all cores, so that the machine was not the limit (what else runs on it counts as busy); `gap_error_ms`,
    `ttft_error_ms`: p99 against the truth.
    """

    round: int
    workers: int
    streams: int
    tokens_per_s: float
    verdict: str
    rules: tuple[str, ...]
    gap_error_ms: float
    ttft_error_ms: float
    worker_us: float
    server_us: float
    idle: float
    stall_ms_p99: float

    @property
    def good(self) -> bool:
        """VALID, and the truth agrees."""
        return self.verdict == "VALID" and self.gap_error_ms <= GAP_ERROR_MS


class Busy:
    """How busy the machine's cores are, every quarter of a second, in a thread."""

    def __init__(self) -> None:
        self._seen: list[tuple[int, float]] = []
        threading.Thread(target=self._watch, daemon=True).start()

    def _watch(self) -> None:
        while True:
            self._seen.append((time.time_ns(), psutil.cpu_percent(0.25) / 100))

    def between(self, from_ns: int, to_ns: int) -> float:
        """The mean share of all cores that was used, wall-clock ns."""
        seen = [share for ns, share in self._seen if from_ns <= ns < to_ns]
        return sum(seen) / max(1, len(seen))


def measure(url: str, turn: int, streams: int, places: Sequence[Path], rest: Path, stalls: Stalls, busy: Busy) -> Point:
    """One run with a worker in each of the places, the master in the rest. SystemExit if it fails."""
    workers = len(places)
    port = str(free_port())
    locust = [sys.executable, "-m", "locust", "-f", "bench/clients.py", "OursUser", "--host", url, "--model", "sim"]
    locust += ["--loglevel", "ERROR"]
    asked = ["--master", "--headless", "--only-summary", "--no-report", "--max-tokens", str(TOKENS)]
    asked += ["--expect-workers", str(workers), "--master-bind-host", "127.0.0.1", "--master-bind-port", port]
    asked += ["--users", str(streams * workers), "--spawn-rate", str(streams * workers / RAMP_S)]
    asked += ["--run-time", f"{round(RAMP_S + STAGGER_S + SECONDS)}s"]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        env = clean_environment(BENCH_SEEN=str(folder / "seen"), BENCH_STAGGER_S=str(STAGGER_S))
        runs = ["--run-dir", str(folder / "runs")]
        take(url)
        stalls.take()
        worker = [*locust, *runs, "--worker", "--master-host", "127.0.0.1", "--master-port", port]
        quiet: dict[str, Any] = {"cwd": ROOT, "env": env, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        running = [subprocess.Popen(worker, preexec_fn=partial(move, place), **quiet) for place in places]
        began_s = time.monotonic()
        try:
            done = subprocess.run(
                [*locust, *runs, *asked],
                cwd=ROOT,
                env=env,
                capture_output=True,
                text=True,
                check=False,
                timeout=180,
                preexec_fn=partial(move, rest),
            )
            wall_s = time.monotonic() - began_s
            noise = spread(stalls.take())
            roles = ["master", *map(str, range(workers))]
            beliefs = [believed(folder / f"seen.{role}", done) for role in roles]
        finally:
            for each in running:
                each.kill()
                each.wait()
        (run_path,) = (folder / "runs").glob("*/run.json")
        truth, run = take(url), json.loads(run_path.read_text())
    point = compare(beliefs, truth, run, noise, wall_s)
    steady_ns = max(each["steady_ns"] or 0 for each in beliefs)
    until_ns = steady_ns + int((SECONDS - 1) * 1e9)
    tokens = sum(steady_ns <= ns < until_ns for answer in truth.answers for ns in answer.before_ns)
    return Point(
        round=turn,
        workers=workers,
        streams=streams,
        tokens_per_s=tokens / (SECONDS - 1),
        verdict=str(point.verdict),
        rules=tuple(finding["rule"] for finding in point.findings if finding["level"] == "invalid"),
        gap_error_ms=point.gap_ms.p99 or 0.0,
        ttft_error_ms=point.ttft_ms.p99 or 0.0,
        worker_us=1e3 * point.cpu_test_s_per_1000_tokens,
        server_us=1e6 * truth.facts["cpu_s"] / max(1, truth.tokens),
        idle=1 - busy.between(steady_ns, until_ns),
        stall_ms_p99=noise.p99 or 0.0,
    )


def best(points: Sequence[Point], turn: int, workers: int) -> float:
    """The most tokens/s of a round that may be believed; 0 if none."""
    return max((p.tokens_per_s for p in points if (p.round, p.workers) == (turn, workers) and p.good), default=0.0)


def text(points: Sequence[Point]) -> str:
    """The table, and what comes of it."""
    turns = sorted({p.round for p in points})
    heads = ["streams of each", "workers", "tokens/s", "VALID and right", "gap error p99, ms", "TTFT error p99, ms"]
    heads += ["µs a token, workers", "server", "machine idle, %", "stall p99, ms"]
    shown = []
    for streams, workers in sorted({(p.streams, p.workers) for p in points}):
        some = [p for p in points if (p.streams, p.workers) == (streams, workers)]
        names = ("tokens_per_s", "gap_error_ms", "ttft_error_ms", "worker_us", "server_us", "stall_ms_p99")
        rate, gap, ttft, worker, server, stall = (median([getattr(p, name) for p in some]) for name in names)
        valid = f"{sum(p.good for p in some)} of {len(some)}"
        cells = [str(streams), str(workers), number(rate, 0), valid, number(gap), number(ttft), number(worker, 1)]
        shown.append([*cells, number(server, 1), number(100 * median([p.idle for p in some]), 0), number(stall, 1)])
    pairs = [(a, b) for a in points for b in points if (a.round, a.streams) == (b.round, b.streams)]
    costs = [one.worker_us / two.worker_us for one, two in pairs if (one.workers, two.workers) == (1, 2)]
    same = [two.tokens_per_s / one.tokens_per_s for one, two in pairs if (one.workers, two.workers) == (1, 2)]
    one, two = (median([best(points, turn, workers) for turn in turns]) for workers in (1, 2))
    facts = ", ".join(machine.facts()[name] for name in ("cpu", "kernel", "date"))
    return "\n".join(
        [
            f"A worker had {100 * SHARE:.0f} % of a core, a token came each {STEP_MS:.0f} ms; medians of "
            f"{len(turns)} {'round' if len(turns) == 1 else 'rounds'} on {facts}.",
            "",
            table(heads, shown),
            "",
            f"At equal streams each, two workers read {number(min(same), 2)} to {number(max(same), 2)} × the tokens/s "
            f"of one (wanted ≥ {WANTED}), and a CPU second of theirs {number(median(costs), 2)} × as many tokens (from "
            f"{number(min(costs), 2)} to {number(max(costs), 2)}). The most that was VALID and, by the truth, right "
            f"({GAP_ERROR_MS:g} ms at p99): {one:,.0f} tokens/s with one worker, {two:,.0f} with two.",
        ]
    )


def main() -> None:
    """Rounds of all points, in turns, as many as are missing; then the page."""
    parser = argparse.ArgumentParser(prog="bench.two_workers", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--resume", action="store_true", help="go on with the file")
    parser.add_argument("--most", type=int, default=999, help="points to measure now")
    parser.add_argument("--out", type=Path, default=OUT)
    given = parser.parse_args()
    known = [row for row in results.begin(given.out, resume=given.resume) if "workers" in row]
    points = [Point(**{**row, "rules": tuple(row["rules"])}) for row in known]
    done = {(p.round, p.streams, p.workers) for p in points}
    every = [(turn, s, w) for turn in range(given.rounds) for s in STREAMS for w in (1, 2)]
    stalls, busy = Stalls(), Busy()
    with slice_of(None) as rest, serving("--step-ms", str(STEP_MS)) as url:
        for server in psutil.Process().children():
            move(rest, server.pid)
        for turn, streams, workers in [point for point in every if point not in done][: given.most]:
            with ExitStack() as stack:
                places = [stack.enter_context(slice_of(SHARE)) for _ in range(workers)]
                points.append(measure(url, turn, streams, places, rest, stalls, busy))
            results.append(given.out, asdict(points[-1]))
            print(points[-1], flush=True)
    if len(points) == len(every):
        simulated.publish("two-workers", text(points), PAGE)


if __name__ == "__main__":
    main()
