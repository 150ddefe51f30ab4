"""`python -m bench.report`: writes docs/accuracy.md from the results of bench.curve, .compare, .trial, .memory.

What was not measured is left out, and said to be.
"""

import argparse
from pathlib import Path

from bench import results, trial
from bench.markdown import number, table
from bench.report_comparison import comparison
from bench.report_curve import curve, noise
from bench.report_goals import goals
from bench.results import Row

INTRODUCTION = """# How accurate, and at what cost

Written by `make bench` (`python -m bench.report`) from what was measured; nothing in it is typed by hand.

A server that logs the truth (`bench/truth_server.py`) sends tokens in steps, as an engine with continuous batching
does: every 10, 20 or 50 ms each stream gets one, all in one burst. It notes the wall clock right before each write, and
the kernel's stamp of each request's arrival, which on loopback is the moment of its departure. A client's error is
|client − truth| of one duration: TTFT (the request's departure to the first token's write), gap (between the writes of
two tokens), E2E (departure to the last write). All errors are in ms; p50, p99 and max are of single errors, not
differences of percentiles. Answers last 2 s, users start and end spread over time (but where a table says in step), and
what counts are requests that were sent when all users were up. Server and client have a core each, as if each had a
machine; two workers on two cores share them with the server, which shows.

Client and server shared this machine: {machine}.
"""


def trials(rows: list[Row]) -> str:
    """Does a run know when it may not be believed?"""
    runs = [row for row in rows if "number" in row]
    if not runs:
        return ""
    said = (
        "The same small load (40 streams, 4 s) again and again, undisturbed and hindered on purpose in turns: by a "
        "greenlet that keeps the event loop busy for 45 to 105 ms at a time, by 8 to 14 processes on its core, "
        "by 1,400 to 2,000 streams for one worker. Bad is a run whose p99 error of gaps, TTFT or E2E is over 5 % "
        "of the median, or 10 ms, by the truth; VALID and INVALID is what the run said of itself."
    )
    return f"## Does a run know when it may not be believed?\n\n{said}\n\n{trial.confusion(runs)}"


def memory(rows: list[Row]) -> str:
    """What the client's memory did over the requests."""
    samples = [row for row in rows if "rss_mb" in row]
    if not samples:
        return "## Memory over many requests\n\nNot measured."
    summary: Row = next((row for row in rows if "grown_mb" in row), {})
    said = (
        f"{samples[-1]['requests']:,} requests of a few tokens by one Locust process with our locustfile, run folder "
        f"and CSVs as usual, the server answering at once ({number(summary.get('requests_per_s'), 0)} requests/s). "
    )
    if summary.get("grown_mb") is not None:
        said += f"Growth after the first {summary['after']:,}: {number(summary['grown_mb'], 1)} MB."
    cells = [[f"{row['requests']:,}", number(row["rss_mb"], 1), number(row["wall_s"], 0)] for row in samples]
    return f"## Memory over many requests\n\n{said}\n\n{table(('requests', 'RSS, MB', 'after, s'), cells)}"


def document(curve_rows: list[Row], compared: list[Row], memory_rows: list[Row], tried: list[Row]) -> str:
    """The whole page as Markdown."""
    machines = [row["machine"] for rows in (curve_rows, compared, memory_rows) for row in rows if "machine" in row]
    machine = ", ".join(f"{name} {value}" for name, value in machines[0].items()) if machines else "unknown"
    points = [row for row in curve_rows if "name" in row]
    parts = [INTRODUCTION.format(machine=machine), goals(points, compared, memory_rows), noise(points)]
    parts += [comparison(compared), curve(points), trials(tried), memory(memory_rows)]
    return "\n\n".join(part.strip() for part in parts if part) + "\n"


def main() -> None:
    """Read the results, write the page."""
    parser = argparse.ArgumentParser(prog="bench.report", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--curve", type=Path, default=results.CURVE)
    parser.add_argument("--comparisons", type=Path, default=results.COMPARISONS)
    parser.add_argument("--memory", type=Path, default=results.MEMORY)
    parser.add_argument("--trial", type=Path, default=results.TRIAL)
    parser.add_argument("--out", type=Path, default=Path("docs/accuracy.md"))
    given = parser.parse_args()
    given.out.parent.mkdir(parents=True, exist_ok=True)
    paths = (given.curve, given.comparisons, given.memory, given.trial)
    given.out.write_text(document(*(results.read(path) for path in paths)))
    print(f"bench: wrote {given.out}")


if __name__ == "__main__":
    main()
