"""`python -m bench.report_scale`: what a report costs by the number of requests: seconds, CPU-s, MB and bytes of html.

A made-up closed loop of 64 users on 16 slots, two endpoints and models, chunks of a token, one request in a hundred
failed; with `--sessions` in sessions of four turns, with texts that were kept and digests of them, no two rows alike.
Each size is written to a folder of its own (10 million rows are 5.5 GB), reported on by a process of its own,
and deleted. The memory is that of the process and those that it starts, together, at its most: looked at ten times a
second, since each look costs the process a little. A report that does not count comes first: after it all modules are
compiled, as pip leaves them when it installs.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np

from bench import machine
from bench.markdown import number, table
from bench.truth import ROOT
from tokenswarm.folder.lines import line
from tokenswarm.folder.row import COLUMNS, row
from tokenswarm.metrics.histogram import bucket
from tokenswarm.metrics.record import Identity, Record
from tokenswarm.wire.values import Usage

ZERO_NS, MS = 1_795_433_493_000_000_000, 1_000_000
SIZES = (10_000, 100_000, 1_000_000, 10_000_000)
USERS, SLOTS, DIFFERENT = 64, 16, 20_000
MODELS = (("/api/chat", "qwen3:8b"), ("/v1/chat/completions", "llama3.1:8b"))
PER_ROW = ("sequence", "session", "sent_unix_ns", "ended_unix_ns")
TEXTS = {
    "text_digest": "%016x",
    "request_digest": "%016x",
    "output_text": "the answer number %d of a model that was asked",
}
TURNS = 4
FAILURES = (("timeout", "no byte for 30 s", None), ("http_error", "model is overloaded, please retry", 503))
INFO = {
    "format": 1,
    "run": "scale",
    "state": "complete",
    "clock_source": "kernel",
    "workers": [{"worker": 0, "host": "box", "cpus": 2}],
    "validity": {"verdict": "VALID", "findings": []},
}


def records(seed: int = 1) -> Iterator[Record]:
    """So many different requests, in order of sending; a user sends the next one when the last one has ended."""
    draw = np.random.default_rng(seed)
    tokens = np.maximum(2, draw.lognormal(4.4, 0.6, DIFFERENT)).astype(int)
    free_ms, users_ms = np.zeros(SLOTS), draw.uniform(0, 100, USERS)
    for at in range(DIFFERENT):
        user = int(users_ms.argmin())
        slot, sent_ms = int(free_ms.argmin()), float(users_ms[user])
        queued_ms = max(0.0, float(free_ms[slot]) - sent_ms)
        prefill_ms = float(draw.lognormal(4, 0.3))
        gaps_ms = draw.lognormal(3, 0.05, int(tokens[at]) - 1)
        free_ms[slot] = sent_ms + queued_ms + prefill_ms + float(gaps_ms.sum())
        users_ms[user] = free_ms[slot] + float(draw.exponential(2))
        yield _record(at, sent_ms, queued_ms, prefill_ms, gaps_ms, float(users_ms[user]))


def _record(at: int, sent_ms: float, queued_ms: float, prefill_ms: float, gaps_ms: np.ndarray, end_ms: float) -> Record:
    who = Identity(0, at, "OllamaChatUser", *MODELS[at % 2], f"p{at % 200}", 512)
    sent, first, ended = (ZERO_NS + round(ms * MS) for ms in (sent_ms, sent_ms + queued_ms + prefill_ms, end_ms))
    if at % 100 == 7:
        outcome, error, status = FAILURES[at // 100 % 2]
        return Record(who, outcome, error, status=status, sent_ns=sent, ended_ns=ended)
    durations = {"queue": queued_ms, "prompt_eval": prefill_ms, "eval": float(gaps_ms.sum())}
    usage = Usage(
        prompt_tokens=200 + at % 800,
        cached_tokens=at % 3 * 64,
        output_tokens=len(gaps_ms) + 1,
        total_ns=round((sum(durations.values()) + 1) * MS),
        load_ns=MS,
        prompt_eval_ns=round(prefill_ms * MS),
        eval_ns=round(durations["eval"] * MS),
        source="eval_count",
    )
    return Record(
        who,
        "ok",
        status=200,
        finish_reason="stop",
        sent_ns=sent,
        first_byte_ns=first,
        first_output_ns=first,
        first_answer_ns=first,
        last_output_ns=first + round(durations["eval"] * MS),
        ended_ns=ended,
        interpreted_ns=ended + MS,
        output_chunks=len(gaps_ms) + 1,
        text_chars=4 * len(gaps_ms),
        gaps=Counter(bucket(round(ms * MS)) for ms in gaps_ms),
        longest_gap_ns=round(float(gaps_ms.max()) * MS),
        usage=usage,
        reads=len(gaps_ms) + 1,
    )


def in_sessions(made: Iterable[Record]) -> Iterator[tuple[Record, int]]:
    """Each with the number of its session's first one: those that follow each other four by four."""
    for at, record in enumerate(made):
        turn = at % TURNS
        who = replace(record.identity, session=at - turn, turn=turn + 1, turns_left=TURNS - turn - 1)
        yield replace(record, identity=who), at - turn


def write(folder: Path, rows: int, sessions: bool = False) -> None:
    """A run folder of so many requests: the different ones again and again, later each time."""
    folder.mkdir()
    made = list(in_sessions(records())) if sessions else [(record, at) for at, record in enumerate(records())]
    changes = dict.fromkeys(PER_ROW, "%d") | (TEXTS if sessions else {})
    spots = {COLUMNS.index(name): text for name, text in changes.items()}
    lines, fixed = [], []
    for record, first in made:
        cells = row(record)
        for spot, text in spots.items():
            cells[spot] = text
        lines.append(line(cells).decode())
        fixed.append((first, record.sent_ns or 0, record.ended_ns or 0))
    span_ns = max(sent for _, sent, _ in fixed) - ZERO_NS + 50 * MS
    with (folder / "requests.csv").open("w", encoding="utf-8") as file:
        file.write(line(COLUMNS).decode())
        for begin in range(0, rows, DIFFERENT):
            later = begin // DIFFERENT * span_ns
            for at, (text, (first, sent, ended)) in enumerate(zip(lines[: rows - begin], fixed, strict=False)):
                values = (begin + at, begin + first, sent + later, ended + later)
                # Each request is made twice; one text in a hundred is another one then.
                digests = ((begin + at) // 2 + (at % 100 == 1), (begin + at) // 2, begin + at) if sessions else ()
                file.write(text % (*values, *digests))
    (folder / "run.json").write_text(json.dumps({**INFO, "rows": rows}))


def measure(folder: Path, compiled: Path) -> dict[str, float]:
    """What it costs to report on a folder, in a process of its own; `compiled` is a folder for compiled modules."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    began_s = time.monotonic()
    process = subprocess.Popen(
        [sys.executable, "-m", "tokenswarm.reports", str(folder), "--quiet"],
        cwd=ROOT,
        env=environment | {"PYTHONPYCACHEPREFIX": str(compiled)},
    )
    most_mb, ended = 0.0, 0
    while not ended:
        most_mb = max(most_mb, _memory_mb(process.pid))
        time.sleep(0.1)
        ended, code, usage = os.wait4(process.pid, os.WNOHANG)
    process.returncode = os.waitstatus_to_exitcode(code)
    if process.returncode:
        sys.exit(f"bench: the report ended with exit code {process.returncode}")
    return {
        "seconds": time.monotonic() - began_s,
        "cpu_s": usage.ru_utime + usage.ru_stime,
        "memory_mb": most_mb,
        "html_bytes": (folder / "report.html").stat().st_size,
    }


def _memory_mb(process: int) -> float:
    """Of a process and all below it; what they share counts once (PSS)."""
    total_kb, todo = 0, [process]
    while todo:
        at = Path(f"/proc/{todo.pop()}")
        try:
            lines = (at / "smaps_rollup").read_text().splitlines()
            total_kb += next(int(line.split()[1]) for line in lines if line.startswith("Pss:"))
            todo += [int(child) for task in at.glob("task/*") for child in (task / "children").read_text().split()]
        except (OSError, StopIteration):
            continue  # it has just ended
    return total_kb / 1024


def main() -> None:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rows", type=int, nargs="*", default=SIZES)
    parser.add_argument("--sessions", action="store_true", help="sessions of four turns, with their texts kept")
    parser.add_argument("--keep", type=Path, help="a folder to leave the run folders in")
    options = parser.parse_args()
    print(machine.facts())
    cells = []
    with tempfile.TemporaryDirectory() as compiled:
        for rows in (100, *options.rows):
            with tempfile.TemporaryDirectory() as scratch:
                folder = (options.keep or Path(scratch)) / f"rows-{rows}{'-sessions' * options.sessions}"
                if not folder.exists():
                    write(folder, rows, options.sessions)
                size = (folder / "requests.csv").stat().st_size
                found = measure(folder, Path(compiled))
            shown = (number(found["seconds"], 1), number(found["cpu_s"], 1), number(found["memory_mb"], 0))
            cells.append([f"{rows:,}", number(size / 1e6, 0), *shown, f"{found['html_bytes']:,}"])
            print(rows, found, flush=True)
    del cells[0]  # it compiled
    print(table(("rows", "requests.csv, MB", "seconds", "CPU-s", "memory, MB", "report.html, bytes"), cells))


if __name__ == "__main__":
    main()
