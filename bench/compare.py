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
from importlib.metadata import version
from pathlib import Path

from bench import aiperf, guidellm, locusts, results
from bench.believed import Believed, errors
from bench.others import FOLDER, Load, Missing, python_of, version_of
from bench.report_comparison import OURS, RATIOS, ratio
from bench.results import Row
from bench.spent import Spent
from bench.truth import serving, take

STREAMS, STEP_MS, REQUESTS, TOKENS = 100, 20, 400, 200


@dataclass(frozen=True, slots=True)
class Tool:
    """How to run one client, and what it believed. `python` gives its interpreter, or raises Missing."""

    name: str
    version: str
    python: Callable[[Path], Path]
    run: Callable[[Load, Path, Path], Spent]
    believed: Callable[[Path], list[Believed]]


def _locust(name: str, of: str, python: Callable[[Path], Path]) -> Tool:
    return Tool(name, of, python, lambda load, folder, at: locusts.run(name, load, folder, at), locusts.believed)


TOOLS = (
    _locust(OURS, "this checkout", lambda _: Path(sys.executable)),
    _locust("requests", version("requests"), lambda _: Path(sys.executable)),
    _locust("openai", version_of("openai"), lambda venvs: python_of("openai", venvs)),
    Tool("aiperf", version_of("aiperf"), lambda venvs: python_of("aiperf", venvs), aiperf.run, aiperf.believed),
    Tool(
        "guidellm", version_of("guidellm"), lambda venvs: python_of("guidellm", venvs), guidellm.run, guidellm.believed
    ),
)


def row(tool: Tool, number: int, load: Load, venvs: Path) -> Row:
    """One run of one tool as a row; one that failed says why under `failed`."""
    made: Row = {"tool": tool.name, "version": tool.version, "round": number}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        try:
            take(load.url)
            spent = tool.run(load, folder, tool.python(venvs))
            found = errors(tool.believed(folder), take(load.url))
        except (Missing, ValueError, LookupError, OSError) as error:
            return {**made, "failed": " ".join(f"{type(error).__name__}: {error}".split())}
    made |= {"n": found.n, "tokens": found.tokens}
    for what, spread in (("ttft_ms", found.ttft_ms), ("gap_ms", found.gap_ms), ("e2e_ms", found.e2e_ms)):
        made[what] = {name: value for name, value in asdict(spread).items() if name != "n"} if spread else None
    return made | {"cpu_s": spent.cpu_s, "wall_s": spent.wall_s, "peak_mb": spent.peak_mb}


FIGURES = (*RATIOS, ("CPU s", "cpu_s", ""), ("wall s", "wall_s", ""), ("peak MB", "peak_mb", ""))


def figure(made: Row, what: str, rank: str) -> float | None:
    """One figure of a row; None where the client has none."""
    found = made.get(what)
    value = found.get(rank) if rank and found else found
    return float(value) if isinstance(value, (int, float)) else None


def show(made: Row) -> None:
    """One line of the table."""
    name = f"{made['tool']} {made['version']}"
    if "failed" in made:
        print(f"{name:26}failed: {made['failed']}", flush=True)
        return
    cells = (figure(made, what, rank) for _, what, rank in FIGURES)
    print(f"{name:26}{made['n']:>5}" + "".join(f"{_number(cell):>10}" for cell in cells), flush=True)


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}" if value < 100 else f"{value:.0f}"


def ratios(rows: list[Row]) -> None:
    """Ours by theirs, of the medians over the rounds, those of earlier calls included."""
    names = [tool.name for tool in TOOLS if tool.name != OURS]
    print("\nours / theirs, medians" + "".join(f"{name:>12}" for name in names))
    for head, what, rank in FIGURES:
        cells = (ratio(rows, name, what, rank) for name in names)
        print(f"{head:22}" + "".join(f"{'–' if cell is None else format(cell, '.4f'):>12}" for cell in cells))


def main() -> int:
    """Run all in turns; exit code 1 if a tool failed in every round."""
    parser = argparse.ArgumentParser(prog="bench.compare", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--out", type=Path, default=results.COMPARISONS, help="JSONL, added to (default: %(default)s)")
    parser.add_argument("--venvs", type=Path, default=FOLDER, help="where the other tools are (default: %(default)s)")
    parser.add_argument("--only", help="comma-separated tools, of " + ", ".join(tool.name for tool in TOOLS))
    given = parser.parse_args()
    wanted = given.only.split(",") if given.only else [tool.name for tool in TOOLS]
    if unknown := set(wanted) - {tool.name for tool in TOOLS}:
        parser.error(f"--only: no such tool: {', '.join(sorted(unknown))}")
    print(
        f"{STREAMS} streams x {1000 / STEP_MS:g} tokens/s, {REQUESTS} requests of {TOKENS} tokens; |client - truth|, ms"
    )
    print(f"{'client':26}{'n':>5}" + "".join(f"{head:>10}" for head, _, _ in FIGURES))
    known = [made for made in results.begin(given.out, resume=True) if "tool" in made]
    before = max((made["round"] for made in known), default=0)
    rows: list[Row] = []
    with serving("--step-ms", str(STEP_MS), "--output-tokens", str(TOKENS)) as url:
        load = Load(url, STREAMS, REQUESTS, TOKENS)
        for number in range(before + 1, before + 1 + given.rounds):
            for tool in TOOLS:
                if tool.name in wanted:
                    rows.append(row(tool, number, load, given.venvs.resolve()))
                    results.append(given.out, rows[-1])
                    show(rows[-1])
    ratios([*known, *rows])
    worked = {made["tool"] for made in rows if "failed" not in made}
    return 0 if worked == set(wanted) else 1


if __name__ == "__main__":
    sys.exit(main())
