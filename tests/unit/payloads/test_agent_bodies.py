"""Bodies that agents sent, Anthropic's and those of /v1/responses, read as prompts, and sent again as they were."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from tokenswarm.payloads.formats.detect import read
from tokenswarm.payloads.prompt import Message, Prompt
from tokenswarm.wire import anthropic_messages, ollama_chat, openai_responses
from tokenswarm.wire.values import Api, Ask

PNG = {"type": "base64", "media_type": "image/png", "data": "iVBORw0KGgo="}
USED = {"type": "tool_use", "id": "toolu_1", "name": "get_weather", "input": {"city": "Oslo"}}
CLAUDE = {
    "model": "m",
    "max_tokens": 300,
    "system": [{"type": "text", "text": "Be brief.", "cache_control": {"type": "ephemeral"}}],
    "stop_sequences": ["END"],
    "thinking": {"type": "enabled", "budget_tokens": 2048},
    "tools": [{"name": "get_weather", "description": "w", "input_schema": {"type": "object"}}],
    "messages": [
        {"role": "user", "content": [{"type": "text", "text": "Weather?"}, {"type": "image", "source": PNG}]},
        {"role": "assistant", "content": [{"type": "thinking", "thinking": "Hm.", "signature": "x"}, USED]},
        {
            "role": "user",
            "content": [
                {"type": "tool_result", "tool_use_id": "toolu_1", "content": [{"type": "text", "text": "4 degrees"}]},
                {"type": "text", "text": "And?"},
            ],
        },
    ],
}
CALL = {"id": "toolu_1", "name": "get_weather", "arguments": {"city": "Oslo"}}
TALK = (
    Message("system", "Be brief."),
    Message("user", "Weather?", images=("iVBORw0KGgo=",)),
    Message("assistant", "", tool_calls=(CALL,), thinking="Hm."),
    Message("tool", "4 degrees", tool_name="get_weather", tool_call_id="toolu_1"),
    Message("user", "And?"),
)
ITEM = {"type": "function_call", "call_id": "toolu_1", "name": "get_weather", "arguments": '{"city":"Oslo"}'}
CODEX = {
    "model": "m",
    "instructions": "Be brief.",
    "max_output_tokens": 300,
    "reasoning": {"effort": "low"},
    "store": False,
    "tools": [{"type": "function", "name": "get_weather", "parameters": {"type": "object"}}],
    "input": [
        {
            "type": "message",
            "role": "user",
            "content": [
                {"type": "input_text", "text": "Weather?"},
                {"type": "input_image", "image_url": "data:image/png;base64,iVBORw0KGgo="},
            ],
        },
        {"type": "reasoning", "summary": [{"type": "summary_text", "text": "Hm."}]},
        ITEM,
        {"type": "function_call_output", "call_id": "toolu_1", "output": "4 degrees"},
        {"role": "user", "content": "And?"},
    ],
}


def prompt(body: dict[str, Any]) -> Prompt:
    found = read(body, "p", Path())
    assert found is not None
    return found


def built(api: Api, asked: Prompt) -> dict[str, Any]:
    sent: dict[str, Any] = json.loads(api.build(asked, Ask("m")).body)
    return sent


@pytest.mark.parametrize("body", [CLAUDE, CODEX])
def test_what_was_asked_is_understood(body: dict[str, Any]) -> None:
    asked = prompt(body)
    assert [one._replace(images=tuple(i.rpartition(",")[2] for i in one.images)) for one in asked.messages] == [*TALK]
    assert (asked.max_tokens, asked.inputs) == (300, ())
    (tool,) = asked.tools
    assert tool["function"]["name"] == "get_weather"  # type: ignore[index]
    assert tool["function"]["parameters"] == {"type": "object"}  # type: ignore[index]


def test_it_is_sent_again_as_it_was() -> None:
    again = built(anthropic_messages, prompt(CLAUDE))
    assert {name: again[name] for name in ("max_tokens", "stop_sequences", "thinking", "tools")} == {
        name: CLAUDE[name] for name in ("max_tokens", "stop_sequences", "thinking", "tools")
    }
    assert (again["system"], len(again["messages"])) == ("Be brief.", 4)
    assert again["messages"][1]["content"][1] == USED
    again = built(openai_responses, prompt(CODEX))
    for name in ("instructions", "max_output_tokens", "reasoning", "store", "tools"):
        assert again[name] == CODEX[name], name
    assert [item["type"] for item in again["input"]] == [
        "message",
        "function_call",
        "function_call_output",
        "message",
    ]
    assert again["input"][1] == ITEM


def test_one_apis_talk_can_be_asked_of_another() -> None:
    native = built(ollama_chat, prompt({name: CLAUDE[name] for name in ("model", "system", "messages", "tools")}))
    assert [message["role"] for message in native["messages"]] == ["system", "user", "assistant", "tool", "user"]


def test_a_session_of_several_bodies() -> None:
    """As an agent's log has it: each body holds the history of those before it, and a tool's result."""
    talk: list[dict[str, Any]] = CLAUDE["messages"]  # type: ignore[assignment]
    result = {"role": "user", "content": talk[2]["content"][:1]}
    asked = prompt({"payloads": [{**CLAUDE, "messages": one} for one in (talk[:1], [*talk[:2], result])]})
    assert (len(asked.messages), len(asked.then)) == (2, 1)
    assert asked.then[0].messages == (TALK[3],)
    answer = asked.then[0].answer
    assert answer is not None
    assert answer.tool_calls == (CALL,)


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({**CLAUDE, "messages": [{"role": "user", "content": [{"type": "tool_result"}, {"type": "document"}]}]},
         'messages[0].content[1].type is "document"; only blocks of the types text, image'),
        ({**CLAUDE, "messages": [{"role": "user", "content": [{"type": "image", "source": 5}]}]},
         'messages[0].content[0].source is 5; make it {"type": "base64"'),
        ({**CODEX, "input": [{"type": "item_reference", "id": "x"}]},
         'input[0].type is "item_reference"; only items of the types message'),
    ],
)  # fmt: skip
def test_what_cannot_be_sent_is_said(body: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=re.escape(words)):
        prompt(body)


def test_embeddings_and_plain_texts_are_read_as_before() -> None:
    assert prompt({"model": "m", "input": ["a", "b"]}).inputs == ("a", "b")
    assert prompt({"model": "m", "input": "a"}).messages == (Message("user", "a"),)
