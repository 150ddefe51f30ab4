"""The runners of other tools: what is read of their exports, what is set against the truth, what a command costs."""

import json
import sys
from pathlib import Path

import pytest

from bench import aiperf, guidellm, locusts, others
from bench.believed import Believed, errors
from bench.others import Load
from bench.spent import spend
from bench.truth import Truth, serving, take
from bench.truth_log import Answered
from tokenswarm.reports.dialects.definitions import DIALECTS

MS = 1_000_000
# Arrived at 1 s; tokens at 20, 40 and 70 ms, the end at 71 ms.
ANSWER = Answered(7, "abc", 1000 * MS, [1020 * MS, 1040 * MS, 1070 * MS], 1071 * MS, True)
TRUTH = Truth({}, [ANSWER])


def test_errors_are_of_durations() -> None:
    kept, none = Believed("abc", 22.0, (19.0, 33.0), 75.0, True), Believed(7, 20.0, None, 71.0, False)
    found = errors([kept, none], TRUTH)
    assert (found.tokens, found.coalesced, found.mismatched) == (6, 0, [])
    assert found.ttft_ms == pytest.approx([2, 0])
    assert found.e2e_ms == pytest.approx([4, 1])  # the second ends with its last chunk
    assert found.gap_ms == pytest.approx([1, 3])


@pytest.mark.parametrize("believed", [Believed("xyz", 1, None, 1, True), Believed("abc", 1, (1.0,), 1, True)])
def test_what_does_not_match_is_no_measurement(believed: Believed) -> None:
    found = errors([believed], TRUTH)
    assert (found.tokens, found.ttft_ms) == (0, [])
    assert found.mismatched[0].startswith(f"request {believed.key}: ")


def test_aiperf_exports(tmp_path: Path) -> None:
    values = {"time_to_first_token": 105.0, "inter_chunk_latency": [50.0, 50.0], "request_latency": 205.0}
    metrics = {name: {"value": value, "unit": "ms"} for name, value in values.items()}
    who = {"x_request_id": "abc"}
    lines = ({"metadata": who, "metrics": metrics}, {"metadata": who, "metrics": {}, "error": {"code": 500}})
    (tmp_path / "aiperf").mkdir()
    (tmp_path / "aiperf" / "profile_export.jsonl").write_text("\n".join(map(json.dumps, lines)))
    assert aiperf.believed(tmp_path) == [Believed("abc", 105.0, (50.0, 50.0), 205.0, False)]


def test_guidellm_report(tmp_path: Path) -> None:
    request = {"response_id": "chatcmpl-7", "time_to_first_token_ms": 100.0, "request_latency": 0.26}
    (tmp_path / "guidellm.json").write_text(json.dumps({"benchmarks": [{"requests": {"successful": [request]}}]}))
    assert guidellm.believed(tmp_path) == [Believed(7, 100.0, None, 260.0, True)]


def test_each_user_asks_so_many_times_and_then_the_run_ends(tmp_path: Path) -> None:
    with serving("--step-ms", "5") as url:
        spent = locusts.run("requests", Load(url, 5, 15, 4), tmp_path, Path(sys.executable))
        found = errors(locusts.believed(tmp_path), take(url))
    assert (len(found.ttft_ms), found.tokens, found.mismatched) == (15, 60, [])
    assert spent.cpu_s > 0.1
    assert spent.peak_mb > 10


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
