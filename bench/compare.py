"""`python -m bench.compare`: five clients, one load, one truth: errors, CPU and memory of each, in turns.

Ours, plain requests, the openai SDK under gevent, AIPerf, GuideLLM; 100 streams at 20 ms a token, 400 requests of 200
tokens, a closed loop each. An error is |client − truth| of TTFT, each gap, and the end of a request as the client
defines it. CPU is of all processes of a client from start to end, the exports that it cannot do without included. The
other tools' virtual environments are made on first use (about 7 GB). Rows are added to those of former rounds.
"""

import argparse
import sys
import tempfile
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import partial
from importlib.metadata import version
from pathlib import Path

from bench import aiperf, guidellm, locusts, results
from bench.believed import Believed, errors
from bench.markdown import number
from bench.others import FOLDER, Load, Missing, python_of, version_of
from bench.percentiles import spread
from bench.report_comparison import FIGURES, OURS, comparison, figure
from bench.results import Row
from bench.spent import Spent
from bench.truth import serving, take

STREAMS, STEP_MS, REQUESTS, TOKENS = 100, 20, 400, 200


@dataclass(frozen=True, slots=True)
class Tool:
    """How to run one client, in a virtual environment of its own (`venv`) or in ours, and what it believed."""

    version: str
    venv: bool
    run: Callable[[Load, Path, Path], Spent]
    believed: Callable[[Path], list[Believed]]


TOOLS = {
    OURS: Tool("this checkout", False, partial(locusts.run, OURS), locusts.believed),
    "requests": Tool(version("requests"), False, partial(locusts.run, "requests"), locusts.believed),
    "openai": Tool(version_of("openai"), True, partial(locusts.run, "openai"), locusts.believed),
    "aiperf": Tool(version_of("aiperf"), True, aiperf.run, aiperf.believed),
    "guidellm": Tool(version_of("guidellm"), True, guidellm.run, guidellm.believed),
}


def row(name: str, number: int, load: Load, venvs: Path) -> Row:
    """One run of one tool as a row; one that failed says why under `failed`."""
    tool = TOOLS[name]
    made: Row = {"tool": name, "version": tool.version, "round": number}
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        try:
            take(load.url)
            spent = tool.run(load, folder, python_of(name, venvs) if tool.venv else Path(sys.executable))
            found = errors(tool.believed(folder), take(load.url))
        except (Missing, ValueError, LookupError, OSError) as error:
            return {**made, "failed": " ".join(f"{type(error).__name__}: {error}".split())}
    if found.mismatched:
        return {**made, "failed": found.mismatched[0]}
    made |= {"n": len(found.ttft_ms), "tokens": found.tokens}
    for what in ("ttft_ms", "gap_ms", "e2e_ms"):
        made[what] = asdict(spread(values)) if (values := getattr(found, what)) else None
    return made | {"cpu_s": spent.cpu_s, "wall_s": spent.wall_s, "peak_mb": spent.peak_mb}


def line(made: Row) -> str:
    """What came of a run."""
    cells = (f"{head} {number(figure([made], made['tool'], what, rank))}" for head, what, rank in FIGURES)
    return f"{made['tool']} {made['version']}: " + (
        f"failed: {made['failed']}" if "failed" in made else ", ".join(cells)
    )


def main() -> int:
    """Run all in turns, then print the tables of all rounds on file; exit code 1 if a tool failed in every round."""
    parser = argparse.ArgumentParser(prog="bench.compare", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--out", type=Path, default=results.COMPARISONS, help="JSONL, added to (default: %(default)s)")
    parser.add_argument("--venvs", type=Path, default=FOLDER, help="where the other tools are (default: %(default)s)")
    parser.add_argument("--only", default=",".join(TOOLS), help="comma-separated tools (default: %(default)s)")
    given = parser.parse_args()
    wanted = given.only.split(",")
    if unknown := set(wanted) - set(TOOLS):
        parser.error(f"--only: no such tool: {', '.join(sorted(unknown))}")
    print(f"{STREAMS} streams x {1000 / STEP_MS:g} tokens/s, {REQUESTS} requests of {TOKENS} tokens")
    known = [made for made in results.begin(given.out, resume=True) if "tool" in made]
    before = max((made["round"] for made in known), default=0)
    rows: list[Row] = []
    with serving("--step-ms", str(STEP_MS), "--output-tokens", str(TOKENS)) as url:
        load = Load(url, STREAMS, REQUESTS, TOKENS)
        for of_round in range(before + 1, before + 1 + given.rounds):
            for name in wanted:
                rows.append(row(name, of_round, load, given.venvs.resolve()))
                results.append(given.out, rows[-1])
                print(line(rows[-1]), flush=True)
    print(comparison([*known, *rows]))
    worked = {made["tool"] for made in rows if "failed" not in made}
    return 0 if worked == set(wanted) else 1


if __name__ == "__main__":
    sys.exit(main())
