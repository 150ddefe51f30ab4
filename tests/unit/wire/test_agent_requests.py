"""A prompt as /v1/messages and /v1/responses are asked it."""

import json
from typing import Any

from tokenswarm.payloads.prompt import Message, Prompt
from tokenswarm.wire import anthropic_messages, openai_responses
from tokenswarm.wire.values import Api, Ask

WEATHER = {
    "type": "function",
    "function": {"name": "get_weather", "description": "w", "parameters": {"type": "object"}},
}
HELD = Prompt(
    "p",
    (
        Message("system", "Be brief."),
        Message("user", "Weather?", images=("iVBORw0KGgoAAA",)),
        Message("assistant", "Let me see.", tool_calls=({"id": "c1", "name": "get_weather", "arguments": {"a": 1}},)),
        Message("tool", "30", tool_name="get_weather", tool_call_id="c1"),
        Message("assistant", "", tool_calls=({"id": "", "name": "a"}, {"id": "", "name": "get_weather"})),
        Message("tool", "31", tool_name="get_weather"),
        Message("tool", "x", tool_name="a"),
        Message("user", "Thanks."),
    ),
    tools=(WEATHER,),
)
ASK = Ask("m", max_tokens=9)


def sent(api: Api, prompt: Prompt = HELD, ask: Ask = ASK) -> dict[str, Any]:
    body: dict[str, Any] = json.loads(api.build(prompt, ask).body)
    return body


def test_a_conversation_with_tools_as_messages() -> None:
    body = sent(anthropic_messages)
    assert (body["system"], body["max_tokens"], body["stream"]) == ("Be brief.", 9, True)
    assert body["tools"] == [{"name": "get_weather", "description": "w", "input_schema": {"type": "object"}}]
    assert [one["role"] for one in body["messages"]] == ["user", "assistant", "user", "assistant", "user", "user"]
    asked, used, result, twice, results, _ = [one["content"] for one in body["messages"]]
    assert asked[0] == {"type": "text", "text": "Weather?"}
    assert asked[1]["source"] == {"type": "base64", "media_type": "image/png", "data": "iVBORw0KGgoAAA"}
    assert used[1] == {"type": "tool_use", "id": "c1", "name": "get_weather", "input": {"a": 1}}
    assert result == [{"type": "tool_result", "tool_use_id": "c1", "content": "30"}]
    ids = {one["name"]: one["id"] for one in twice}
    assert [one["tool_use_id"] for one in results] == [ids["get_weather"], ids["a"]]
    assert dict(anthropic_messages.build(HELD, ASK).headers)["anthropic-version"] == "2023-06-01"


def test_a_conversation_with_tools_as_responses() -> None:
    body = sent(openai_responses)
    assert (body["instructions"], body["max_output_tokens"], body["store"]) == ("Be brief.", 9, False)
    assert body["tools"] == [{"type": "function", **WEATHER["function"]}]  # type: ignore[dict-item]
    asked, answer, call, result, first, second, one, other, last = body["input"]
    assert asked["content"][1]["image_url"] == "data:image/png;base64,iVBORw0KGgoAAA"
    assert answer["content"][0] == {"type": "output_text", "text": "Let me see.", "annotations": []}
    assert call == {"type": "function_call", "call_id": "c1", "name": "get_weather", "arguments": '{"a":1}'}
    assert result == {"type": "function_call_output", "call_id": "c1", "output": "30"}
    assert (one["call_id"], other["call_id"]) == (second["call_id"], first["call_id"])
    assert last == {"type": "message", "role": "user", "content": "Thanks."}


SCHEMA = {"type": "object", "properties": {}}


def test_options_go_by_each_apis_names() -> None:
    ask = Ask("m", 9, stream=False, think="high", options={"temperature": 0, "stop": "x", "num_predict": 5})
    plain = Prompt("p", (Message("user", "Hi"),), format=SCHEMA)
    body = sent(anthropic_messages, plain, ask)
    assert body["stop_sequences"] == ["x"]
    assert (body["temperature"], body["max_tokens"], body["stream"]) == (0, 9, False)
    assert body["output_config"] == {"effort": "high", "format": {"type": "json_schema", "schema": SCHEMA}}
    assert not {"stop", "num_predict", "think", "response_format"} & body.keys()
    body = sent(openai_responses, plain, Ask("m", 9, think=False, options={"top_p": 0.5}))
    assert body["reasoning"] == {"effort": "none"}
    assert body["text"] == {"format": {"type": "json_schema", "name": "answer", "schema": SCHEMA}}
    assert (body["top_p"], body["max_output_tokens"]) == (0.5, 9)
    for think, right in ((True, {"type": "enabled", "budget_tokens": 1024}), (False, {"type": "disabled"})):
        assert sent(anthropic_messages, plain, Ask("m", 9, think=think))["thinking"] == right
    assert "max_output_tokens" not in sent(openai_responses, plain, Ask("m", None))
    assert "store" not in sent(openai_responses, plain, Ask("m", fields={"store": None}))
    assert "max_tokens" not in sent(anthropic_messages, plain, Ask("m", None))
