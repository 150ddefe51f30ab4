"""The runners of other tools: what is read of their exports, what is set against the truth, what a command costs."""

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from bench import aiperf, compare, guidellm, others, vllm
from bench.believed import Believed, Moments, errors, true_moments
from bench.others import Load
from bench.spent import spend
from bench.truth import Answered, Truth
from tokenswarm.reports.dialects.definitions import DIALECTS

MS = 1_000_000
# Arrived at 1 s; tokens at 20, 40 and 70 ms, the end at 71 ms.
ANSWER = Answered(7, "abc", 1000 * MS, [1020 * MS, 1040 * MS, 1070 * MS], 1071 * MS, True)
TRUTH = Truth({}, [ANSWER])


def test_errors_are_of_durations() -> None:
    found = errors([Believed("abc", 22.0, (19.0, 33.0), 75.0, True), Believed(7, 20.0, None, 71.0, False)], TRUTH)
    assert (found.n, found.tokens, found.gap_ms) == (2, 6, None)
    assert (found.ttft_ms.p50, found.ttft_ms.max) == pytest.approx((0, 2))
    assert (found.e2e_ms.p50, found.e2e_ms.max) == pytest.approx((1, 4))  # the second ends with its last chunk
    kept = errors([Believed("abc", 22.0, (19.0, 33.0), 75.0, True)], TRUTH).gap_ms
    assert kept is not None
    assert (kept.n, kept.max) == (2, pytest.approx(3))


@pytest.mark.parametrize("believed", [Believed("xyz", 1, None, 1, True), Believed("abc", 1, (1.0,), 1, True)])
def test_what_does_not_match_is_no_measurement(believed: Believed) -> None:
    with pytest.raises(ValueError, match="request"):
        errors([believed], TRUTH)


def test_the_truth_as_time_stamps() -> None:
    (made,) = true_moments(TRUTH)
    assert (made.first_ms, made.last_ms, made.end_ms, made.gaps_ms) == (20, 70, 71, (20, 30))
    assert (made.chunks, made.output_tokens, made.ok) == (3, 3, True)
    (cut,) = true_moments(Truth({}, [Answered(8, None, 0, [MS], None, False)]))
    assert (cut.end_ms, cut.gaps_ms, cut.ok) == (1, (), False)


def event(**fields: Any) -> dict[str, Any]:
    return {"name": "data", "value": json.dumps({"choices": [], **fields})}


def test_aiperf_exports(tmp_path: Path) -> None:
    values = {"time_to_first_token": 105.0, "inter_chunk_latency": [50.0, 50.0], "request_latency": 205.0}
    metrics = {name: {"value": value, "unit": "ms"} for name, value in values.items()}
    who = {"x_request_id": "abc", "request_start_ns": 5 * MS}
    lines = ({"metadata": who, "metrics": metrics}, {"metadata": who, "metrics": {}, "error": {"code": 500}})
    (tmp_path / "aiperf").mkdir()
    (tmp_path / "aiperf" / "profile_export.jsonl").write_text("\n".join(map(json.dumps, lines)))
    assert aiperf.believed(tmp_path) == [Believed("abc", 105.0, (50.0, 50.0), 205.0, False)]

    role, text = (
        event(choices=[{"delta": delta}]) for delta in ({"role": "assistant", "content": ""}, {"content": "a"})
    )
    usage = event(usage={"prompt_tokens": 20, "completion_tokens": 4})
    stamped = ((10, role), (105, text), (155, text), (260, usage), (260, {"name": "data", "value": "[DONE]"}))
    responses = [{"perf_ns": ms * MS, "packets": [packet]} for ms, packet in stamped]
    record = {"metadata": who, "start_perf_ns": 0, "responses": responses}
    (tmp_path / "aiperf" / "profile_export_raw.jsonl").write_text(json.dumps(record))
    assert aiperf.raw(tmp_path) == [Moments(5, 105, 155, 155, 2, (50,), 20, 4)]


def test_guidellm_report(tmp_path: Path) -> None:
    times = {"request_start": 1.0, "first_token_iteration": 1.1, "last_token_iteration": 1.2, "request_end": 1.26}
    request = {"info": {"timings": {**times, "token_iterations": 3}}, "prompt_tokens": 20, "output_tokens": 4}
    request |= {"response_id": "chatcmpl-7", "time_to_first_token_ms": 100.0, "request_latency": 0.26}
    benchmark = {"requests": {"successful": [request]}}
    (tmp_path / "guidellm.json").write_text(json.dumps({"benchmarks": [benchmark]}))
    assert guidellm.believed(tmp_path) == [Believed(7, 100.0, None, 260.0, True)]
    (made,) = guidellm.raw(tmp_path)
    assert (made.first_ms, made.last_ms, made.end_ms) == pytest.approx((100, 200, 260))


def test_vllm_output(tmp_path: Path) -> None:
    output = {"start_time": 1.0, "ttft": 0.105, "latency": 0.205, "itl": [0.05, 0.05], "prompt_len": 20}
    (tmp_path / "vllm.log").write_text(json.dumps({"outputs": [{**output, "output_tokens": 4}]}))
    (made,) = vllm.raw(tmp_path)
    assert (made.first_ms, made.last_ms, made.chunks, made.gaps_ms) == (105, 205, 3, (50, 50))


def test_what_is_pinned_is_what_is_rendered() -> None:
    for tool in ("aiperf", "guidellm"):
        assert others.version_of(tool) == DIALECTS[tool].version


def test_prompts_and_tokenizer_are_made_here(tmp_path: Path) -> None:
    rows = (
        others.prompts(tmp_path, Load("http://x", 1, 2, 64), "prompt", "output_tokens_count").read_text().splitlines()
    )
    assert [json.loads(row)["output_tokens_count"] for row in rows] == [64, 64]
    made = others.tokenizer(tmp_path)
    assert json.loads((made / "tokenizer.json").read_text())["model"]["unk_token"] == "[UNK]"


BURN = "import time\nwhile time.process_time() < 0.3: pass"


def test_the_cost_of_a_command_holds_its_children(tmp_path: Path) -> None:
    code = f"import subprocess, sys\nsubprocess.run([sys.executable, '-c', {BURN!r}])\n{BURN}"
    spent = spend([sys.executable, "-c", code], cwd=tmp_path, log=tmp_path / "log", limit_s=30)
    assert spent.exit_code == 0
    assert 0.6 <= spent.cpu_s < 5
    assert spent.peak_mb > 5


def test_a_command_that_hangs_is_ended(tmp_path: Path) -> None:
    spent = spend(["sleep", "60"], cwd=tmp_path, log=tmp_path / "log", limit_s=0.3)
    assert spent.exit_code is None
    assert spent.wall_s < 10


def test_ratios_are_of_medians(capsys: pytest.CaptureFixture[str]) -> None:
    made = {"n": 1, "tokens": 1, "ttft_ms": {"p50": 1.0, "p99": 2.0, "max": 2.0}, "gap_ms": None, "e2e_ms": None}
    cost = {"wall_s": 1.0, "peak_mb": 1.0}
    rows = [{"tool": "tokenswarm", **made, **cost, "cpu_s": s} for s in (1.0, 2.0, 9.0)]
    rows += [{"tool": "aiperf", **made, **cost, "cpu_s": 8.0}, {"tool": "aiperf", "round": 2, "failed": "no"}]
    compare.ratios(rows)
    said = capsys.readouterr().out
    assert [line.split() for line in said.splitlines() if line.startswith("CPU s")] == [
        ["CPU", "s", "–", "–", "0.2500", "–"]
    ]
