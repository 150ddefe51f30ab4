"""Made-up prompts in runs: as long as asked for by the server's own count, on every worker."""

from pathlib import Path

import pytest
from doors import refused
from locust_process import folder, headless, processes
from simulator_process import running


def test_prompts_are_as_long_as_asked_for_on_every_worker(tmp_path: Path) -> None:
    ours = ("--prompt-tokens", "300", "--shared-prefix-tokens", "200", "--prefix-pool", "2", "--output-tokens", "3..5")
    load = ("OllamaChatUser", "--users", "2", "--run-time", "2s", "--model", "sim", "--keep-text", "--no-report")
    with running("--load-ms", "0") as simulator:
        done = headless(simulator.url, tmp_path / "runs", *load, *ours, *processes(2))
    assert "prompt length" not in done.stderr
    run = folder(tmp_path / "runs")
    rows = [row for row in run.rows if row["outcome"] == "ok"]
    assert {row["worker"] for row in rows} == {"0", "1"}
    # The simulator counts four characters for a token; a word is five.
    assert all(abs(int(row["prompt_tokens"]) - 500) <= 2 for row in rows)
    assert {row["output_tokens"] for row in rows} <= {"3", "4", "5"}
    assert run.run["scale"]["word_tokens"] == pytest.approx(1.27, abs=0.02)
    assert len({row["prompt_text"] for row in rows}) == len(rows)
    assert len({row["prompt_text"][:200] for row in rows}) == 2


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (("--prompt-tokens", "5"), "--prompt-tokens 5: the model's template alone takes 12 tokens; ask for 14 or more"),
        (
            ("--prompt-tokens", "50", "--payloads", "long"),
            "--prompt-tokens makes the prompts up, so there is no use for",
        ),
        (("--prompt-tokens", "many"), "argument --prompt-tokens: ▸many◂ is no number or distribution; write 20"),
    ],
)
def test_lengths_that_cannot_be_had_are_told_before_any_load(tmp_path: Path, given: tuple[str, ...], said: str) -> None:
    with running("--load-ms", "0") as simulator:
        options = ("--host", simulator.url, "--run-dir", str(tmp_path / "runs"), "--model", "sim", *given)
        assert said in refused("OllamaChatUser", *options)


def test_a_server_that_does_not_count_is_a_remark(tmp_path: Path) -> None:
    load = ("OllamaChatUser", "--users", "1", "--run-time", "1s", "--model", "fault-no-usage", "--no-report")
    with running("--load-ms", "0") as simulator:
        headless(simulator.url, tmp_path / "runs", *load, "--prompt-tokens", "50")
    run = folder(tmp_path / "runs")
    assert "prompt length" in run.rules("remark")
    assert run.run["scale"] is None
