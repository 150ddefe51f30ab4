"""Endpoints that count a prompt: what is asked of which engine, and what its answer says."""

import json
from typing import Any

import pytest

from tokenswarm.payloads.prompt import Message, Prompt
from tokenswarm.wire import anthropic_messages, ollama_chat, openai_chat, openai_completions, openai_responses
from tokenswarm.wire.counting import question, tokens
from tokenswarm.wire.values import Api, Ask

PROMPT = Prompt("p", (Message("system", "S"), Message("user", "Hi")))
SAID = [{"role": "system", "content": "S"}, {"role": "user", "content": "Hi"}]
ASK = Ask("m", 9, think=True, options={"temperature": 0})


@pytest.mark.parametrize(
    ("engine", "api", "path", "body"),
    [
        (
            "llama.cpp",
            openai_chat,
            "/v1/chat/completions/input_tokens",
            {"model": "m", "messages": SAID},
        ),
        ("llama.cpp", openai_completions, "/tokenize", {"content": "S\n\nHi", "add_special": True}),
        ("vLLM", openai_chat, "/tokenize", {"model": "m", "messages": SAID}),
        ("vLLM", openai_completions, "/tokenize", {"model": "m", "prompt": "S\n\nHi"}),
        (
            "other",
            anthropic_messages,
            "/v1/messages/count_tokens",
            {
                "model": "m",
                "messages": SAID[1:],
                "system": "S",
                "thinking": {"type": "enabled", "budget_tokens": 1024},
            },
        ),
        (
            "LiteLLM",
            openai_responses,
            "/v1/responses/input_tokens",
            {
                "model": "m",
                "input": [{"type": "message", **SAID[1]}],
                "instructions": "S",
                "reasoning": {"effort": "medium"},
            },
        ),
    ],
)
def test_what_is_asked(engine: str, api: Api, path: str, body: dict[str, Any]) -> None:
    asked = question(engine, api.PATH, api.build(PROMPT, ASK))
    assert asked is not None
    assert (asked.method, asked.path, json.loads(asked.body)) == ("POST", path, body)


def test_who_has_none_is_not_asked() -> None:
    for engine, api in (
        ("Ollama", anthropic_messages),
        ("Ollama", ollama_chat),
        ("other", openai_chat),
        ("SGLang", openai_completions),
        ("llama.cpp", ollama_chat),
    ):
        assert question(engine, api.PATH, api.build(PROMPT, ASK)) is None


@pytest.mark.parametrize(
    ("said", "right"),
    [
        ({"input_tokens": 12}, 12),
        ({"object": "response.input_tokens", "input_tokens": 12}, 12),
        ({"count": 3, "max_model_len": 99, "tokens": [1, 2, 3]}, 3),
        ({"tokens": [1, 2, 3]}, 3),
        ({"tokens": [{"id": 1, "piece": "a"}]}, 1),
        ({"input_tokens": -1}, None),
        ({"input_tokens": "many"}, None),
        ({"tokens": 5}, None),
        ({}, None),
    ],
)
def test_what_is_said(said: dict[str, Any], right: int | None) -> None:
    assert tokens(said) == right
