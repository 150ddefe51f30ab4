"""The run that the golden report is of, made from Record literals, and run folders for other tests.

`PYTHONPATH=.:tests/support python -m golden.make` writes report.md anew; read the difference before it is kept.
"""

import csv
import json
import shutil
import tempfile
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

from tokenswarm.folder.row import COLUMNS, row
from tokenswarm.metrics.histogram import bucket
from tokenswarm.metrics.record import Identity, Record
from tokenswarm.reports.load import load
from tokenswarm.reports.summary import summarise
from tokenswarm.reports.write import report
from tokenswarm.wire.values import Usage

HERE = Path(__file__).parent
REPORT = HERE / "report.md"
ZERO_NS = 1_795_433_493_123_456_789
MS = 1_000_000


def identity(sequence: int, endpoint: str = "/api/chat", model: str = "sim:latest", worker: int = 0) -> Identity:
    """Who: `sequence` of a worker."""
    return Identity(worker, sequence, "OllamaChatUser", endpoint, model, "p1", 128)


def ollama(sequence: int, at_ms: int = 0, tokens: int = 11, **changes: Any) -> Record:
    """An ok request of an Ollama server: TTFT 120 ms, then a token each 10 ms, and 5 ms until the last byte."""
    sent = ZERO_NS + at_ms * MS
    decoding_ns = (tokens - 1) * 10 * MS
    made = Record(
        identity=identity(sequence),
        outcome="ok",
        status=200,
        finish_reason="stop",
        sent_ns=sent,
        first_byte_ns=sent + 120 * MS,
        first_output_ns=sent + 120 * MS,
        first_answer_ns=sent + 120 * MS,
        last_output_ns=sent + 120 * MS + decoding_ns,
        ended_ns=sent + 125 * MS + decoding_ns,
        output_chunks=tokens,
        text_chars=4 * tokens,
        gaps={bucket(10 * MS): tokens - 1},
        longest_gap_ns=10 * MS,
        usage=Usage(
            prompt_tokens=20,
            output_tokens=tokens,
            total_ns=118 * MS + decoding_ns,
            load_ns=8 * MS,
            prompt_eval_ns=60 * MS,
            eval_ns=decoding_ns,
            source="eval_count",
            engine="Ollama",
        ),
    )
    return replace(made, **changes)


def openai(sequence: int, at_ms: int = 0, tokens: int = 5, **changes: Any) -> Record:
    """An ok request of a server that gives counts but no durations."""
    made = ollama(sequence, at_ms, tokens, identity=identity(sequence, "/v1/chat/completions", "通义千问"))
    return replace(made, **{"usage": Usage(prompt_tokens=20, output_tokens=tokens, source="usage"), **changes})


def failed(sequence: int, outcome: str, error: str, at_ms: int = 0, **changes: Any) -> Record:
    """A request that ended after 30 ms without any output."""
    sent = ZERO_NS + at_ms * MS
    return replace(Record(identity(sequence), outcome, error, sent_ns=sent, ended_ns=sent + 30 * MS), **changes)


def golden_records() -> list[Record]:
    """Sixty requests of two servers, with each kind of trouble once or twice."""
    made = [ollama(n, at_ms=100 * n, tokens=10 + n % 5, connect_ns=None if n else 2 * MS) for n in range(50)]
    made += [openai(50 + n, at_ms=50 + 200 * n) for n in range(4)]
    made.append(failed(54, "http_error", "model 'nope' | not found", 300, status=404))
    made.append(failed(55, "http_error", "model 'nope' | not found", 400, status=404))
    hostile = "=1+1 <script>alert(1)</script>\n$x$"
    made.append(failed(56, "refused", hostile, sent_ns=None, ended_ns=None, connect_ns=MS))
    partial = {"usage": Usage(), "output_chunks": 3, "gaps": {bucket(10 * MS): 2}, "outcome": "cancelled"}
    made.append(ollama(57, at_ms=4900, **partial))
    made.append(ollama(58, at_ms=4000, coalesced_chunks=1, clock_stamps=2, clock_step_ns=3 * MS))
    made.append(ollama(59, at_ms=4100, usage=Usage(), outcome="ok"))
    made += [ollama(60 + n, at_ms=-2000 + 500 * n, phase="warm-up") for n in range(3)]
    made.append(ollama(63, at_ms=4200, phase="drain"))
    return made


RUN: dict[str, Any] = {
    "format": 1,
    "run": "20261123T111733Z-demo",
    "name": "demo",
    "state": "complete",
    "started_unix_s": 1795433493.0,
    "ended_unix_s": 1795433499.25,
    "options": {"model": "sim:latest", "max_tokens": 128, "users": 8},
    "target": {"host": "http://box:11434", "kind": "ollama", "version": "0.32.15", "model": "sim:latest"},
    "warmup": {"outcome": "ok", "e2e_ms": 812.5},
    "software": {"python": "3.11.9", "locust": "2.47.0"},
    "clock_source": "kernel",
    "workers": [
        {
            "worker": 0,
            "host": "客户机",
            "cpus": 2,
            "cpu_percent_max": 12.0,
            "loop_lag_ms_p99": 0.4,
            "loop_lag_ms_max": 3.0,
            "requests": 60,
        }
    ],
    "rows": 60,
    "validity": {
        "verdict": "INVALID",
        "findings": [
            {
                "rule": "loop lag",
                "level": "invalid",
                "figure": 12.5,
                "limit": 5.0,
                "unit": "ms",
                "what": "the loop was late by 12.5 ms",
                "do": "use more workers",
            },
            {"rule": "errors", "level": "remark", "what": "5 % of the requests failed", "do": ""},
        ],
    },
}


def folder(path: Path, records: Iterable[Record], run: dict[str, Any] | None = RUN) -> Path:
    """Write a run folder as the suite does."""
    path.mkdir(parents=True, exist_ok=True)
    records = list(records)
    with (path / "requests.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(COLUMNS)
        writer.writerows(map(row, records))
    if run is not None:
        run = {**run, "rows": len({(r.identity.worker, r.identity.sequence) for r in records})}
        (path / "run.json").write_text(json.dumps(run, ensure_ascii=False), encoding="utf-8")
    return path


def summary_of(path: Path, records: Iterable[Record], **changes: Any) -> dict[str, Any]:
    """The summary of such a run folder, whose run.json has these changes."""
    return summarise(load(folder(path, records, {**RUN, **changes})))


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as scratch:
        made = folder(Path(scratch) / "run", golden_records())
        report(made)
        shutil.copy(made / "report.md", REPORT)
