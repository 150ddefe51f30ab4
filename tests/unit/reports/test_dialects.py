"""Other tools' definitions, by hand: round numbers, and the sad cases."""

import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from golden.make import MS, RUN, ZERO_NS, failed, folder, ollama, openai

from tokenswarm.metrics.histogram import bucket, middle_ms
from tokenswarm.metrics.record import Record
from tokenswarm.reports.__main__ import main
from tokenswarm.reports.dialects import table as dialect_report
from tokenswarm.reports.dialects.definitions import DIALECTS
from tokenswarm.reports.dialects.requests import Answers, answers
from tokenswarm.reports.dialects.statistics import spread_linear, spread_weighted
from tokenswarm.reports.load import load
from tokenswarm.wire.values import Usage

DOCUMENT = Path(__file__).parents[3] / "docs" / "metrics.md"


def example(sequence: int = 0, **changes: Any) -> Record:
    """The request of docs/metrics.md: connecting 5 ms; role at 10, output at 100, 150, 200, end at 260 ms; 4 tokens."""
    made = openai(
        sequence,
        tokens=4,
        connect_ns=5 * MS,
        first_byte_ns=ZERO_NS + 10 * MS,
        first_output_ns=ZERO_NS + 100 * MS,
        first_answer_ns=ZERO_NS + 100 * MS,
        last_output_ns=ZERO_NS + 200 * MS,
        ended_ns=ZERO_NS + 260 * MS,
        output_chunks=3,
        gaps={bucket(50 * MS): 2},
        usage=Usage(prompt_tokens=20, output_tokens=4, source="usage"),
    )
    return replace(made, **changes)


WHOLE: Mapping[str, Any] = {
    "streamed": False,
    "first_output_ns": None,
    "first_answer_ns": None,
    "last_output_ns": None,
    "gaps": {},
}


def answers_of(path: Path, *records: Record) -> Answers:
    run = load(folder(path, records))
    return answers(run.measured, run.gaps)


def means(path: Path, tool: str, *records: Record) -> dict[str, float]:
    return {line.name: line.figures["mean"] for line in DIALECTS[tool].lines(answers_of(path, *records))}


def test_aiperf_ends_with_the_last_output_and_calls_the_mean_gap_itl(tmp_path: Path) -> None:
    assert means(tmp_path, "aiperf", example()) == pytest.approx(
        {
            "Time to First Token (ms)": 105,
            "Time to First Output Token (ms)": 105,
            "Request Latency (ms)": 205,
            "Inter Token Latency (ms)": 100 / 3,
            "Inter Chunk Latency (ms)": 50,
            "Output Token Throughput Per User": 30,
            "E2E Output Token Throughput": 4 / 0.205,
            "Output Sequence Length (tokens)": 4,
            "Input Sequence Length (tokens)": 20,
            "Output Token Throughput (tok/s)": 4 / 0.205,
            "Request Throughput (req/s)": 1 / 0.205,
        }
    )


def test_guidellm_has_the_first_token_in_tpot_and_no_connecting(tmp_path: Path) -> None:
    assert means(tmp_path, "guidellm", example()) == pytest.approx(
        {
            "Request Latency (Sec)": 0.26,
            "TTFT (ms)": 100,
            "TTFOT (ms)": 100,
            "ITL (ms)": 100 / 3,
            "TPOT (ms)": 50,
            "Output Tok (Per Req)": 4,
            "Output Tokens (Per Sec)": 4 / 0.26,
            "Requests (Per Sec)": 1 / 0.26,
        }
    )


def test_vllm_pools_the_gaps_and_ends_with_the_last_output(tmp_path: Path) -> None:
    assert means(tmp_path, "vllm", example()) == pytest.approx(
        {
            "TTFT (ms)": 105,
            "TPOT (ms)": 100 / 3,
            "ITL (ms)": 50,
            "E2EL (ms)": 205,
            "Request throughput (req/s)": 1 / 0.265,
            "Output token throughput (tok/s)": 4 / 0.265,
            "Total token throughput (tok/s)": 24 / 0.265,
        }
    )


def test_guidellm_weighs_by_tokens_and_the_others_by_requests(tmp_path: Path) -> None:
    # 11 tokens 10 ms apart from 120 ms on, and the example's 4 with 33.3 ms.
    records = (ollama(1), example(connect_ns=None))
    guidellm = means(tmp_path / "g", "guidellm", *records)
    assert guidellm["ITL (ms)"] == pytest.approx((10 * 10 + 3 * 100 / 3) / 13)
    assert guidellm["TPOT (ms)"] == pytest.approx((220 + 200) / 15)
    assert means(tmp_path / "a", "aiperf", *records)["Inter Token Latency (ms)"] == pytest.approx((10 + 100 / 3) / 2)
    assert means(tmp_path / "v", "vllm", *records)["ITL (ms)"] == pytest.approx((10 * 10 + 2 * 50) / 12)


def test_one_chunk_of_all_tokens(tmp_path: Path) -> None:
    one = example(output_chunks=1, last_output_ns=ZERO_NS + 100 * MS, gaps={}, connect_ns=None)
    found = means(tmp_path / "a", "aiperf", one)
    assert (found["Request Latency (ms)"], found["Inter Token Latency (ms)"]) == pytest.approx((100, 0))
    assert "Output Token Throughput Per User" not in found
    assert "Inter Chunk Latency (ms)" not in found
    assert means(tmp_path / "g", "guidellm", one)["ITL (ms)"] == 0
    assert means(tmp_path / "v", "vllm", one)["TPOT (ms)"] == 0


def test_thinking_comes_before_the_first_answer(tmp_path: Path) -> None:
    thought = example(first_answer_ns=ZERO_NS + 150 * MS, thinking_chars=4)
    assert means(tmp_path / "a", "aiperf", thought)["Time to First Output Token (ms)"] == pytest.approx(155)
    assert means(tmp_path / "g", "guidellm", thought)["TTFOT (ms)"] == pytest.approx(150)
    said = dialect_report.report(tmp_path / "a", "vllm")
    assert "1 answer began with thinking" in said


def test_without_a_count_a_chunk_is_a_token_to_guidellm_alone(tmp_path: Path) -> None:
    uncounted = example(usage=Usage(), connect_ns=None)
    guidellm = means(tmp_path / "g", "guidellm", uncounted)
    gaps_ms = 2 * middle_ms(bucket(50 * MS))  # the last chunk, too, is known to 1 % only
    assert guidellm["Output Tok (Per Req)"] == 3
    assert guidellm["ITL (ms)"] == pytest.approx(gaps_ms / 2)
    aiperf = means(tmp_path / "a", "aiperf", uncounted)
    assert aiperf["Request Latency (ms)"] == pytest.approx(100 + gaps_ms)
    assert not {name for name in aiperf if "Inter Token" in name or "Throughput (tok" in name}
    assert "TPOT (ms)" not in means(tmp_path / "v", "vllm", uncounted)


def test_answers_in_one_piece(tmp_path: Path) -> None:
    whole = example(1, connect_ns=None, output_chunks=1, **WHOLE)
    assert means(tmp_path / "a", "aiperf", whole) == pytest.approx(
        {
            "Request Latency (ms)": 260,
            "E2E Output Token Throughput": 4 / 0.26,
            "Output Sequence Length (tokens)": 4,
            "Input Sequence Length (tokens)": 20,
            "Output Token Throughput (tok/s)": 4 / 0.26,
            "Request Throughput (req/s)": 1 / 0.26,
        }
    )
    assert means(tmp_path / "g", "guidellm", whole)["TPOT (ms)"] == pytest.approx(65)
    assert "ITL (ms)" not in means(tmp_path / "g", "guidellm", whole)
    # Beside a streamed one it counts as 0, with its weight.
    assert means(tmp_path / "b", "guidellm", example(), whole)["ITL (ms)"] == pytest.approx(100 / 6)
    assert means(tmp_path / "v", "vllm", whole) == {}
    assert "came in one piece and are left out" in dialect_report.report(tmp_path / "a", "vllm")


def test_failed_requests_are_in_the_time_and_in_guidellms_rates(tmp_path: Path) -> None:
    late = failed(1, "timeout", "late", at_ms=970)  # it ended 1000 ms after the first was sent
    cut = example(2, outcome="cancelled", usage=Usage(), connect_ns=None)
    records = (example(connect_ns=None), late, cut)
    assert means(tmp_path / "a", "aiperf", *records)["Request Throughput (req/s)"] == pytest.approx(1 / 0.2)
    guidellm = means(tmp_path / "g", "guidellm", *records)
    assert guidellm["Requests (Per Sec)"] == pytest.approx(3)
    assert guidellm["Output Tokens (Per Sec)"] == pytest.approx(4 + 3)
    assert guidellm["Request Latency (Sec)"] == pytest.approx(0.26)
    vllm = means(tmp_path / "v", "vllm", *records)
    assert vllm["Request throughput (req/s)"] == pytest.approx(1)
    assert vllm["ITL (ms)"] == pytest.approx(50)


def test_an_ok_answer_without_output_is_none_to_aiperf_and_vllm(tmp_path: Path) -> None:
    empty = openai(0, tokens=1, output_chunks=0, text_chars=0, gaps={}, longest_gap_ns=None)
    empty = replace(empty, first_output_ns=None, first_answer_ns=None, last_output_ns=None)
    assert means(tmp_path / "a", "aiperf", empty) == means(tmp_path / "v", "vllm", empty) == {}
    assert means(tmp_path / "g", "guidellm", empty)["Output Tok (Per Req)"] == 1


SAD: dict[str, list[Record]] = {
    "none": [],
    "all refused": [failed(n, "refused", "no", sent_ns=None, ended_ns=None) for n in range(3)],
    "all failed": [failed(n, "http_error", "busy", status=503) for n in range(3)],
}


@pytest.mark.parametrize("tool", DIALECTS)
@pytest.mark.parametrize("records", SAD.values(), ids=SAD.keys())
def test_sad_runs_are_said_in_words(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], tool: str, records: list[Record]
) -> None:
    assert main([str(folder(tmp_path, records)), "--as", tool]) == 0
    said = capsys.readouterr().out
    assert "No request was answered" in said or "Requests (Per Sec)" in said
    assert not re.search(r"\b(nan|None|inf)\b", said)


@pytest.mark.parametrize("tool", DIALECTS)
def test_the_terminal_gets_100_columns(tmp_path: Path, tool: str) -> None:
    records = [example(n) for n in range(3)] + [ollama(n, tokens=2000) for n in range(3, 5)]
    said = dialect_report.report(folder(tmp_path, records), tool)
    assert max(map(len, said.splitlines())) <= 100
    assert "2 requests asked a server's own API" in said
    assert RUN["run"] in said


def test_as_needs_a_folder(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["--glossary", "--as", "vllm"])
    assert ended.value.code == 2
    assert "need a RUN_FOLDER" in capsys.readouterr().err


def test_percentiles_on_a_straight_line() -> None:
    found = spread_linear(np.array([40.0, 10.0, np.nan, 20.0, 30.0]))
    assert found == pytest.approx(
        {"mean": 25, "max": 40, "std": 125**0.5, "p50": 25, "p90": 37, "p95": 38.5, "p99": 39.7}
    )
    assert spread_linear(np.array([10.0, 20.0]), np.array([3, 1]))["p90"] == pytest.approx(17)
    assert spread_linear(np.array([np.nan])) == {}


def test_percentiles_by_share_of_the_weight() -> None:
    values = np.arange(1.0, 25.0)
    assert spread_weighted(values)["p50"] == 12
    assert spread_weighted(values)["p99"] == 24
    assert spread_weighted(np.array([1.0, 5.0]), np.array([9.0, 1.0])) == pytest.approx(
        {"mean": 1.4, "p50": 1, "p90": 1, "p95": 5, "p99": 5}
    )
    assert spread_weighted(np.array([1.0]), np.array([0.0])) == {}


def test_the_document_names_the_versions() -> None:
    text = DOCUMENT.read_text(encoding="utf-8")
    for name, dialect in DIALECTS.items():
        assert dialect.version in text
        assert f"`{name}`" in text or f"--as {name}" in text


def test_management_calls_are_in_no_tools_latencies(tmp_path: Path) -> None:
    call = ollama(9, at_ms=5, streamed=False, usage=Usage())
    call = replace(call, identity=replace(call.identity, endpoint="/api/tags", max_tokens=None))
    alone = dialect_report.report(folder(tmp_path / "one", [example()]), "aiperf").splitlines()[1:]
    assert dialect_report.report(folder(tmp_path / "two", [example(), call]), "aiperf").splitlines()[1:] == alone
