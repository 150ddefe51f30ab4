"""What agents speak, /v1/responses and /v1/messages: real answers, cut anywhere; what is strange; bodies left open."""

import json

import pytest
from captures import load, read, transcript
from typed_events import CREATED, START, STOP, TEXT, events, response, said, seen

from tokenswarm.metrics.interpret import interpret
from tokenswarm.wire import anthropic_messages, openai_responses
from tokenswarm.wire.apis import APIS
from tokenswarm.wire.values import Api
from tokenswarm.wire.watch import Watch

BY_PATH = {api.PATH: api for api in APIS}
THOUGHT, ANSWER = "The user asks about sky. The sky is blue.\n", "Yes, the sky is blue.\n"
RECORDED = {
    # name: (finish reason, prompt and output tokens, thinking, text, tools called)
    "think_messages_stream": ("end_turn", 138, 30, THOUGHT, ANSWER, []),
    "think_messages_nostream": ("end_turn", 138, 30, THOUGHT, ANSWER, []),
    "think_responses_stream": ("completed", 138, 30, THOUGHT, ANSWER, []),
    "tools_messages_stream": ("tool_use", 274, 36, "", " ", ["get_weather"]),
    "tools_responses_stream": ("completed", 274, 36, "", " ", ["get_weather"]),
}


@pytest.mark.parametrize("name", RECORDED)
def test_recordings_are_read_right(name: str) -> None:
    exchange = load()[name]
    _, builder, verdict = read(BY_PATH[exchange["path"]], transcript(exchange))
    reason, prompt_tokens, output_tokens, thinking, text, tools = RECORDED[name]
    answer = builder.answer()
    assert (verdict.outcome, verdict.error, builder.finish_reason) == ("ok", "", reason)
    assert (builder.usage.prompt_tokens, builder.usage.output_tokens) == (prompt_tokens, output_tokens)
    assert builder.usage.source == "usage"
    assert (answer.thinking, answer.text) == (thinking, text)
    assert [call.name for call in answer.tool_calls] == tools
    for call in answer.tool_calls:
        assert json.loads(str(call.arguments)) == {"city": "Paris", "days": 1}
        assert call.id.startswith("call_")
    assert not builder.unread_chunks
    assert not builder.habits - {"not_streamed"}


@pytest.mark.parametrize("name", RECORDED)
def test_cut_anywhere_there_is_one_outcome_and_what_came(name: str) -> None:
    exchange = load()[name]
    api, raw = BY_PATH[exchange["path"]], exchange["response_latin1"]
    *_, whole_said, _ = read(api, transcript(exchange))
    head, last = raw.find("\r\n\r\n"), raw.rfind('"type"')
    for size in {*range(0, len(raw), 23), *range(head, head + 60), *range(last, len(raw))}:
        cut = transcript({**exchange, "response_latin1": raw[:size], "reads": [[1.0, size]]})
        builder, verdict = interpret(api, cut, stream=True)
        assert verdict.outcome in ("truncated", "ok"), (size, verdict)
        assert bool(verdict.error) == (verdict.outcome != "ok"), (size, verdict)
        assert verdict.outcome == "truncated" or builder.usage == whole_said.usage, size
        for part, of in zip(builder.answer()[:2], whole_said.answer()[:2], strict=True):
            assert of.startswith(part), size
        if verdict.outcome == "truncated" and cut.status and "_stream" in name:
            assert builder.usage.output_tokens in (None, whole_said.usage.output_tokens), size
            assert verdict.error


def test_a_guess_at_the_prompts_tokens_is_no_count() -> None:
    """Ollama's first event has 6 where the last one has 138."""
    exchange = load()["think_messages_stream"]
    raw = exchange["response_latin1"]
    cut = transcript({**exchange, "response_latin1": raw[: raw.find(" sky")], "reads": [[1.0, 900]]})
    builder, verdict = interpret(anthropic_messages, cut, stream=True)
    assert (verdict.outcome, builder.usage.prompt_tokens, builder.output_chunks) == ("truncated", None, 4)


@pytest.mark.parametrize("api", [openai_responses, anthropic_messages])
def test_strange_frames_are_a_failure_and_no_traceback(api: Api) -> None:
    for frame in (
        {"type": "content_block_delta", "delta": 5},
        {"type": ["x"], "delta": {}},
        {"type": "response.completed", "response": 5},
        {"type": "message", "content": 7},
        {"choices": []},
        {"type": None, "output": 5, "content": 5},
    ):
        verdict = interpret(api, seen(b"data: " + json.dumps(frame).encode() + b"\n\n"), stream=True).verdict
        assert verdict.outcome in ("protocol_error", "truncated", "server_error"), (frame, verdict)
        assert verdict.error


def test_a_body_left_open_has_ended_by_its_own_word() -> None:
    for api, last in ((anthropic_messages, STOP), (openai_responses, response(output=[]))):
        watch = Watch(api)
        assert watch.mark in events(last)
        bodies = [events(START if api is anthropic_messages else CREATED)]
        assert watch.only_kept_alive(bodies)
        bodies.append(events({"type": "ping"}))
        assert watch.only_kept_alive(bodies)
        bodies.append(events(*TEXT) if api is anthropic_messages else events(said("output_text", "Hi")))
        assert not watch.only_kept_alive(bodies)
        assert watch.end([1, 2, 3], bodies) is None
        bodies.append(events(last))
        found = watch.end([1, 2, 3, 4], bodies)
        assert found is not None
        assert tuple(found) == (4, True)
