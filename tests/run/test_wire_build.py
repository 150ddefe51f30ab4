"""Requests as they are built: each field reaches the body of each API, named and placed as the API has it."""

import json
from pathlib import Path
from typing import Any

import pytest
from captures import APIS, load
from simulator_process import running

from tokenswarm.payloads.field_kinds import KINDS
from tokenswarm.payloads.formats.bodies import body as payload
from tokenswarm.payloads.prompt import Message, Prompt
from tokenswarm.payloads.request_fields import PATHS, fields
from tokenswarm.wire.values import Ask

CHAT, GENERATE, V1_CHAT, V1_COMPLETIONS = (
    APIS[p] for p in ("/api/chat", "/api/generate", "/v1/chat/completions", "/v1/completions")
)
ASK = Ask("m")
PNG = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR4nGNgYGBgAAAABQABpfZFQAAAAABJRU5ErkJggg=="
TOOL = {"type": "function", "function": {"name": "weather", "parameters": {"type": "object"}}}
CALL = {"id": "call_9", "name": "weather", "arguments": {"city": "Oslo"}}
HISTORY = (
    Message("system", "Be brief."),
    Message("user", "Weather in Oslo?"),
    Message("assistant", "", tool_calls=(CALL,), thinking="ask the tool"),
    Message("tool", "4 degrees", tool_name="weather", tool_call_id="call_9"),
)


def body(api: Any, prompt: Prompt, ask: Ask = ASK) -> dict[str, Any]:
    call = api.build(prompt, ask)
    assert call.path == api.PATH
    built: dict[str, Any] = json.loads(call.body)
    return built


def prompt(*messages: Message, **more: Any) -> Prompt:
    return Prompt("p", messages or (Message("user", "Hi"),), **more)


@pytest.mark.parametrize("path", [path for path in PATHS if path in APIS])
def test_every_field_reaches_the_body_as_it_is_named(path: str) -> None:
    own = {"think", "format", "num_predict", "max_tokens", "max_output_tokens"}  # each API says these in its own way
    for name, field in fields(path).items():
        value = KINDS[field.kind].good
        if field.by or field.sent_as or name in own:
            continue
        where = {("options" if field.place == "options" else "fields"): {name: value}}
        for built in (body(APIS[path], prompt(**where)), body(APIS[path], prompt(), Ask("m", **where))):
            assert (built["options"] if field.place == "options" else built)[name] == value, name


def test_limits_think_and_format_as_each_api_says_them() -> None:
    schema = {"type": "object"}
    asked = prompt(format=schema, max_tokens=5, fields={"think": True})
    for api in (CHAT, GENERATE):
        built = body(api, asked)
        assert (built["format"], built["think"], built["options"]) == (schema, True, {"num_predict": 5})
    built = body(V1_CHAT, asked, Ask("m", think="low"))
    assert built["response_format"] == {"type": "json_schema", "json_schema": {"name": "answer", "schema": schema}}
    assert (built["reasoning_effort"], built["max_tokens"]) == ("medium", 5)
    assert not {"think", "format", "options", "num_predict"} & built.keys()
    assert built["stream_options"] == {"include_usage": True}
    assert "stream_options" not in body(V1_CHAT, asked, Ask("m", stream=False))


def test_the_prompts_own_goes_before_the_runs() -> None:
    fields = {"keep_alive": 1, "format": "json", "think": True}
    ask = Ask("m", 9, think=False, options={"seed": 1, "top_k": 1}, fields=fields)
    own = prompt(options={"seed": 2}, fields={"keep_alive": 2}, format={"a": 1})
    built = body(CHAT, own, ask)
    assert built["options"] == {"seed": 2, "top_k": 1, "num_predict": 9}
    assert (built["keep_alive"], built["format"], built["think"]) == (2, {"a": 1}, True)
    built = body(V1_CHAT, prompt(options={"seed": 2}), Ask("m", fields={"seed": 1, "top_p": 0.5}))
    assert (built["seed"], built["top_p"]) == (2, 0.5)


def test_tools_and_their_history_for_ollama() -> None:
    built = body(CHAT, prompt(*HISTORY, tools=(TOOL,)))
    assert built["tools"] == [TOOL]
    assert built["messages"][2:] == [
        {
            "role": "assistant",
            "content": "",
            "thinking": "ask the tool",
            "tool_calls": [{"id": "call_9", "function": {"name": "weather", "arguments": {"city": "Oslo"}}}],
        },
        {"role": "tool", "content": "4 degrees", "tool_name": "weather", "tool_call_id": "call_9"},
    ]


def test_tools_and_their_history_for_openai() -> None:
    built = body(V1_CHAT, prompt(*HISTORY, tools=(TOOL,)))
    assert built["tools"] == [TOOL]
    function = {"name": "weather", "arguments": '{"city":"Oslo"}'}
    assert built["messages"][2:] == [
        {
            "role": "assistant",
            "content": "",
            "tool_calls": [{"id": "call_9", "type": "function", "function": function}],
        },
        {"role": "tool", "content": "4 degrees", "tool_call_id": "call_9"},
    ]


def test_images() -> None:
    seen = prompt(
        Message("user", "What is it?", (PNG, f"data:image/png;base64,{PNG}")), Message("user", "", ("/9j/4AA",))
    )
    assert [m.get("images") for m in body(CHAT, seen)["messages"]] == [[PNG, PNG], ["/9j/4AA"]]
    assert body(GENERATE, seen)["images"] == [PNG, PNG, "/9j/4AA"]
    assert "images" not in body(GENERATE, prompt())
    first, second = body(V1_CHAT, seen)["messages"]
    url = {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PNG}"}}
    assert first["content"] == [{"type": "text", "text": "What is it?"}, url, url]
    assert second["content"] == [{"type": "image_url", "image_url": {"url": "data:image/jpeg;base64,/9j/4AA"}}]
    for head, kind in (("UklGRg", "webp"), ("R0lGODlh", "gif")):
        (part,) = body(V1_CHAT, prompt(Message("user", "", (head,))))["messages"][0]["content"]
        assert part["image_url"]["url"] == f"data:image/{kind};base64,{head}"
    (part,) = body(V1_CHAT, prompt(Message("user", "", ("https://x/y.png",))))["messages"][0]["content"]
    assert part["image_url"]["url"] == "https://x/y.png"


def test_the_simulator_takes_what_we_build() -> None:
    """Typical prompts on the models that can do what they ask: each gets an answer with status 200."""
    plain = prompt(Message("system", "Be brief."), Message("user", "Hi"), options={"temperature": 0}, format="json")
    seen = prompt(Message("user", "What is it?", (PNG,)))
    asked = [(api, "sim", plain) for api in (CHAT, GENERATE, V1_CHAT, V1_COMPLETIONS)]
    asked += [(api, "vision", seen) for api in (CHAT, GENERATE, V1_CHAT)]
    asked += [(api, "tools", prompt(*HISTORY, tools=(TOOL,))) for api in (CHAT, V1_CHAT)]
    asked += [(GENERATE, "insert", prompt(fields={"suffix": "b", "keep_alive": "10m"}))]
    asked += [(api, "think", prompt(fields={"think": True})) for api in (CHAT, GENERATE, V1_CHAT)]
    asked += [(GENERATE, "sim", prompt(fields={"context": (1, 2), "raw": True}))]
    with running("--load-ms", "0", "--models", "sim,vision,tools,think,insert") as simulator:
        for api, model, wanted in asked:
            call = api.build(wanted, Ask(model, 8))
            answer = simulator.ask(call.method, call.path, json.loads(call.body))
            assert answer.status == 200, (call.path, model, answer.body)


RUNS = ("stream", "stream_options", "max_tokens")  # what the run sets
OTHERWISE = {
    "chat_content_parts": "Ollama takes no parts: one text",
    "think_v1_history": "what was thought stays out of /v1's history",
    "tools_chat_empty_tools": "no tools",
    "tools_gen_tools_field": "/api/generate takes no tools",
    "tools_chat_result_argstring": "arguments are an object here",
    "tools_v1_result_argobject": "arguments are a text here",
    "tools_v1_result_nullcontent": "no content is an empty text",
    "think_responses_stream": "the input is a list of items",
    "tools_responses_stream": "the input is a list of items",
    "v1_jsonschema": "the schema's name is ours",
    "v1_maxcompltok": "never sent",
}


def test_recorded_requests_are_built_again_as_they_were() -> None:
    """Each recorded body, read as a payload and built for its own API, is what it was, but for what we say better."""
    compared, other = 0, set()
    for name, exchange in load().items():
        try:
            given = json.loads(exchange["body"])
            read = payload(given, "body", name, Path())
        except ValueError:
            continue  # recorded for its being wrong
        built = body(APIS[exchange["path"]], read, Ask(given.get("model", ""), stream=given.get("stream", True)))
        for each in (given, built):
            each.get("options", {}).pop("num_predict", None)
        if isinstance(text := given.get("input"), str):
            given["input"] = [text]
        compared += 1
        if any(built.get(field) != value for field, value in given.items() if field not in RUNS):
            other.add(name)
    assert other == OTHERWISE.keys()
    assert compared > 300
