"""LM Studio's own /api/v1/chat, as it is documented: what its events say, how they end, its stats; cut anywhere."""

import json
from typing import Any

import pytest
from typed_events import events, seen, whole

from tokenswarm.metrics.interpret import interpret
from tokenswarm.payloads.field_check import prompt_misfit
from tokenswarm.payloads.prompt import Message, Prompt, Turn
from tokenswarm.wire import lm_studio_chat
from tokenswarm.wire.reading import each_chunk
from tokenswarm.wire.values import Ask, Call, Failure, Transcript
from tokenswarm.wire.watch import Watch

MS = 1_000_000
TOOL = {"tool": "model_search", "provider_info": {"type": "ephemeral_mcp", "server_label": "hub"}}
FOUND = {"arguments": {"limit": 1}, "output": "[1]"}
STATS = {
    "input_tokens": 329,
    "total_output_tokens": 10,
    "reasoning_output_tokens": 5,
    "tokens_per_second": 2000.0,
    "time_to_first_token_seconds": 0.002,
}
RESULT = {
    "model_instance_id": "openai/gpt-oss-20b",
    "output": [
        {"type": "reasoning", "content": "Need to call."},
        {"type": "tool_call", **TOOL, **FOUND},
        {"type": "message", "content": "The current top model is …"},
    ],
    "stats": STATS,
    "response_id": "resp_02b2017dbc06c12b",
}
BEGIN = {"type": "chat.start", "model_instance_id": "openai/gpt-oss-20b"}
END = {"type": "chat.end", "result": RESULT}
DOCUMENTED = (
    BEGIN,
    {"type": "model_load.start", "model_instance_id": "x"},
    {"type": "model_load.progress", "model_instance_id": "x", "progress": 0.65},
    {"type": "model_load.end", "model_instance_id": "x", "load_time_seconds": 0.003},
    {"type": "prompt_processing.start"},
    {"type": "prompt_processing.progress", "progress": 0.5},
    {"type": "prompt_processing.end"},
    {"type": "reasoning.start"},
    {"type": "reasoning.delta", "content": "Need to"},
    {"type": "reasoning.delta", "content": " call."},
    {"type": "reasoning.end"},
    {"type": "tool_call.start", **TOOL},
    {"type": "tool_call.arguments", **TOOL, "arguments": {"limit": 1}},
    {"type": "tool_call.success", **TOOL, **FOUND},
    {"type": "message.start"},
    {"type": "message.delta", "content": "The current"},
    {"type": "message.delta", "content": " top model is …"},
    {"type": "message.end"},
    END,
)


def test_a_stream_as_documented() -> None:
    builder, verdict = interpret(lm_studio_chat, seen(events(*DOCUMENTED)), stream=True)
    answer, usage = builder.answer(), builder.usage
    assert (verdict.outcome, builder.finish_reason, builder.habits) == ("ok", None, set())
    assert (answer.thinking, answer.text) == ("Need to call.", "The current top model is …")
    assert [(call.name, call.arguments) for call in answer.tool_calls] == [("model_search", {"limit": 1})]
    assert (usage.prompt_tokens, usage.output_tokens, usage.reasoning_tokens) == (329, 10, 5)
    assert (usage.load_ns, usage.prompt_eval_ns, usage.eval_ns) == (3 * MS, 2 * MS, 5 * MS)  # 10 tokens at 2,000/s
    assert (usage.source, usage.engine) == ("stats", "LM Studio")
    assert (builder.first_output_ns, builder.output_chunks, builder.unread_chunks) == (9 * MS, 5, 0)


def test_an_answer_in_one_piece() -> None:
    builder, verdict = interpret(lm_studio_chat, whole(RESULT), stream=False)
    answer = builder.answer()
    assert (verdict.outcome, answer.thinking, answer.text) == ("ok", "Need to call.", "The current top model is …")
    assert [call.name for call in answer.tool_calls] == ["model_search"]
    assert (builder.usage.output_tokens, builder.usage.engine) == (10, "LM Studio")


def came(*pieces: tuple[int, bytes], **more: Any) -> Transcript:
    return Transcript(pieces, sent_ns=0, ended_ns=9 * MS, status=200, content_type="text/event-stream", **more)


def test_cut_anywhere_there_is_one_outcome_and_what_came() -> None:
    body = events(*DOCUMENTED)
    said = interpret(lm_studio_chat, seen(body), stream=True).builder.answer()
    for size in range(len(body)):
        builder, verdict = interpret(
            lm_studio_chat, came((MS, body[:size]), failure=Failure("closed", "broke")), stream=True
        )
        answer = builder.answer()
        assert verdict.outcome in ("truncated", "ok"), size
        assert (verdict.outcome == "ok") == (size >= len(body.rstrip())), size
        assert said.text.startswith(answer.text), size
        assert said.thinking.startswith(answer.thinking), size
    for at in range(1, len(body) - 1):  # in two reads
        chunks = each_chunk(lm_studio_chat, came((MS, body[:at]), (2 * MS, body[at:]), complete=True))
        assert "".join(chunk.text for chunk in chunks) == said.text, at


@pytest.mark.parametrize(
    ("frame", "outcome", "error"),
    [
        ({"type": "error", "error": {"type": "internal_error", "message": "it died"}}, "server_error", "it died"),
        ({"type": "message.end"}, "truncated", "the body ended without chat.end"),
        ({"type": "chat.end", "result": 5}, "truncated", "the body ended without chat.end"),
        ({"type": "chat.end", "result": {"output": 5}}, "truncated", "the body ended without chat.end"),
        ({"type": "message.delta", "content": {"a": 5}}, "truncated", "the body ended without chat.end"),
        ({"type": "chat.end", "result": {"output": [], "stats": 5}}, "ok", ""),
    ],
)
def test_how_streams_end(frame: dict[str, Any], outcome: str, error: str) -> None:
    body = events(BEGIN, {"type": "message.delta", "content": "Hello"}, frame)
    builder, verdict = interpret(lm_studio_chat, seen(body), stream=True)
    assert (verdict.outcome, verdict.error, builder.answer().text) == (outcome, error, "Hello")


def test_errors_as_documented() -> None:
    error = {"type": "invalid_request", "message": '"model" is required', "code": "missing_required_parameter"}
    refused = seen(json.dumps({"error": error}).encode(), "application/json", status=400)
    assert interpret(lm_studio_chat, refused, stream=True).verdict == ("http_error", 'HTTP 400 "model" is required')
    assert interpret(lm_studio_chat, whole({"error": error}), stream=False).verdict.outcome == "server_error"


def test_a_body_left_open_has_ended_by_its_own_word() -> None:
    watch = Watch(lm_studio_chat)
    bodies = [events(BEGIN), events({"type": "prompt_processing.progress", "progress": 0.5})]
    assert watch.only_kept_alive(bodies)
    bodies.append(events({"type": "message.delta", "content": "Hi"}))
    assert not watch.only_kept_alive(bodies)
    assert watch.end([1, 2, 3], bodies) is None
    found = watch.end([1, 2, 3, 4], [*bodies, events(END)])
    assert found is not None
    assert tuple(found) == (4, True)


def sent(prompt: Prompt, ask: Ask) -> dict[str, Any]:
    call: Call = lm_studio_chat.build(prompt, ask)
    body: dict[str, Any] = json.loads(call.body)
    return body


def test_a_prompt_as_it_is_asked() -> None:
    prompt = Prompt("p", (Message("system", "Be brief."), Message("user", "Hi")))
    assert sent(prompt, Ask("m", 9, think=True, options={"temperature": 0, "num_predict": 5})) == {
        "model": "m",
        "input": "Hi",
        "system_prompt": "Be brief.",
        "reasoning": "on",
        "store": False,
        "temperature": 0,
        "max_output_tokens": 9,
        "stream": True,
    }
    seeing = Prompt("p", (Message("user", "What?", images=("iVBORw0KGgoAAA",)),))
    image = {"type": "image", "data_url": "data:image/png;base64,iVBORw0KGgoAAA"}
    assert sent(seeing, Ask("m"))["input"] == [{"type": "message", "content": "What?"}, image]
    assert "max_output_tokens" not in sent(prompt, Ask("m", None))
    assert "store" not in sent(prompt, Ask("m", fields={"store": None}))
    for think, setting in ((False, "off"), ("low", "low")):
        assert sent(prompt, Ask("m", think=think))["reasoning"] == setting


def test_what_it_cannot_be_asked_is_said_before_the_load() -> None:
    user = Message("user", "Hi")
    talk = Prompt("p", (user, Message("assistant", "Ho"), user), then=(Turn((user,)),))
    assert prompt_misfit("/api/v1/chat", talk, ollama=False) == ""
    assert sent(talk, Ask("m"))["input"] == "Hi\n\nHo\n\nHi"
    for prompt, what in (
        (Prompt("p", (user,), tools=({"type": "function"},)), "/api/v1/chat takes no tools; "),
        (Prompt("p", (user,), format="json"), "/api/v1/chat takes no format"),
    ):
        assert prompt_misfit("/api/v1/chat", prompt, ollama=False).startswith(what)
