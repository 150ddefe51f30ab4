"""Output checks in the report: rates with their interval, examples, the same request giving the same text."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from golden.make import folder, ollama, openai

from tokenswarm.metrics.checks.case import CheckResults
from tokenswarm.metrics.record import Kept, Record
from tokenswarm.reports.render import console
from tokenswarm.reports.wilson import interval
from tokenswarm.reports.write import report

PASSED = {"repetition": 0, "cut_by_limit": 0}


def judged(made: Record, *wrong: str, **more: Any) -> Record:
    failed = {**PASSED, **dict.fromkeys(wrong, 1), **more.pop("failed", {})}
    return replace(made, judged=CheckResults(failed, "; ".join(f"{name}: of {name}" for name in wrong), **more))


def reported(path: Path, *records: Record) -> tuple[dict[str, Any], str, str]:
    """Summary, report.md, and what the terminal shows."""
    summary = report(folder(path / "run", records))
    return summary, (path / "run" / "report.md").read_text(encoding="utf-8"), console.render(summary)


@pytest.mark.parametrize(
    ("hits", "n", "low", "high"),
    [(0, 10, 0, 0.2775), (10, 10, 0.7225, 1), (1, 10, 0.0179, 0.4042), (50, 100, 0.4038, 0.5962)],
)
def test_the_interval_is_wilsons(hits: int, n: int, low: float, high: float) -> None:
    assert interval(hits, n) == pytest.approx((low, high), abs=5e-5)


def test_rates_and_examples(tmp_path: Path) -> None:
    records = [judged(ollama(n, at_ms=100 * n)) for n in range(6)]
    records += [judged(ollama(n, at_ms=100 * n), "repetition", "cut_by_limit") for n in range(6, 10)]
    records += [judged(openai(10), "tool_unknown"), judged(openai(11), failed={"tool_unknown": 0})]
    records.append(judged(ollama(12, phase="warm-up"), "repetition"))
    kept = replace(records[6], kept=Kept("Hi", "I am a tree.\n" * 30, ""))
    summary, text, shown = reported(tmp_path, *records[:6], kept, *records[7:])
    found = {(e["check"], e["endpoint"]): e for e in summary["checks"]["found"]}
    tree = found["repetition", "/api/chat"]
    assert (tree["n"], tree["failed"], tree["rate"]) == (10, 4, 0.4)
    assert (tree["rate_low"], tree["rate_high"]) == pytest.approx((0.1682, 0.6873), abs=1e-4)
    assert [e["sequence"] for e in tree["examples"]] == [6, 7, 8]
    assert tree["examples"][0]["note"] == "of repetition"
    assert tree["examples"][0]["text"].startswith("I am a tree. I am")
    assert found["repetition", "/v1/chat/completions"]["failed"] == 0
    assert "## Output checks" in text
    assert "| `repetition` | `/api/chat` | `sim:latest` | 10 | 4 | 40.0 | 16.8 to 68.7 |" in text
    assert "| `tool_unknown` | `p1` | 0/10 | `of tool_unknown` |" in text
    assert "Without a failure: repetition (2), cut_by_limit (2)." in text
    assert "check repetition: 4 of 12 answers (33.3 %): of repetition" in shown
    assert "check tool_unknown: 1 of 2 answers (50.0 %)" in shown
    assert "check cut_by_limit" not in shown  # the table says it; it is mostly meant so


def test_without_a_failure_the_report_stays_as_it_was(tmp_path: Path) -> None:
    summary, text, shown = reported(tmp_path, judged(ollama(0)), judged(ollama(1, at_ms=50)))
    assert {entry["failed"] for entry in summary["checks"]["found"]} == {0}
    assert "Output checks" not in text
    assert "check " not in shown


def test_answers_at_their_limit_alone_are_folded_and_have_no_examples(tmp_path: Path) -> None:
    _, text, _ = reported(tmp_path, judged(ollama(0), "cut_by_limit"), judged(ollama(1, at_ms=50)))
    assert "<details><summary>Output checks</summary>" in text
    assert "| `cut_by_limit` | `/api/chat` | `sim:latest` | 2 | 1 | 50.0 |" in text
    assert text.index("What this run cannot tell") < text.index("Output checks")
    assert "Examples" not in text


def test_what_was_asked_for_is_shown_though_nothing_failed(tmp_path: Path) -> None:
    _, text, _ = reported(tmp_path, judged(ollama(0), failed={"json_invalid": 0}))
    assert "| `json_invalid` | `/api/chat` | `sim:latest` | 1 | 0 | 0 | 0 to 79.3 |" in text


def test_the_same_request_and_the_same_text(tmp_path: Path) -> None:
    def asked(sequence: int, at_ms: int, request: str, text: str) -> Record:
        return judged(ollama(sequence, at_ms=at_ms), text_digest=text, request_digest=request)

    alone = [asked(n, 1000 * n, "a", "x") for n in range(4)]  # each takes 225 ms
    together = [asked(4, 9000, "a", "x"), asked(5, 9010, "a", "y"), asked(6, 9020, "b", "z"), asked(7, 9030, "b", "z")]
    once = [asked(8, 20_000, "c", "w"), judged(ollama(9, at_ms=30_000))]
    summary, text, shown = reported(tmp_path, *alone, *together, *once)
    again = summary["checks"]["reproducible"]
    assert (again["n"], again["failed"], again["requests"], again["requests_differing"]) == (8, 1, 2, 1)
    assert (again["alone"]["n"], again["alone"]["failed"]) == (4, 0)
    assert (again["together"]["n"], again["together"]["failed"]) == (4, 1)
    assert again["examples"] == [{"prompt_id": "p1", "worker": 0, "sequence": 5}]
    assert "Same request, same text (a seed, or temperature 0): 87.5 %" in text
    assert "while nothing else was under way: 100 % of 4" in text
    assert "while other requests were under way: 75.0 % of 4" in text
    assert "not reproducible: 1 of 8 answers (12.5 %) differ" in shown


def test_a_folder_of_before_there_were_checks(tmp_path: Path) -> None:
    """Rows without any of the columns: no section, and no error."""
    path = folder(tmp_path / "run", [ollama(0), ollama(1, at_ms=10)])
    lines = (path / "requests.csv").read_text().splitlines()
    names = lines[0].split(",")
    last = names.index("json_invalid")
    (path / "requests.csv").write_text("".join(",".join(line.split(",")[:last]) + "\n" for line in lines))
    summary = report(path)
    assert summary["checks"] == {"found": [], "reproducible": None}
