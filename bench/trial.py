"""`python -m bench.trial`: does a run know when it may not be believed? Quiet runs and hindered ones, in turns.

The client is hindered in three ways: its event loop is kept busy by a greenlet, its core is shared with other
processes, or it has far more streams than a core can read. Whether a run was bad is told by the truth: its p99 error of
the gaps, of TTFT or of E2E is over 5 % of the median, or 10 ms.
"""

import argparse
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from bench import cores, results
from bench.markdown import number as shown
from bench.markdown import table
from bench.measure import Asked, Point, measure_at, truth_server
from bench.noise import Stalls
from bench.percentiles import Spread
from bench.results import Row

STEP_MS, TTFT_MS, ERROR_SHARE, ERROR_MS = 20.0, 30.0, 0.05, 10.0
QUIET = Asked("OursUser", streams=40, step_ms=STEP_MS, tokens=50, seconds=3.5, stagger_s=0.5, ramp_s=0.5)
WAYS = ("busy loop", "shared core", "too many streams")
HOG = "while True: pass"


def is_bad(point: Point) -> bool:
    """By the truth."""

    def over(error: Spread, median_ms: float) -> bool:
        return (error.p99 or 0.0) > min(ERROR_MS, ERROR_SHARE * median_ms)

    answer_ms = TTFT_MS + STEP_MS * QUIET.tokens
    return over(point.gap_ms, STEP_MS) or over(point.ttft_ms, TTFT_MS) or over(point.e2e_ms, answer_ms)


@contextmanager
def hogs(number: int) -> Iterator[None]:
    """So many processes that want the clients' core."""
    pin = cores.pinned(cores.split(1)[1])
    running = [subprocess.Popen([sys.executable, "-c", HOG], preexec_fn=pin) for _ in range(number)]
    try:
        yield
    finally:
        for process in running:
            process.kill()
            process.wait()


def run(number: int, hindered: str, url: str, stalls: Stalls) -> Row:
    """One run, hindered so or not, how hard by its number: `bad` by the truth, `flagged` by itself."""
    hard = number % 7
    asked, more = QUIET, {}
    if hindered == "busy loop":
        more = {"BENCH_BUSY_MS": f"{45 + 10 * hard}"}
    elif hindered == "too many streams":
        asked = replace(QUIET, streams=1400 + 100 * hard, tokens=100)
    with hogs(8 + hard if hindered == "shared core" else 0):
        point = measure_at(url, asked, stalls, more)
    row: Row = {"number": number, "hindered": hindered, "bad": is_bad(point), "flagged": point.verdict == "INVALID"}
    row["rules"] = [finding["rule"] for finding in point.findings if finding["level"] == "invalid"]
    return {**row, "gap_error_p99_ms": point.gap_ms.p99, "ttft_error_p99_ms": point.ttft_ms.p99}


def confusion(rows: list[Row]) -> str:
    """The confusion table, as Markdown."""
    counts = Counter((row["hindered"] or "quiet", row["bad"], row["flagged"]) for row in rows)
    cells = []
    for way in ("quiet", *WAYS):
        numbers = [counts[way, *seen] for seen in ((True, True), (True, False), (False, False), (False, True))]
        cells.append([way, *map(str, (sum(numbers), *numbers))])
    return table(("client", "runs", "bad, INVALID", "bad, VALID", "good, VALID", "good, INVALID"), cells)


def main() -> None:
    """Run them in turns, print one line a run, then the table."""
    parser = argparse.ArgumentParser(prog="bench.trial", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--runs", type=int, default=100, help="of each kind")
    parser.add_argument("--out", type=Path, default=results.TRIAL)
    parser.add_argument("--resume", action="store_true", help="go on with the file")
    given = parser.parse_args()
    known = [row for row in results.begin(given.out, resume=given.resume) if "number" in row]
    stalls = Stalls()
    with truth_server(QUIET) as url:
        for number in range(len(known), 2 * given.runs):
            hindered = WAYS[number // 2 % len(WAYS)] if number % 2 else ""
            known.append(row := run(number, hindered, url, stalls))
            results.append(given.out, row)
            found = f"{'bad' if row['bad'] else 'good'}, says {'INVALID' if row['flagged'] else 'VALID'}"
            errors = f"gap p99 {shown(row['gap_error_p99_ms'])}, TTFT p99 {shown(row['ttft_error_p99_ms'])} ms"
            print(f"{number:>4} {hindered or 'quiet'}: {found} {', '.join(row['rules'])}; {errors}", flush=True)
    print(confusion(known))


if __name__ == "__main__":
    main()
