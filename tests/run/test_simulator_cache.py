"""What a session saves: the server does not read again what it has read, and what it has said itself."""

from typing import Any

import pytest
from simulator_process import Simulator, running

SYSTEM = {"role": "system", "content": "You are a patient teacher of physics. " * 100}
SHORT = {"num_predict": 40, "temperature": 0}


def chat(sim: Simulator, messages: list[dict[str, str]]) -> dict[str, Any]:
    body = {"model": "sim", "messages": messages, "stream": False, "options": SHORT}
    said: dict[str, Any] = sim.post("/api/chat", body).json()
    return said


def user(text: str) -> dict[str, str]:
    return {"role": "user", "content": text}


def evaluated(said: dict[str, Any]) -> int:
    """Prompt tokens that took time, at 2,000 a second."""
    return round(said["prompt_eval_duration"] / 5e5)


def test_later_turns_and_shared_system_prompts_cost_what_is_new() -> None:
    with running("--prefill-tps", "2000", "--decode-tps", "2000", "--load-ms", "1") as sim:
        first = chat(sim, [SYSTEM, user("Why is the sky blue?")])
        assert evaluated(first) >= first["prompt_eval_count"] > 900
        turn = [SYSTEM, user("Why is the sky blue?"), first["message"], user("And the sea?")]
        second = chat(sim, turn)
        assert second["prompt_eval_count"] > first["prompt_eval_count"] + 40
        assert evaluated(second) < 300
        other = chat(sim, [SYSTEM, user("What is light?")])
        assert evaluated(other) < 300
        stranger = chat(sim, [user("Hello. " + SYSTEM["content"])])
        assert evaluated(stranger) > 900
        stats = sim.stats()
        assert stats["prompt_tokens"] > stats["cached_prompt_tokens"] > 1800


def test_a_context_that_is_fed_back_was_read_already() -> None:
    with running("--prefill-tps", "2000", "--decode-tps", "2000", "--load-ms", "1") as sim:
        body = {"model": "sim", "stream": False, "options": SHORT}
        first = sim.post("/api/generate", {**body, "prompt": "Tell me a story. " * 200}).json()
        second = sim.post("/api/generate", {**body, "prompt": "Go on.", "context": first["context"]}).json()
        assert second["prompt_eval_count"] >= len(first["context"])
        assert evaluated(second) < 300
        strange = sim.post("/api/generate", {**body, "prompt": "Go on.", "context": first["context"][::-1]}).json()
        assert evaluated(strange) > 800


@pytest.mark.parametrize(
    ("version", "told"), [("0.32.15", False), ("0.33.2", False), ("0.33.3-rc1", True), ("0.40.2", True)]
)
def test_newer_versions_of_ollama_say_what_was_cached(version: str, told: bool) -> None:
    with running("--prefill-tps", "2000", "--load-ms", "1", "--version", version) as sim:
        first, again = (chat(sim, [SYSTEM, user("Hi")]) for _ in range(2))
        cached = [said.get("prompt_eval_cached_count") for said in (first, again)]
        assert cached == ([0, first["prompt_eval_count"] - 1] if told else [None, None])
        assert evaluated(again) < 300 < 900 < evaluated(first)
        body = {"model": "sim", "messages": [SYSTEM, user("Hi")], "max_tokens": 2}
        usage = sim.post("/v1/chat/completions", body).json()["usage"]
        assert usage.get("prompt_tokens_details") == ({"cached_tokens": cached[1]} if told else None)


@pytest.mark.parametrize("told", [False, True])
def test_cached_tokens_are_in_the_usage_if_asked_for(told: bool) -> None:
    options = ("--openai-only", "--load-ms", "1", *(["--cached-tokens-in-usage"] if told else []))
    with running(*options) as sim:
        body = {"model": "sim", "messages": [SYSTEM, user("Hi")], "max_tokens": 2}
        usages = [sim.post("/v1/chat/completions", body).json()["usage"] for _ in range(2)]
        streamed = {**body, "stream": True, "stream_options": {"include_usage": True}}
        usages.append(sim.post("/v1/chat/completions", streamed).events()[-2]["usage"])
        details = [usage.get("prompt_tokens_details") for usage in usages]
        cached = usages[0]["prompt_tokens"] - 1
        assert details == ([{"cached_tokens": number} for number in (0, cached, cached)] if told else [None] * 3)
