"""Runs that are unlike others, whose reports are kept beside this: a folder each, in English, in Chinese, and as JSON.

`PYTHONPATH=.:tests/support python -m golden.odd` writes them anew; read the difference before it is kept.
"""

import csv
import shutil
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from golden.make import MS, RUN, ZERO_NS, failed, folder, identity, ollama, openai

from tokenswarm.folder import verdict
from tokenswarm.metrics.record import Record
from tokenswarm.reports.write import report
from tokenswarm.wire.values import Usage

HERE = Path(__file__).parent
FILES = ("report.md", "report.zh.md", "summary.json")
GLOSSARY = ("\n<details><summary>What each number means", "\n<details><summary>数字的含义")  # the same in each
VALID: dict[str, Any] = {
    **RUN,
    "options": {"model": "sim:latest", "max_tokens": 128, "num_users": 8, "run_time": 12},
    "validity": {"verdict": "VALID", "findings": []},
}
BY_HAND = {
    "rule": "ended by hand",
    "level": "remark",
    "what": "the run was ended by hand, after 6 s of 12 s",
    "do": "let it run to its end, if it was to be compared with another",
}
# Those of the first version.
OLD_METRICS = (
    *("lateness_ms", "connect_ms", "first_byte_ms", "ttft_ms", "ttfa_ms", "itl_ms_hist", "longest_gap_ms", "tpot_ms"),
    *("e2e_ms", "response_ms", "prompt_tokens", "cached_tokens", "output_tokens", "output_chunks", "tokens_per_chunk"),
    *("eval_tokens_per_s", "decode_tokens_per_s", "prompt_tokens_per_s", "output_tokens_per_s", "total_ms", "queue_ms"),
    *("load_ms", "prompt_eval_ms", "eval_ms", "rest_ms", "text_chars", "thinking_chars", "tool_calls"),
    *("coalesced_chunks", "clock_stamps", "clock_step_ms"),
)
OLD = (
    *("worker", "sequence", "user_class", "endpoint", "model", "prompt_id", "streamed", "outcome", "status"),
    *("finish_reason", "error", "max_tokens", "token_source", "scheduled_unix_ns", "sent_unix_ns", "ended_unix_ns"),
    *OLD_METRICS,
    *("prompt_text", "output_text", "thinking_text"),
)
UNSEEN: dict[str, Any] = {
    **dict.fromkeys(("first_output_ns", "first_answer_ns", "last_output_ns", "longest_gap_ns")),
    **{"streamed": False, "gaps": {}, "output_chunks": 0},
}


def nothing_succeeded() -> Iterator[Record]:
    """Refused, turned away, too late, cut."""
    for n in range(12):
        yield failed(n, "http_error", "server busy, please try again", 100 * n, status=503)
    yield failed(12, "refused", "connection refused", sent_ns=None, ended_ns=None)
    yield failed(13, "timeout", "no byte within 30 s", 200, ended_ns=ZERO_NS + 30_200 * MS)
    yield ollama(14, 300, usage=Usage(), outcome="cancelled", output_chunks=3, phase="drain")


def one_request() -> Iterator[Record]:
    yield ollama(0)


def not_streamed() -> Iterator[Record]:
    """Of a server with durations, and of one without."""
    for n in range(60):
        yield (openai if n % 3 == 0 else ollama)(n, 100 * n, 10 + n % 5, **UNSEEN)


def mixed_models() -> Iterator[Record]:
    """A small one and a large one that shares the memory with it, three times as slow and cold at first."""
    for n in range(100):
        model = "large:70b" if n % 4 == 0 else "small:1b"
        made = ollama(n, 100 * n, 30 if n % 4 == 0 else 10, identity=identity(n, model=model))
        if n in (0, 1, 40):
            load_ns = 900 * MS
            usage = made.usage._replace(load_ns=load_ns, total_ns=(made.usage.total_ns or 0) + load_ns)
            later = {
                name: getattr(made, name) + load_ns
                for name in ("first_byte_ns", "first_output_ns", "first_answer_ns", "last_output_ns", "ended_ns")
            }
            made = replace(made, usage=usage, **later)
        yield made


def openai_only() -> Iterator[Record]:
    for n in range(120):
        yield openai(n, 50 * n, 8 + n % 7)


def cut_by_hand() -> Iterator[Record]:
    """Half of what was asked for: with what was under way then."""
    for n in range(100):
        yield ollama(n, 50 * n, 11 + n % 3, phase="ramp-up" if n < 20 else "steady")
    for n in range(8):
        partial: dict[str, Any] = {"usage": Usage(), "outcome": "cancelled", "output_chunks": 4 + n, "phase": "drain"}
        yield ollama(100 + n, 4900 + 10 * n, ended_ns=ZERO_NS + 5100 * MS, **partial)


def older() -> Iterator[Record]:
    for n in range(60):
        yield ollama(n, 100 * n, 10 + n % 5)


RUNS: dict[str, tuple[Callable[[], Iterator[Record]], dict[str, Any]]] = {
    "nothing-succeeded": (nothing_succeeded, VALID),
    "one-request": (one_request, VALID),
    "not-streamed": (not_streamed, VALID),
    "mixed-models": (mixed_models, VALID),
    "openai-only": (
        openai_only,
        {**VALID, "target": {"host": "http://box:8000", "kind": "openai", "model": "通义千问"}, "warmup": None},
    ),
    "cut-by-hand": (cut_by_hand, {**VALID, "validity": {"verdict": "VALID", "findings": [BY_HAND]}}),
    "older": (older, {name: value for name, value in RUN.items() if name not in ("validity", "workers", "software")}),
}


def write(name: str, path: Path) -> dict[str, str]:
    """The run's folder, and its FILES with their texts, each without the glossary."""
    records, run = RUNS[name]
    run = {**run, "run": f"20261123T111733Z-{name}"}
    made = folder(path / run["run"], records(), run)
    if name == "older":
        _as_of_the_first_version(made / "requests.csv")
    else:  # judged as the run itself does it
        run["validity"] = verdict.validity(made, run, run["validity"]["findings"])
        folder(made, records(), run)
    found = {}
    for lang, file in (("zh", "report.zh.md"), ("en", "report.md")):
        report(made, lang)
        found[file] = _without_glossary((made / "report.md").read_text(encoding="utf-8"))
    return found | {"summary.json": (made / "summary.json").read_text(encoding="utf-8")}


def _without_glossary(text: str) -> str:
    at = max(map(text.find, GLOSSARY))
    assert at > 0
    return text[:at]


def _as_of_the_first_version(path: Path) -> None:
    with path.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, OLD, extrasaction="ignore", lineterminator="\n")
        writer.writeheader()
        writer.writerows({name: row.get(name, "") for name in OLD} for row in rows)


if __name__ == "__main__":
    for each in RUNS:
        with tempfile.TemporaryDirectory() as scratch:
            texts = write(each, Path(scratch))
        shutil.rmtree(HERE / each, ignore_errors=True)
        (HERE / each).mkdir()
        for file, text in texts.items():
            (HERE / each / file).write_text(text, encoding="utf-8")
