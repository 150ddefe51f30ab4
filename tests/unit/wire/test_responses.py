"""OpenAI's /v1/responses, as it is documented: what its events say, how they end, its errors."""

from typing import Any

import pytest
from typed_events import CREATED, USED, called, events, message, response, said, seen, whole

from tokenswarm.metrics.interpret import interpret
from tokenswarm.wire import openai_responses


def test_responses_as_documented() -> None:
    body = events(
        CREATED,
        {"type": "response.reasoning_summary_part.added", "summary_index": 0, "part": {"type": "summary_text"}},
        said("reasoning_summary_text", "Hm."),
        said("reasoning_text", " So."),
        {"type": "response.output_item.added", "output_index": 1, "item": called("", "in_progress")},
        said("function_call_arguments", '{"zone"', output_index=1),
        said("function_call_arguments", ': "UTC"}', output_index=1),
        {"type": "response.function_call_arguments.done", "output_index": 1, "arguments": '{"zone": "UTC"}'},
        {"type": "response.output_item.done", "output_index": 1, "item": called('{"zone": "UTC"}')},
        said("output_text", "It is "),
        said("refusal", "noon."),
        {"type": "response.output_text.done", "text": "It is noon."},
        response(
            output=[called('{"zone": "UTC"}'), message("It is noon.")],
            usage={**USED, "output_tokens_details": {"reasoning_tokens": 4}},
        ),
    )
    builder, verdict = interpret(openai_responses, seen(body), stream=True)
    answer = builder.answer()
    assert verdict.outcome == "ok"
    assert (answer.thinking, answer.text) == ("Hm. So.", "It is noon.")
    assert [call[1:] for call in answer.tool_calls] == [("call_1", "now", '{"zone": "UTC"}')]
    assert builder.usage[:3] == (50, 9, 41)
    assert (builder.usage.reasoning_tokens, builder.output_chunks, builder.habits) == (4, 7, set())


def test_what_only_the_end_of_a_response_says_is_taken_from_there() -> None:
    added = {"type": "response.output_item.added", "output_index": 0, "item": called("", "in_progress")}
    body = events(CREATED, added, response(output=[called("{}"), message("Noon.")], usage=USED))
    answer = interpret(openai_responses, seen(body), stream=True).builder.answer()
    assert answer.text == "Noon."
    assert [call[1:] for call in answer.tool_calls] == [("call_1", "now", "{}")]


def test_llama_cpps_timings_come_with_a_response() -> None:
    timings = {"cache_n": 41, "prompt_n": 9, "prompt_ms": 1.5, "predicted_n": 9, "predicted_ms": 0.25}
    end = {**response(output=[message("Hi")], usage=USED), "timings": timings}
    usage = interpret(
        openai_responses, seen(events(CREATED, said("output_text", "Hi"), end)), stream=True
    ).builder.usage
    assert (usage.eval_ns, usage.prompt_eval_ns, usage.prompt_tokens) == (250_000, 1_500_000, 50)


@pytest.mark.parametrize(
    ("frame", "outcome", "reason", "error"),
    [
        (response(output=[message("Hello")]), "ok", "completed", ""),
        (
            response("response.incomplete", incomplete_details={"reason": "max_output_tokens"}),
            "ok",
            "max_output_tokens",
            "",
        ),
        (response("response.incomplete", incomplete_details={"reason": "content_filter"}), "ok", "content_filter", ""),
        (
            response("response.failed", error={"code": "server_error", "message": "the model died"}),
            "server_error",
            None,
            "the model died",
        ),
        ({"type": "error", "code": "server_error", "message": "no slot"}, "server_error", None, "no slot"),
        ({"type": "error", "error": {"message": "no slot", "type": "x"}}, "server_error", None, "no slot"),
        ({"type": "response.in_progress"}, "truncated", None, "the body ended without response.completed"),
    ],
)
def test_how_responses_end(frame: dict[str, Any], outcome: str, reason: str | None, error: str) -> None:
    body = events(CREATED, said("output_text", "Hello"), frame)
    builder, verdict = interpret(openai_responses, seen(body), stream=True)
    assert (verdict.outcome, builder.finish_reason, verdict.error) == (outcome, reason, error)
    assert builder.answer().text == "Hello"


def test_a_response_that_is_not_streamed() -> None:
    thought = {"type": "reasoning", "summary": [{"type": "summary_text", "text": "Hm."}]}
    body = response(output=[thought, called("{}"), message("Noon.")], usage=USED)["response"]
    builder, verdict = interpret(openai_responses, whole(body), stream=False)
    answer = builder.answer()
    assert (verdict.outcome, answer.thinking, answer.text) == ("ok", "Hm.", "Noon.")
    assert [call[1:] for call in answer.tool_calls] == [("call_1", "now", "{}")]
    assert builder.usage[:3] == (50, 9, 41)
    failed = {**body, "status": "failed", "output": [], "error": {"code": "x", "message": "too long"}}
    assert interpret(openai_responses, whole(failed), stream=False).verdict == ("server_error", "too long")


DONE_TEXT = {"type": "response.output_text.done", "output_index": 0, "text": "It is noon."}
DONE_PART = {"type": "response.content_part.done", "part": {"type": "output_text", "text": "It is noon."}}
DONE_ITEM = {"type": "response.output_item.done", "output_index": 0, "item": message("It is noon.")}
DONE_CALL = {"type": "response.output_item.done", "output_index": 1, "item": called("{}")}
ADDED = {"type": "response.output_item.added", "output_index": 1, "item": called("", "in_progress")}
DONE_ARGUMENTS = {"type": "response.function_call_arguments.done", "output_index": 1, "arguments": "{}"}
OTHER_CALL = {**DONE_CALL, "output_index": 2, "item": {**called("[]"), "call_id": "call_2"}}


@pytest.mark.parametrize("output", [[], [message("It is noon."), called("{}"), {**called("[]"), "call_id": "call_2"}]])
@pytest.mark.parametrize(
    "frames",
    [
        (DONE_TEXT, DONE_CALL, OTHER_CALL),
        (DONE_PART, ADDED, DONE_ARGUMENTS, OTHER_CALL),
        (DONE_TEXT, DONE_PART, DONE_ITEM, ADDED, DONE_ARGUMENTS, DONE_CALL, OTHER_CALL),
        (said("output_text", "It is noon."), DONE_TEXT, DONE_ITEM, DONE_CALL, OTHER_CALL),
    ],
)
def test_what_only_a_done_event_says_is_read_once(frames: tuple[dict[str, Any], ...], output: list[Any]) -> None:
    builder, verdict = interpret(openai_responses, seen(events(CREATED, *frames, response(output=output))), stream=True)
    answer = builder.answer()
    assert (verdict.outcome, answer.text) == ("ok", "It is noon.")
    assert [call[1:] for call in answer.tool_calls] == [("call_1", "now", "{}"), ("call_2", "now", "[]")]
    assert builder.output_chunks == 3 + (ADDED in frames)


def test_several_texts_of_one_response_are_all_read() -> None:
    frames = [{**DONE_ITEM, "item": message(text)} for text in ("One. ", "Two.")]
    both = response(output=[message("One. "), message("Two.")])
    assert interpret(openai_responses, seen(events(CREATED, *frames, both)), stream=True).builder.answer().text == (
        "One. Two."
    )


@pytest.mark.parametrize(
    ("end", "outcome"),
    [
        ({"type": "response.completed", "response": {"output": [message("Hi")]}}, "ok"),  # no status
        ({"type": "response.completed"}, "ok"),
        ({"type": "response.completed", "response": {"status": "in_progress"}}, "truncated"),
    ],
)
def test_a_response_ends_by_its_last_event_whatever_that_holds(end: dict[str, Any], outcome: str) -> None:
    body = events(CREATED, said("output_text", "Hi"), end)
    assert interpret(openai_responses, seen(body), stream=True).verdict.outcome == outcome


@pytest.mark.parametrize(
    "form",
    [
        {"output": [], "output_text": "Noon."},
        {"output": "Noon."},
        {"output": [{"type": "output_text", "text": "Noon."}]},
        {"output": [{"type": "message", "content": "Noon."}]},
    ],
)
def test_text_of_a_whole_response_wherever_it_stands(form: dict[str, Any]) -> None:
    builder, verdict = interpret(openai_responses, whole({"status": "completed", **form}), stream=False)
    assert (verdict.outcome, builder.answer().text) == ("ok", "Noon.")
    running = whole({"status": "in_progress", **form})
    assert interpret(openai_responses, running, stream=False).verdict.outcome == "truncated"
