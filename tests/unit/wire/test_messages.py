"""Anthropic's /v1/messages, as it is documented: what its events say, how they end, its errors."""

import json

import pytest
from typed_events import START, STOP, TEXT, block, delta, ends, events, seen, start, whole

from tokenswarm.metrics.interpret import interpret
from tokenswarm.wire import anthropic_messages


def test_messages_as_documented_with_pings_thinking_and_tools() -> None:
    body = events(
        start(input_tokens=25, cache_read_input_tokens=100, cache_creation_input_tokens=7, output_tokens=1),
        block(0, type="thinking", thinking="", signature=""),
        {"type": "ping"},
        delta(0, "thinking_delta", thinking="Hm."),
        delta(0, "signature_delta", signature="EqQBCgIYAhIM1gbcDa9GJwZA2b3h"),
        {"type": "content_block_stop", "index": 0},
        block(1, type="tool_use", id="toolu_1", name="get_weather", input={}),
        delta(1, "input_json_delta", partial_json=""),
        delta(1, "input_json_delta", partial_json='{"city": "San'),
        delta(1, "input_json_delta", partial_json=' Francisco"}'),
        {"type": "content_block_stop", "index": 1},
        block(2, type="tool_use", id="toolu_2", name="now", input={}),
        {"type": "content_block_stop", "index": 2},
        ends("tool_use", output_tokens=89),
        STOP,
    )
    builder, verdict = interpret(anthropic_messages, seen(body), stream=True)
    answer = builder.answer()
    assert verdict.outcome == "ok"
    assert (builder.finish_reason, answer.thinking, answer.text) == ("tool_use", "Hm.", "")
    assert [(call.id, call.name) for call in answer.tool_calls] == [("toolu_1", "get_weather"), ("toolu_2", "now")]
    assert json.loads(str(answer.tool_calls[0].arguments)) == {"city": "San Francisco"}
    assert answer.tool_calls[1].arguments == {}
    assert builder.usage[:3] == (132, 89, 100)
    assert (builder.first_output_ns, builder.unread_chunks) == (4_000_000, 0)


def test_messages_cached_tokens_are_absent_0_and_n() -> None:
    for usage, right in (
        ({"input_tokens": 9, "output_tokens": 2}, (9, 2, None)),
        ({"input_tokens": 9, "output_tokens": 2, "cache_read_input_tokens": 0}, (9, 2, 0)),
        ({"input_tokens": 9, "output_tokens": 2, "cache_read_input_tokens": 41}, (50, 2, 41)),
    ):
        said = {"type": "message", "content": [{"type": "text", "text": "Hi"}], "stop_reason": "end_turn"}
        builder, verdict = interpret(anthropic_messages, whole({**said, "usage": usage}), stream=False)
        assert (verdict.outcome, builder.usage[:3], builder.answer().text) == ("ok", right, "Hi")
        begun = start(**{**usage, "output_tokens": 0})
        for last in (usage, {"output_tokens": 2}):  # the counts of the prompt again, or only at first
            streamed = events(begun, *TEXT, ends("end_turn", **last), STOP)
            assert interpret(anthropic_messages, seen(streamed), stream=True).builder.usage[:3] == right


def test_tokens_of_the_prompt_that_are_guessed_at_first_do_not_stand() -> None:
    guess = start(input_tokens=7, output_tokens=0)
    for rest, right in (
        ((ends("end_turn", input_tokens=9, output_tokens=2), STOP), 9),
        ((ends("end_turn"), {**STOP, "usage": {"input_tokens": 9, "output_tokens": 2}}), 9),
        ((), None),  # cut: nobody said them
    ):
        found = interpret(anthropic_messages, seen(events(guess, *TEXT, *rest)), stream=True)
        assert found.builder.usage.prompt_tokens == right


@pytest.mark.parametrize(
    ("reason", "outcome"),
    [
        ("end_turn", "ok"),
        ("max_tokens", "ok"),
        ("stop_sequence", "ok"),
        ("tool_use", "ok"),
        ("pause_turn", "ok"),
        ("refusal", "ok"),
        ("model_context_window_exceeded", "ok"),
        ("error", "server_error"),
    ],
)
def test_what_stop_reasons_mean(reason: str, outcome: str) -> None:
    body = events(START, *TEXT, ends(reason, input_tokens=3, output_tokens=2), STOP)
    builder, verdict = interpret(anthropic_messages, seen(body), stream=True)
    assert (verdict.outcome, builder.finish_reason) == (outcome, reason)
    assert verdict.error == ("the answer ended with stop_reason error" if outcome != "ok" else "")


def test_messages_without_an_end_say_what_is_missing() -> None:
    cases = (
        ([START, *TEXT], True, "truncated", "the body ended without message_stop and a stop reason"),
        ([START, *TEXT, ends("end_turn")], True, "ok", ""),
        ([START, *TEXT, ends("end_turn")], False, "truncated", "the body ended without message_stop"),
        ([START, STOP], True, "protocol_error", None),
    )
    for frames, complete, outcome, error in cases:
        verdict = interpret(anthropic_messages, seen(events(*frames), complete=complete), stream=True).verdict
        assert verdict.outcome == outcome
        assert error is None or verdict.error == error


ERROR = {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}


def test_errors_of_messages() -> None:
    streamed = interpret(anthropic_messages, seen(events(START, *TEXT, ERROR)), stream=True)
    assert streamed.verdict == ("server_error", "Overloaded")
    assert streamed.builder.answer().text == "Hello"
    unnamed = seen(events(START, *TEXT) + b"data: " + json.dumps(ERROR).encode() + b"\n\n")
    assert interpret(anthropic_messages, unnamed, stream=True).verdict == streamed.verdict
    assert interpret(anthropic_messages, whole(ERROR), stream=False).verdict == streamed.verdict
    refused = seen(json.dumps(ERROR).encode(), "application/json", status=529)
    assert interpret(anthropic_messages, refused, stream=True).verdict == (
        "http_error",
        "HTTP 529 Overloaded",
    )


def test_an_event_may_say_its_type_by_its_name_alone() -> None:
    frames = (start(input_tokens=9, output_tokens=1), *TEXT, ends("end_turn", output_tokens=2), STOP)
    bare = ({name: value for name, value in frame.items() if name != "type"} for frame in frames)
    body = "".join(
        f"event: {frame['type']}\ndata: {json.dumps(rest)}\n\n" for frame, rest in zip(frames, bare, strict=True)
    )
    builder, verdict = interpret(anthropic_messages, seen(body.encode()), stream=True)
    assert (verdict.outcome, builder.answer().text, builder.usage[:2]) == ("ok", "Hello", (9, 2))
