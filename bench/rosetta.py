"""`python -m bench.rosetta`: are our renderings of other tools' metrics (`python -m reports --as`) what the tools say?

AIPerf, GuideLLM and, with --vllm-wheel, vLLM's bench ask the truth server for the same answers as we do, slowly (4
streams, 50 ms a token). Per metric:

formula   their own time stamps through our formulas, less their own figures: the worst of mean, p50 … p99
truth     their figures, and ours `--as` them, each less what the same formula makes of the server's stamps in that run

A server's times are never the same in two runs, so theirs and ours are not set against each other, but each against
the truth of its own. What remains of theirs is what the tool itself adds, most to TTFT.
"""

import argparse
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from bench import aiperf, guidellm, vllm
from bench.believed import Moments, true_moments
from bench.measure import clean_environment
from bench.others import FOLDER, ROOT, Load, Missing, python_of
from bench.truth import serving, take
from tokenswarm.reports.dialects.definitions import DIALECTS
from tokenswarm.reports.dialects.requests import Answers, answers
from tokenswarm.reports.load import load as load_run

STREAMS, STEP_MS, REQUESTS, TOKENS = 4, 50, 24, 64
Figures = Mapping[str, Mapping[str, float]]


@dataclass(frozen=True, slots=True)
class Theirs:
    """What a tool says of its own run: its figures, and its time stamps."""

    figures: Figures
    moments: list[Moments]


Run = Callable[[Load, Path], Theirs]


def as_answers(moments: Iterable[Moments]) -> Answers:
    """Time stamps as `reports.dialects.definitions` takes them; a tool's clock starts where its own definition says."""
    rows = list(moments)

    def column(name: str) -> np.ndarray:
        return np.array([getattr(row, name) for row in rows], dtype=float)

    gaps = np.sort(np.array([gap for row in rows for gap in row.gaps_ms]))
    everyone = np.ones(len(rows), dtype=bool)
    return Answers(
        ok=np.array([row.ok for row in rows]),
        streamed=everyone,
        has_output=everyone,
        sent_ms=column("sent_ms"),
        connect_ms=np.zeros(len(rows)),
        first_ms=column("first_ms"),
        answer_ms=column("first_ms"),
        last_ms=column("last_ms"),
        end_ms=column("end_ms"),
        prompt_tokens=column("prompt_tokens"),
        output_tokens=column("output_tokens"),
        chunks=column("chunks"),
        gap_ms=gaps,
        gap_counts=np.ones(len(gaps), dtype=np.int64),
    )


def ours(load: Load, folder: Path) -> Answers:
    """A run of our own on the same server. SystemExit if it fails."""
    seconds = REQUESTS / STREAMS * (TOKENS * STEP_MS / 1e3 + 0.1) + 1
    command = [sys.executable, "-m", "locust", "OpenAIChatUser", "--host", load.url, "--model", "sim", "--headless"]
    command += ["--only-summary", "--loglevel", "ERROR", "--users", str(STREAMS), "--spawn-rate", str(STREAMS)]
    command += ["--run-time", f"{round(seconds)}s", "--max-tokens", str(TOKENS), "--no-report"]
    done = subprocess.run(
        [*command, "--run-dir", str(folder / "runs")],
        cwd=ROOT,
        env=clean_environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        sys.exit(f"bench: our own run ended with {done.returncode}: {done.stderr[-500:]}")
    (run_folder,) = (folder / "runs").iterdir()
    run = load_run(run_folder)
    return answers(run.measured, run.gaps)


def figures_of(name: str, from_: Answers) -> Figures:
    """Our rendering."""
    return {line.name: line.figures for line in DIALECTS[name].lines(from_)}


def off_percent(said: float, reference: float) -> float:
    """How far off, % of the reference."""
    return 100 * abs(said - reference) / abs(reference)


def show(name: str, theirs: Theirs, their_truth: Answers, our_run: Answers, our_truth: Answers) -> None:
    """A line a metric."""
    dialect = DIALECTS[name]
    formula, truth, mine, my_truth = (
        figures_of(name, of) for of in (as_answers(theirs.moments), their_truth, our_run, our_truth)
    )
    title = f"{dialect.tool} {dialect.version}, n = {len(theirs.moments)}"
    heads = (
        ("formula %", 11),
        ("theirs", 11),
        ("truth %", 9),
        ("p50 %", 9),
        ("ours", 11),
        ("truth %", 9),
        ("p50 %", 9),
    )
    print(f"\n{title:34}" + "".join(f"{head:>{width}}" for head, width in heads))
    for metric, said in theirs.figures.items():
        ranks = [rank for rank in ("mean", "p50", "p90", "p95", "p99") if rank in said]
        cells = f"{max(off_percent(formula[metric][rank], said[rank]) for rank in ranks):>11.5f}"
        for figures, true in ((said, truth), (mine[metric], my_truth)):
            cells += f"{figures['mean']:>11.3f}"
            for rank in ("mean", "p50"):
                there = metric in true and rank in figures
                cells += f"{off_percent(figures[rank], true[metric][rank]):>9.4f}" if there else f"{'–':>9}"
        print(f"{metric:34}{cells}", flush=True)


def runs(venvs: Path, wheel: Path | None) -> dict[str, Run]:
    """How to run each tool, by its name in DIALECTS; each run raises Missing."""

    def run_aiperf(load: Load, folder: Path) -> Theirs:
        aiperf.run(load, folder, python_of("aiperf", venvs), raw=True)
        return Theirs(aiperf.figures(folder), aiperf.raw(folder))

    def run_guidellm(load: Load, folder: Path) -> Theirs:
        guidellm.run(load, folder, python_of("guidellm", venvs))
        return Theirs(guidellm.figures(folder), guidellm.raw(folder))

    found: dict[str, Run] = {"aiperf": run_aiperf, "guidellm": run_guidellm}
    if wheel is None:
        return found
    whole = wheel.resolve()

    def run_vllm(load: Load, folder: Path) -> Theirs:
        vllm.run(load, folder, python_of("aiperf", venvs), whole)
        return Theirs(vllm.figures(folder), vllm.raw(folder))

    return {**found, "vllm": run_vllm}


def main() -> int:
    """Run all, print a table a tool; exit code 1 if one could not be had."""
    parser = argparse.ArgumentParser(prog="bench.rosetta", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--venvs", type=Path, default=FOLDER, help="where the other tools are (default: %(default)s)")
    parser.add_argument("--vllm-wheel", type=Path, help="a wheel of vLLM, of which two files are read")
    given = parser.parse_args()
    missing = False
    with serving("--step-ms", str(STEP_MS)) as url, tempfile.TemporaryDirectory() as name:
        load = Load(url, STREAMS, REQUESTS, TOKENS)
        our_run = ours(load, Path(name))
        our_truth = as_answers(true_moments(take(url)))
        print(f"{STREAMS} streams, {STEP_MS} ms a token, {TOKENS} tokens; our run has {int(our_run.ok.sum())} requests")
        for tool, run in runs(given.venvs.resolve(), given.vllm_wheel).items():
            try:
                theirs = run(load, Path(name))
            except Missing as error:
                print(f"{tool}: {error}")
                missing = True
                continue
            show(tool, theirs, as_answers(true_moments(take(url))), our_run, our_truth)
    return int(missing)


if __name__ == "__main__":
    sys.exit(main())
