"""Prompts of a wanted length: where a server counts without generating, nothing is generated to find their scale."""

from pathlib import Path

import pytest
from locust_process import folder, headless
from simulator_process import running

ENGINES = {
    "llama.cpp": ("OpenAIChatUser", "/v1/chat/completions/input_tokens"),
    "llama.cpp completions": ("OpenAICompletionsUser", "/tokenize"),
    "llama.cpp messages": ("AnthropicMessagesUser", "/v1/messages/count_tokens"),
    "llama.cpp responses": ("OpenAIResponsesUser", "/v1/responses/input_tokens"),
    "vllm": ("OpenAIChatUser", "/tokenize"),
    "sglang": ("OpenAIChatUser", ""),  # by two requests, as ever
}


@pytest.mark.parametrize("case", ENGINES)
def test_a_scale_without_generating(case: str, tmp_path: Path) -> None:
    user, path = ENGINES[case]
    load = (user, "--model", "sim", "--prompt-tokens", "200", "--requests", "10", "--max-tokens", "4", "--users", "2")
    with running("--engine", case.split()[0], "--load-ms", "1", "--decode-tps", "2000") as sim:
        done = headless(sim.url, tmp_path, *load, "--no-report")
        stats = sim.stats()
    assert done.returncode == 0, done.stderr
    run = folder(tmp_path)
    assert run.outcomes == {"ok": 10}
    assert all(abs(int(row["prompt_tokens"]) - 200) < 6 for row in run.rows), [r["prompt_tokens"] for r in run.rows]
    assert stats["complete"] == 10 + (1 if path else 3)  # a warm-up; and two of a token each
    assert stats["requests"].get(path, {}).get("200", 0) == (3 if path else 0)
    assert run.run["scale"]["word_tokens"] > 0
