"""`make bench-master`: what workers cost their master, CPU and memory, and what that says of a hundred of them.

The master is the real one (`locust --master --headless`, sealed as between machines) on a core of its own; the workers
are those of `bench.lean_workers`, on the other core, which send rows of a real run, beats, questions about the time and
Locust's reports. Sampled over ten seconds from the fourth on. A point at which rows waited for seconds is saturated,
and in no line; what it wrote is then the most that there is here. Lines go through the others, by least squares.
"""

import argparse
import json
import secrets
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import psutil

from bench import cores, machine, results, simulated
from bench.markdown import number, table
from bench.measure import clean_environment, free_port
from bench.noise import Stalls
from bench.percentiles import spread
from bench.truth import ROOT, serving
from tokenswarm.settings.secrets import TOKEN

OUT = results.FOLDER / "master.jsonl"
PAGE = ROOT / "docs" / "distributed.md"
WORKERS, ROWS_PER_S = (2, 8, 32), (100, 1000)
SETTLE_S, SAMPLE_S = 4.0, 10.0
BEHIND_S = 2.0  # workers send twice a second
ASKED_WORKERS, ASKED_PER_S, ASKED_MIN = 100, 100, 10


@dataclass(frozen=True, slots=True)
class Point:
    """One run: CPU as a share of a core, MiB resident and rows at both ends of the sample, ms until the master answered
    a question (p50, p99, max), and the longest that rows waited for it.

    `closing_…`: from the end of the load to the end of the process: the last rows, the verdict. `lean_cpu`: of the
    workers' process, which must not be the limit. `stall_ms_p99`: the machine's noise.
    """

    workers: int
    rows_per_s: float
    asked_per_s: float
    cpu: float
    mib: tuple[float, float]
    rows: tuple[int, int]
    answer_ms: tuple[float, float, float]
    behind_s: float
    lean_cpu: float
    closing_cpu_s: float
    closing_s: float
    row_bytes: float
    stall_ms_p99: float

    @property
    def saturated(self) -> bool:
        """Did rows wait?"""
        return self.behind_s > BEHIND_S


def real_rows(folder: Path, seconds: int = 8) -> Path:
    """The requests.csv of a short run on the simulator."""
    with simulated.serving("--decode-tps", "100", "--parallel", "32") as server:
        options = ("--users", "16", "--spawn-rate", "16", "--run-time", f"{seconds}s", "--max-tokens", "100")
        simulated.rows(simulated.start(server.url, folder, *options), folder)
    return next(folder.glob("*/requests.csv"))


def measure(url: str, workers: int, per_worker_s: int, rows: Path, stalls: Stalls) -> Point:
    """One point. SystemExit if the master or the workers fail."""
    mine, theirs = cores.split(1)
    port, env = str(free_port()), clean_environment(**{TOKEN: secrets.token_hex(32)})
    locust = [sys.executable, "-m", "locust", "--master", "--headless", "--only-summary", "--loglevel", "ERROR"]
    locust += ["--master-bind-host", "127.0.0.1", "--master-bind-port", port, "--expect-workers", str(workers)]
    locust += ["--host", url, "--model", "sim", "OllamaChatUser", "--no-report", "--users", str(workers)]
    locust += ["--spawn-rate", str(workers), "--run-time", f"{round(SETTLE_S + SAMPLE_S + 2)}s"]
    lean = [sys.executable, "-m", "bench.lean_workers", "--port", port, "--workers", str(workers)]
    lean += ["--rows-per-s", str(per_worker_s), "--rows", str(rows)]
    with tempfile.TemporaryDirectory() as name:
        runs, said = Path(name) / "runs", Path(name) / "said"
        with said.open("w") as log:
            locust += ["--run-dir", str(runs)]
            quiet: dict[str, Any] = {"cwd": ROOT, "env": env, "stderr": log, "text": True}
            master = subprocess.Popen(locust, **quiet, stdout=log, preexec_fn=cores.pinned(mine))
            others = subprocess.Popen(lean, **quiet, stdout=subprocess.PIPE, preexec_fn=cores.pinned(theirs))
            try:
                found = _sampled(master, runs, stalls, workers * per_worker_s)
                told = json.loads(others.communicate(timeout=60)[0] or "null") if found else None
            finally:
                for process in (master, others):
                    process.kill()
                    process.wait()
        if not found or not told:
            sys.exit(f"bench: the master or the workers ended early: {said.read_text()[-2000:]}")
        lean_cpu, answer_ms = told["cpu_s"] / told["wall_s"], tuple(told["answer_ms"])
        return Point(workers=workers, answer_ms=answer_ms, behind_s=told["behind_s"], lean_cpu=lean_cpu, **found)


def _sampled(master: "subprocess.Popen[str]", runs: Path, stalls: Stalls, asked: float) -> dict[str, Any]:
    process, until_s = psutil.Process(master.pid), time.monotonic() + 90
    while not (written := next(runs.glob("*/requests.csv"), None)) or written.stat().st_size < 20_000:
        if master.poll() is not None or time.monotonic() > until_s:
            return {}
        time.sleep(0.05)

    def now() -> tuple[float, float, int, float]:
        times = process.cpu_times()
        return times.user + times.system, process.memory_info().rss / 2**20, written.stat().st_size, time.monotonic()

    time.sleep(SETTLE_S)
    stalls.take()
    cpu_s, mib, size, at_s = now()
    time.sleep(SAMPLE_S)
    later_cpu_s, later_mib, later_size, later_s = now()
    stall = spread(stalls.take()).p99 or 0.0
    time.sleep(2)
    closing_s, closing_cpu_s = time.monotonic(), now()[0]
    spent_s = closing_cpu_s
    while master.poll() is None:
        with suppress(psutil.Error):  # it may end just now
            spent_s = max(spent_s, now()[0])
        time.sleep(0.05)
    took_s = later_s - at_s
    with written.open("rb") as file:
        rows = [file.read(size).count(b"\n") - 1, file.read(later_size - size).count(b"\n")]
    return {
        "asked_per_s": asked,
        "rows_per_s": rows[1] / took_s,
        "cpu": (later_cpu_s - cpu_s) / took_s,
        "mib": (mib, later_mib),
        "rows": (rows[0], sum(rows)),
        "closing_cpu_s": spent_s - closing_cpu_s,
        "closing_s": time.monotonic() - closing_s,
        "row_bytes": (later_size - size) / max(1, rows[1]),
        "stall_ms_p99": stall,
    }


def line(points: list[Point]) -> tuple[list[float], list[float]]:
    """(CPU: share of a core at rest, per worker, per row a second; memory: MiB at rest, per worker, per row)."""
    cpu = np.array([[1, p.workers, p.rows_per_s] for p in points])
    memory = np.array([[1, p.workers, rows] for p in points for rows in p.rows])
    mib = [mib for p in points for mib in p.mib]
    least_squares = np.linalg.lstsq
    return (
        least_squares(cpu, np.array([p.cpu for p in points]), rcond=None)[0].tolist(),
        least_squares(memory, np.array(mib), rcond=None)[0].tolist(),
    )


def text(points: list[Point]) -> str:
    """The table and the lines, as the page has them."""
    heads = [
        "workers",
        "rows/s asked",
        "written",
        "CPU, % of a core",
        "µs a row",
        "MiB",
        "answer p50, ms",
        "p99",
        "max",
    ]
    heads += ["rows waited, s", "workers' own CPU, %", "closing, s", "CPU s", "stall p99, ms"]
    shown = []
    for p in points:
        cells = [str(p.workers), number(p.asked_per_s, 0), number(p.rows_per_s, 0), number(100 * p.cpu, 1)]
        cells += [number(1e6 * p.cpu / p.rows_per_s, 1), f"{p.mib[0]:.0f} → {p.mib[1]:.0f}"]
        cells += [number(value, 1) for value in (*p.answer_ms, p.behind_s, 100 * p.lean_cpu)]
        shown.append([*cells, *(number(value, 1) for value in (p.closing_s, p.closing_cpu_s, p.stall_ms_p99))])
    facts = ", ".join(machine.facts()[name] for name in ("cpu", "kernel", "date"))
    said = [f"Measured on {facts}; a row had {points[-1].row_bytes:.0f} bytes.", "", table(heads, shown)]
    if len(free := [p for p in points if not p.saturated]) > 3:
        said += ["", _said(len(free), *line(free))]
    for p in points:
        if p.saturated:
            what = f"{p.asked_per_s:,.0f} rows/s from {p.workers} workers, of which {p.rows_per_s:,.0f} were written"
            said += ["", f"Saturated: {what}."]
    return "\n".join(said)


def _said(n: int, cpu: list[float], memory: list[float]) -> str:
    rows_per_s = ASKED_WORKERS * ASKED_PER_S
    percent = 100 * (cpu[0] + cpu[1] * ASKED_WORKERS + cpu[2] * rows_per_s)
    mib = memory[0] + memory[1] * ASKED_WORKERS + memory[2] * rows_per_s * 60 * ASKED_MIN
    return (
        f"Through the {n} points that are not saturated: CPU = {100 * cpu[0]:.2f} % of a core + {100 * cpu[1]:.3f} % a "
        f"worker + {1e6 * cpu[2]:.1f} µs a row; memory = {memory[0]:.0f} MiB + {memory[1]:.2f} MiB a worker + "
        f"{1e6 * memory[2]:.1f} MiB a million rows. So {ASKED_WORKERS} workers of {ASKED_PER_S} rows/s each would take "
        f"{percent:.0f} % of a core, and {mib:.0f} MiB after {ASKED_MIN} minutes."
    )


def main() -> None:
    """Measure each point, or what is missing of them; then the page."""
    parser = argparse.ArgumentParser(prog="bench.master_cost", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--resume", action="store_true", help="go on with the file")
    parser.add_argument("--most", type=int, default=99, help="points to measure now")
    parser.add_argument("--out", type=Path, default=OUT)
    given = parser.parse_args()
    known = [row for row in results.begin(given.out, resume=given.resume) if "workers" in row]
    points = [Point(**{**row, **{name: tuple(row[name]) for name in ("mib", "rows", "answer_ms")}}) for row in known]
    done = {(p.workers, p.asked_per_s) for p in points}
    asked = [(w, r) for r in ROWS_PER_S for w in WORKERS if (w, w * r) not in done][: given.most]
    with tempfile.TemporaryDirectory() as name, serving("--step-ms", "0") as url:
        rows, stalls = real_rows(Path(name)) if asked else Path(), Stalls()
        for workers, per_worker_s in asked:
            points.append(measure(url, workers, per_worker_s, rows, stalls))
            results.append(given.out, asdict(points[-1]))
            print(points[-1], flush=True)
    if len(points) == len(WORKERS) * len(ROWS_PER_S):
        simulated.publish("master-cost", text(points), PAGE)


if __name__ == "__main__":
    main()
