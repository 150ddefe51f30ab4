"""`make bench-rates`: output tokens a second of stages, of a capacity search's trials and of whole runs, against what
the simulator's own log says that it sent in the same windows.

The log has each chunk with its tokens and when it was written; ours has a row a request. They share the machine's
clock and the windows, which are ours, and nothing else. Into docs/metrics.md.
"""

import argparse
import json
import tempfile
from collections.abc import Callable, Iterator
from itertools import chain
from pathlib import Path
from statistics import mean
from typing import Any, NamedTuple

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


class Measured(NamedTuple):
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
    made = []
    for what in dict.fromkeys(one.what for one in measured):
        some = [one for one in measured if one.what == what]
        truth, ours, truth_ok, ok, estimated = map(mean, list(zip(*some, strict=True))[1:])
        errors = [one.error_percent for one in some]
        shown = [f"{max(errors, key=abs):+.2f}", f"{mean(errors):+.2f}", number(estimated, 1)]
        rates = [number(truth, 1), number(ours, 1), *shown, number(truth_ok, 2), number(ok, 2)]
        made.append([what, str(len(some)), *rates])
    return made


def main() -> None:
    """Measure, and put the table into docs/."""
    parser = argparse.ArgumentParser(prog="bench.rates", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--runs", type=int, default=3, help="of each kind")
    parser.add_argument("--only", default="", help="stages, trials or headline")
    given = parser.parse_args()
    found: list[Measured] = []
    kinds: dict[str, Callable[[int], Iterator[Measured]]] = {
        "stages": lambda seed: chain(stages(8, seed), stages(30, seed)),
        "trials": trials,
        "headline": lambda seed: chain(headline(4, seed), headline(8, seed)),
    }
    for seed in range(1, given.runs + 1):
        for one in chain.from_iterable(measure(seed) for name, measure in kinds.items() if given.only in ("", name)):
            rates = f"{one.truth_tokens_per_s:.1f} tokens/s, ours {one.tokens_per_s:.1f}"
            print(f"{one.what}: {rates}, {one.error_percent:+.2f} %", flush=True)
            found.append(one)
    publish("rates", table(HEADS, lines(found)), PAGE)


if __name__ == "__main__":
    main()
