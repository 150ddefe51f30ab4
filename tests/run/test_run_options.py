"""What the options do, seen in the run folder and in the server's own log."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from gevent.pool import Pool
from locust_process import Run, folder, headless
from simulator_process import Simulator, running

LOAD = ("--users", "4", "--spawn-rate", "4", "--run-time", "3s", "--max-tokens", "12", "--stop-timeout", "5")


@pytest.fixture(scope="module")
def simulator() -> Iterator[Simulator]:
    with running("--load-ms", "0", "--decode-tps", "200", "--parallel", "24") as started:
        yield started


def load(simulator: Simulator, run_dir: Path, *options: str, **env: str) -> Run:
    done = headless(simulator.url, run_dir, *LOAD, *options, **env)
    assert done.returncode == 0, done.stderr
    run = folder(run_dir)
    assert set(run.outcomes) == {"ok"}  # with a stop timeout nothing is cut
    return run


THINKS = ("OllamaChatUser", "OpenAIChatUser", "--model", "sim-think", "--no-report")
ASKED = {
    "in one piece": ("--model", "sim", "--no-stream"),
    "thinks": THINKS,
    "does not think": (*THINKS, "--think", "false"),
    "without texts": ("--model", "sim"),
    "with texts": ("--model", "sim", "--keep-text", "--unique-prompts", "--no-report"),
}


@pytest.fixture(scope="module")
def runs(simulator: Simulator, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Run]:
    """A run of each kind, at once."""
    parent = tmp_path_factory.mktemp("options")

    def one(kind: str) -> Run:
        return load(simulator, parent / kind, *ASKED[kind])

    return dict(zip(ASKED, Pool(5).map(one, ASKED), strict=True))


def test_answers_in_one_piece(runs: dict[str, Run]) -> None:
    run = runs["in one piece"]
    assert {row["endpoint"] for row in run.rows} == {
        "/api/chat",
        "/api/generate",
        "/v1/chat/completions",
        "/v1/completions",
    }
    for row in run.rows:
        assert row["streamed"] == "0"
        assert row["ttft_ms"] == row["tpot_ms"] == row["itl_ms_hist"] == ""
        assert float(row["e2e_ms"]) > 0
        assert 0 < int(row["output_tokens"]) <= 12
    report = (run.path / "report.md").read_text()
    assert "nan" not in report.lower().split()


def test_thinking_on_and_off(runs: dict[str, Run]) -> None:
    assert all(int(row["thinking_chars"]) > 0 for row in runs["thinks"].rows)
    silent = runs["does not think"]
    assert all(int(row["thinking_chars"]) == 0 and row["ttfa_ms"] == row["ttft_ms"] for row in silent.rows)


def test_texts_are_kept_only_when_asked_for_and_prompts_are_unique_when_asked_for(runs: dict[str, Run]) -> None:
    without, kept = runs["without texts"], runs["with texts"]
    assert all(row["prompt_text"] == row["output_text"] == "" for row in without.rows)
    assert not (without.path / "report.html").read_text().count("什么是机器学习")
    prompts = [row["prompt_text"] for row in kept.rows]
    assert len(set(prompts)) == len(prompts)
    assert all(prompt.startswith("[") for prompt in prompts)
    assert all(len(row["output_text"]) == int(row["text_chars"]) > 0 for row in kept.rows)


def test_options_from_the_environment_and_a_config_file(simulator: Simulator, tmp_path: Path) -> None:
    config = tmp_path / "my.conf"
    config.write_text("max-tokens = 5\nno-report = true\nname = from file\n")
    run = load(simulator, tmp_path / "runs", "--config", str(config), "OllamaGenerateUser", TOKENSWARM_MODEL="sim")
    # The command line goes first: LOAD says 12.
    assert run.run["options"]["max_tokens"] == 12
    assert run.run["target"]["model"] == "sim"
    assert run.path.name.endswith("Z-from-file")
    assert not (run.path / "report.md").exists()


def test_locusts_own_csvs_go_where_the_user_sends_them(simulator: Simulator, tmp_path: Path) -> None:
    run = load(simulator, tmp_path / "runs", "--model", "sim", "--csv", str(tmp_path / "mine"), "--no-report")
    assert (tmp_path / "mine_stats.csv").exists()
    assert not list(run.path.glob("locust_*"))


def test_the_seed_chooses_the_prompts_and_payload_limits_go_first(simulator: Simulator, tmp_path: Path) -> None:
    path = tmp_path / "mine.jsonl"
    lines = [{"prompt": f"question {n}", "max_tokens": n} for n in range(1, 9)]
    path.write_text("\n".join(json.dumps(line) for line in lines))
    options = ("OllamaChatUser", "--model", "sim", "--payloads", str(path), "--seed", "7", "--no-report")
    first, second = Pool(2).map(lambda name: load(simulator, tmp_path / name, *options), "ab")
    assert all(int(row["output_tokens"]) <= int(row["max_tokens"]) <= 8 for row in first.rows)

    def asked(run: Run) -> dict[str, str]:
        return {row["sequence"]: row["prompt_id"] for row in run.rows}

    both = asked(first).keys() & asked(second).keys()
    assert len(both) > 10
    assert all(asked(first)[n] == asked(second)[n] for n in both)
