"""The summary of a run: exact totals, who counts where, ledgers that add up, and words for the sad cases."""

import json
import re
from pathlib import Path

import pytest
from golden import odd
from golden.make import HERE, MS, REPORT, RUN, ZERO_NS, failed, folder, golden_records, ollama, openai, summary_of

from tokenswarm.metrics.catalogue import METRICS
from tokenswarm.metrics.record import Record
from tokenswarm.reports.__main__ import main
from tokenswarm.reports.glossary import glossary
from tokenswarm.reports.load import load
from tokenswarm.reports.output import amount_before
from tokenswarm.reports.parts import time_spent
from tokenswarm.reports.parts.throughput import bins
from tokenswarm.reports.render import console
from tokenswarm.reports.render.chinese import zh
from tokenswarm.reports.summary import summarise
from tokenswarm.reports.write import report
from tokenswarm.wire.values import Usage


def test_the_golden_report(tmp_path: Path) -> None:
    # To make it anew: PYTHONPATH=.:tests/support python -m golden.make
    report(folder(tmp_path, golden_records()))
    assert (tmp_path / "report.md").read_bytes() == REPORT.read_bytes(), f"see {HERE.name}/make.py"


@pytest.mark.parametrize("name", odd.RUNS)
def test_the_reports_of_odd_runs(tmp_path: Path, name: str) -> None:
    # To make them anew: PYTHONPATH=.:tests/support python -m golden.odd
    for file, text in odd.write(name, tmp_path).items():
        assert text == (HERE / name / file).read_text(encoding="utf-8"), f"see {HERE.name}/odd.py"


def test_totals_are_exact(tmp_path: Path) -> None:
    summary = summary_of(tmp_path, golden_records())
    found = summary["overall"]["tokens"]
    records = [r for r in golden_records() if r.phase != "warm-up"]
    counts = [r.usage.output_tokens for r in records if r.usage.output_tokens is not None]
    assert summary["window"]["left_out"] == 3
    assert found["output_tokens_all"] == sum(counts)
    assert found["requests_with_count"] == len(counts)
    sent = [r for r in records if r.sent_ns is not None]  # one was refused: of that nothing is missing
    assert found["requests_without_count"] == len(sent) - len(counts)


def test_tokens_of_failed_requests_count_in_all_but_not_in_ok(tmp_path: Path) -> None:
    found = summary_of(tmp_path, [ollama(0, tokens=10), ollama(1, tokens=7, outcome="truncated")])["overall"]["tokens"]
    assert (found["output_tokens_all"], found["output_tokens_ok"]) == (17, 10)


def test_the_runs_rate_is_over_first_sent_to_last_ended_of_all(tmp_path: Path) -> None:
    late = failed(1, "timeout", "late", at_ms=1970)
    found = summary_of(tmp_path, [ollama(0, tokens=10), late])
    assert found["window"]["window_s"] == 2.0
    assert found["overall"]["tokens"]["output_tokens_per_s"] == 5.0
    assert found["window"]["ok_requests_per_s"] == 0.5


def test_errors_are_grouped_by_what_they_have_in_common(tmp_path: Path) -> None:
    texts = [f"request {number:04x}-{number} of 10.0.0.{number} failed after {number}.5 s" for number in range(48)]
    records = [failed(number, "server_error", text) for number, text in enumerate(texts)]
    records += [failed(50 + number, "http_error", "HTTP 503 no more than 8 at once") for number in range(3)]
    found = summary_of(tmp_path, records)
    assert found["errors"] == [
        {"requests": 48, "outcome": "server_error", "error": "request # of # failed after #", "example": texts[0]},
        # All say the same: that is what is shown.
        {"requests": 3, "outcome": "http_error"}
        | dict.fromkeys(("error", "example"), "HTTP 503 no more than 8 at once"),
    ]
    report(tmp_path)
    text = (tmp_path / "report.md").read_text()
    assert (
        "| 48 | server_error | `request # of # failed after #` | `request 0000-0 of 10.0.0.0 failed after 0.5 s` |"
        in text
    )
    assert "48 × server_error: request # of # failed after #" in console.render(found)


def test_a_failure_is_in_no_latency(tmp_path: Path) -> None:
    found = summary_of(tmp_path, [ollama(0), failed(1, "http_error", "busy"), openai(2, outcome="cancelled")])
    overall = found["overall"]
    assert overall["metrics"]["e2e_ms"]["n"] == overall["metrics"]["ttft_ms"]["n"] == 1
    assert overall["requests"] == {"total": 3, "by_outcome": {"ok": 1, "http_error": 1, "cancelled": 1}}


def test_the_ledger_adds_up_to_e2e_and_connecting(tmp_path: Path) -> None:
    usage = ollama(0).usage._replace(total_ns=167 * MS)  # 1 ms less than its parts: a queue of -1 ms
    records = [ollama(0, usage=usage, connect_ns=3 * MS), ollama(1)]
    (account,) = summary_of(tmp_path, records)["overall"]["ledger"]
    assert list(account["parts_mean_ms"]) == ["connect", "queue", "load", "prompt_eval", "eval", "rest"]
    assert account["parts_mean_ms"]["queue"] == pytest.approx((-1 + 50) / 2)
    assert account["sum_mean_ms"] == pytest.approx(225 + 1.5)
    assert sum(account["parts_mean_ms"].values()) == pytest.approx(account["sum_mean_ms"])


def test_in_the_open_loop_connecting_is_a_part_of_the_lateness(tmp_path: Path) -> None:
    (account,) = summary_of(tmp_path, [ollama(0, scheduled_ns=ZERO_NS - 10 * MS, connect_ns=4 * MS)])["overall"][
        "ledger"
    ]
    assert account["parts_mean_ms"]["lateness"] == pytest.approx(6)
    assert account["parts_mean_ms"]["connect"] == pytest.approx(4)
    assert account["sum_mean_ms"] == pytest.approx(225 + 10)  # response_ms


@pytest.mark.parametrize(
    ("record", "parts"),
    [
        (openai(0), {"first output": 120, "streaming": 45}),
        (openai(0, streamed=False, first_output_ns=None), {"whole answer": 165}),
        (
            openai(0, usage=Usage(output_tokens=5, prompt_eval_ns=60 * MS, eval_ns=40 * MS)),
            {"prompt_eval": 60, "eval": 40, "rest": 65},
        ),
    ],
)
def test_ledgers_of_servers_that_tell_less(tmp_path: Path, record: Record, parts: dict[str, float]) -> None:
    (account,) = summary_of(tmp_path, [record])["overall"]["ledger"]
    assert account["parts_mean_ms"] == pytest.approx(parts)
    assert account["sum_mean_ms"] == pytest.approx(165)


VLLM = Usage(5, 5, queue_ns=20 * MS, prompt_eval_ns=90 * MS, eval_ns=50 * MS, engine="vLLM")
LLAMA = Usage(5, 5, prompt_eval_ns=60 * MS, eval_ns=40 * MS, engine="llama.cpp")


def test_the_ledger_of_an_engine_that_names_its_queue_closes(tmp_path: Path) -> None:
    loaded = VLLM._replace(load_ns=2 * MS)
    (account,) = summary_of(tmp_path, [openai(n, usage=VLLM) for n in range(99)] + [openai(99, usage=loaded)])[
        "overall"
    ]["ledger"]
    right = {"queue": 20, "load": 0.02, "prompt_eval": 90, "eval": 50, "rest": 4.98}
    assert account["parts_mean_ms"] == pytest.approx(right)
    assert account["sum_mean_ms"] == pytest.approx(165)
    assert (account["closed"], account["told_by"]) == (100, {"vLLM": 100})


@pytest.mark.parametrize(
    ("usage", "said"),
    [
        (VLLM, "vLLM's own durations account for 10 of 10 requests (100 %) to within 5 ms or 2 %: the ledger closes."),
        (VLLM._replace(queue_ns=0), "does not close; the rest, 25.0 ms at the median, is the network and this client."),
        (
            LLAMA,
            "and the wait before them (TTFT − prompt eval: it names no queue), account for 10 of 10 requests (100 %) "
            "to within 5 ms or 2 %: the ledger closes.",
        ),
        (
            LLAMA._replace(eval_ns=9 * MS),
            "does not close; the rest, 36.0 ms at the median, is the network and this client.",
        ),
        (
            LLAMA._replace(engine="LM Studio"),
            "65.0 ms at the median, is its queue, which it does not name, the network and this client.",
        ),
    ],
)
def test_the_report_says_whose_ledger_it_is_and_why_it_does_not_close(tmp_path: Path, usage: Usage, said: str) -> None:
    summary = summary_of(tmp_path, [openai(n, usage=usage) for n in range(10)])
    (line,) = time_spent.section(summary).lines[1:]
    assert str(line[0]).endswith(said)
    assert "账目" in zh(str(line[0]))


SAD = {
    "empty": [],
    "all refused": [failed(n, "refused", "no", sent_ns=None, ended_ns=None) for n in range(3)],
    "all failed": [failed(n, "http_error", "busy", status=503) for n in range(3)],
    "one": [ollama(0)],
    "no counts": [openai(n, usage=Usage()) for n in range(3)],
    "not streamed": [openai(n, streamed=False, first_output_ns=None, first_answer_ns=None, gaps={}) for n in range(3)],
}


@pytest.mark.parametrize("records", SAD.values(), ids=SAD.keys())
def test_no_run_makes_nan_or_none(tmp_path: Path, capsys: pytest.CaptureFixture[str], records: list[Record]) -> None:
    assert main([str(folder(tmp_path, records))]) == 0
    said = capsys.readouterr().out
    page = (tmp_path / "report.html").read_text(encoding="utf-8").rpartition("</head>")[2]
    body = re.sub(r"<script>.*?</script>", "", page, flags=re.S)
    for text in (said, (tmp_path / "report.md").read_text(encoding="utf-8"), body):
        assert not re.search(r"\b(nan|NaN|None|NaT|inf|undefined|<NA>)\b", text)
    assert all(console.width(line) <= 100 for line in said.splitlines())
    json.loads((tmp_path / "summary.json").read_text(encoding="utf-8"), parse_constant=pytest.fail)


def test_sad_runs_are_said_in_words(tmp_path: Path) -> None:
    assert "No request was made" in summary_of(tmp_path / "a", SAD["empty"])["verdict"]
    assert summary_of(tmp_path / "b", SAD["all failed"])["verdict"].startswith("Not one of 3 requests")
    assert "the server counted none" in summary_of(tmp_path / "c", SAD["no counts"])["verdict"]


def test_the_terminal_gets_100_columns_also_in_chinese(tmp_path: Path) -> None:
    records = [failed(n, "server_error", "模型加载失败" * 30 + "\x1b[31m") for n in range(2)] + golden_records()[2:]
    said = console.render(summary_of(tmp_path, records))
    assert max(console.width(line) for line in said.splitlines()) <= 100
    assert "\x1b" not in said


def test_the_glossary_has_every_metric() -> None:
    assert all(f"| `{metric.name}` |" in glossary() for metric in METRICS)


def test_the_glossary_can_be_printed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--glossary"]) == 0
    assert capsys.readouterr().out == glossary()


def test_tokens_over_time_lose_none() -> None:
    import numpy as np

    edges = bins(10.0)
    start, end, tokens = np.array([0.0, 2.5, 9.0]), np.array([10.0, 2.5, 10.0]), np.array([100.0, 7.0, 30.0])
    gained = np.diff(amount_before(edges, start, end, tokens))
    assert gained.sum() == pytest.approx(137)
    assert amount_before(np.array([5.0]), start, end, tokens)[0] == pytest.approx(57)


def test_latencies_where_the_end_cut_many_are_shown_with_these(tmp_path: Path) -> None:
    """Ten that ended after 225 ms, ten that were cut after 125 ms or more, three of them still in the queue."""
    nothing = {"usage": Usage(), "outcome": "cancelled", "phase": "drain"}
    cut = [ollama(10 + n, at_ms=2000, ended_ns=ZERO_NS + (2125 + 20 * n) * MS, **nothing) for n in range(7)]
    waits = {"first_output_ns": None, "first_answer_ns": None, "last_output_ns": None, "output_chunks": 0, "gaps": {}}
    cut += [ollama(17 + n, at_ms=2000, ended_ns=ZERO_NS + 2400 * MS, **nothing, **waits) for n in range(3)]
    summary = summary_of(tmp_path, [ollama(n, at_ms=100 * n) for n in range(10)] + cut)
    found = summary["overall"]["censored"]
    assert (found["e2e_ms"]["n"], found["e2e_ms"]["cut"]) == (20, 10)
    assert found["e2e_ms"]["p50"] == 225
    assert (found["ttft_ms"]["n"], found["ttft_ms"]["cut"], found["ttft_ms"]["p50"]) == (20, 3, 120)
    assert summary["overall"]["metrics"]["e2e_ms"]["n"] == 10
    report(tmp_path)
    assert "with those that the end of the run cut (Kaplan–Meier)" in (tmp_path / "report.md").read_text()


def test_few_that_were_cut_are_no_table_of_their_own(tmp_path: Path) -> None:
    records = [ollama(n, at_ms=10 * n) for n in range(300)] + [ollama(300, outcome="cancelled", usage=Usage())]
    assert summary_of(tmp_path, records)["overall"]["censored"] == {}


def test_one_p95_has_one_value_in_one_report(tmp_path: Path) -> None:
    """run.json has that of an SLO in a bucket 1 % wide; and of too few requests none is shown."""
    records = [ollama(n, at_ms=10 * n, tokens=10 + n % 90) for n in range(200)]
    told = [
        {"slo": "e2e_ms p95 < 2000", "state": "met", "figure": 1063.2, "n": 200, "why": ""},
        {
            "slo": "e2e_ms p99 < 2000",
            "state": "undecided",
            "figure": 1115.2,
            "n": 200,
            "why": "p99 needs 459 independent requests",
        },
    ]
    summary = summarise(load(folder(tmp_path, records, {**RUN, "slos": told})))
    p95 = summary["overall"]["metrics"]["e2e_ms"]["p95"]
    assert p95 is not None
    assert [slo["figure"] for slo in summary["slos"]] == [p95, None]
    assert [slo["state"] for slo in summary["slos"]] == ["met", "undecided"]


def test_to_an_slo_a_failed_request_is_the_worst_value(tmp_path: Path) -> None:
    records = [ollama(n, at_ms=10 * n) for n in range(94)] + [failed(94 + n, "timeout", "late") for n in range(6)]
    told = [{"slo": "e2e_ms p95 < 500", "state": "crossed", "figure": None, "n": 100, "why": ""}]
    (slo,) = summarise(load(folder(tmp_path, records, {**RUN, "slos": told})))["slos"]
    assert (slo["state"], slo["figure"]) == ("crossed", None)
