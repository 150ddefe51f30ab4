"""`make bench-rates`: output tokens a second of stages, of a capacity search's trials and of whole runs, against what
the simulator's own log says that it sent in the same windows.

The log has each chunk with its tokens and when it was written; ours has a row a request. They share the machine's
clock and the windows, which are ours, and nothing else. Into docs/metrics.md.
"""

import argparse
import json
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from bench import simulated
from bench.markdown import number, table
from bench.simulated import publish, serving
from bench.truth import ROOT
from tokenswarm.reports.load import load
from tokenswarm.reports.summary import summarise

PAGE = ROOT / "docs" / "metrics.md"
SLOTS = ("--parallel", "4", "--decode-tps", "50", "--output-tokens", "64", "--output-cv", "0.5", "--load-ms", "1")
LONG = ("--parallel", "4", "--decode-tps", "50", "--output-tokens", "400", "--output-cv", "0.3", "--load-ms", "1")
USERS = (1, 2, 4, 8, 16, 48)
HEADS = ("", "windows", "tokens/s, truth", "ours", "error %, worst", "mean", "estimated %", "requests/s, truth", "ours")


@dataclass(frozen=True, slots=True)
class Measured:
    """One window: what was sent in it and what we say, both a second; `estimated` is the share of ours, %."""

    what: str
    truth_tokens_per_s: float
    tokens_per_s: float
    truth_ok_per_s: float
    ok_per_s: float
    estimated: float = 0.0

    @property
    def error_percent(self) -> float:
        """Of the tokens."""
        return 100 * (self.tokens_per_s / self.truth_tokens_per_s - 1)


class Truth:
    """The simulator's log: every chunk's moment (before it was written, ns) and tokens, every answer's end."""

    def __init__(self, path: Path) -> None:
        records = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
        self.chunks = [(chunk[0], chunk[3]) for record in records for chunk in record["chunks"]]
        self.ends = [record["chunks"][-1][0] for record in records if record["end"] == "complete" and record["chunks"]]

    def per_s(self, from_ns: int, to_ns: int) -> tuple[float, float]:
        """Tokens sent and answers completed a second in a window."""
        span_s = (to_ns - from_ns) / 1e9
        tokens = sum(tokens for ns, tokens in self.chunks if from_ns <= ns < to_ns)
        return tokens / span_s, sum(from_ns <= ns < to_ns for ns in self.ends) / span_s


def run(server: tuple[str, ...], *options: str) -> tuple[dict[str, Any], Truth]:
    """One run from start to end: its summary, and the server's log."""
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "truth.jsonl"
        with serving(*server, "--truth", str(log)) as url:
            path = simulated.run(url, Path(folder) / "runs", *options)
        return summarise(load(path)), Truth(log)


def stages(span_s: int, seed: int) -> Iterator[Measured]:
    """Stages of so many seconds, each against the log."""
    text = ",".join(f"{n}x{span_s}s" for n in USERS)
    found, truth = run(SLOTS, "--stages", text, "--seed", str(seed))
    for stage in found["stages"]:
        what = f"stages of {span_s} s, {stage['users']} user{'s' * (stage['users'] != '1')}"
        yield _measured(what, stage, truth)


def trials(seed: int) -> Iterator[Measured]:
    """Those of a capacity search for users."""
    options = ("--find-capacity", "--trial-time", "8s", "--slo", "ttft_ms p90 < 1500", "--seed", str(seed))
    found, truth = run(SLOTS, *options)
    for trial in found["capacity"]["trials"]:
        if trial["output_tokens_per_s"] is not None:
            yield _measured("trials of a search", trial, truth)


def headline(users: int, seed: int) -> Iterator[Measured]:
    """A run of 12 s whose answers take about as long."""
    options = ("--users", str(users), "--spawn-rate", str(users), "--run-time", "12s", "--max-tokens", "4000")
    found, truth = run(LONG, *options, "--seed", str(seed))
    tokens, window = found["overall"]["tokens"], found["window"]
    shown = {
        "from_unix_ns": window["first_sent_unix_ns"],
        "to_unix_ns": window["last_ended_unix_ns"],
        "output_tokens_per_s": tokens["output_tokens_per_s"] or 0.0,
        "ok_per_s": window["ok_requests_per_s"],
    }
    share = tokens["output_estimated_percent"]
    yield _measured(f"12 s, answers of 8 s, {users} users", shown, truth, share)


def _measured(what: str, shown: dict[str, Any], truth: Truth, estimated: float = 0.0) -> Measured:
    tokens, ok = truth.per_s(shown["from_unix_ns"], shown["to_unix_ns"])
    return Measured(what, tokens, shown["output_tokens_per_s"], ok, shown["ok_per_s"], estimated)


def lines(measured: list[Measured]) -> list[list[str]]:
    """The table's rows: each kind of window together, in the order in which they came."""
    kinds: dict[str, list[Measured]] = {}
    for one in measured:
        kinds.setdefault(one.what, []).append(one)
    return [_line(what, some) for what, some in kinds.items()]


def _line(what: str, some: list[Measured]) -> list[str]:
    def mean(name: str) -> float:
        return sum(getattr(one, name) for one in some) / len(some)

    worst = max((one.error_percent for one in some), key=abs)
    rates = [number(mean(name), 1) for name in ("truth_tokens_per_s", "tokens_per_s")]
    requests = [number(mean(name), 2) for name in ("truth_ok_per_s", "ok_per_s")]
    errors = [f"{worst:+.2f}", f"{mean('error_percent'):+.2f}", number(mean("estimated"), 1)]
    return [what, str(len(some)), *rates, *errors, *requests]


def main() -> None:
    """Measure, and put the table into docs/."""
    parser = argparse.ArgumentParser(prog="bench.rates", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--runs", type=int, default=3, help="of each kind")
    parser.add_argument("--only", default="", help="stages, trials or headline")
    given = parser.parse_args()
    found: list[Measured] = []
    kinds: dict[str, list[Callable[[int], Iterator[Measured]]]] = {
        "stages": [partial(stages, 8), partial(stages, 30)],
        "trials": [trials],
        "headline": [partial(headline, 4), partial(headline, 8)],
    }
    for seed in range(1, given.runs + 1):
        for name, measures in kinds.items():
            for measure in measures if given.only in ("", name) else ():
                for one in measure(seed):
                    print(f"{one.what}: {one.truth_tokens_per_s:.1f} {one.tokens_per_s:.1f} {one.error_percent:+.2f} %")
                    found.append(one)
                    sys.stdout.flush()
    publish("rates", table(HEADS, lines(found)), PAGE)


if __name__ == "__main__":
    main()
