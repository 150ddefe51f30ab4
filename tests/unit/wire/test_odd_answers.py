"""What servers and gateways do to a stream that no API says: each with its right value."""

import json
from typing import Any

import pytest
from raw_answers import (
    CHAT,
    COUNTS,
    END,
    GOOD,
    LAST,
    LINES,
    NATIVE,
    TEXT,
    TEXTS,
    USAGE,
    WHOLE,
    WORDS,
    Frame,
    check,
    delta,
    dumped,
    http,
    sse,
)

COMPLETIONS, GENERATE = "/v1/completions", "/api/generate"
EVENTS = sse(GOOD)
DONE = b"data: [DONE]\n\n"
BARE = [event.rstrip() for event in EVENTS]


def choice(**said: Any) -> Frame:
    return {"choices": [{"index": 0, "finish_reason": None, **said}]}


def readable(frame: Frame) -> bytes:
    return b"data: " + json.dumps(frame, indent=2).encode() + b"\n\n"


def last(reason_in: Frame) -> list[bytes]:
    return sse([*TEXTS, reason_in, COUNTS], done=None)


FRAMING = {
    "two events on a line": [b"".join(BARE[at : at + 2]) + b"\n\n" for at in range(0, len(BARE), 2)],
    "events parted by a space": [event + b" " for event in BARE],
    "JSON made for reading": [*map(readable, GOOD), DONE],
    "the same, by \\r\\n": [readable(frame).replace(b"\n", b"\r\n") for frame in GOOD] + [DONE],
    "fields indented": [b"  " + event for event in EVENTS],
    "fields in capitals": [event.replace(b"data:", b"Data:") for event in EVENTS],
    "a space before the colon": [event.replace(b"data:", b"data :") for event in EVENTS],
    "the sentinel without brackets": [*EVENTS[:-1], b"data: DONE\n\n"],
    "another sentinel": [*EVENTS[:-1], b"data: [END]\n\n"],
    "an event that says its end": [*EVENTS[:-1], b"event: done\ndata: [DONE]\n\n"],
    "a word after the end": [*EVENTS, b"event: close\ndata: stream closed\n\n"],
    "counts after the sentinel": [*sse([*TEXTS, delta(reason="stop")]), *sse([COUNTS], done=None)],
    "lines without a field's name": [dumped(frame) + b"\n" for frame in GOOD] + [b"[DONE]\n"],
}
ELSEWHERE = {
    "a completion's text at chats": sse([*(choice(text=word) for word in WORDS), *END]),
    "text beside an empty delta": sse([*(choice(text=word, delta={}) for word in WORDS), *END]),
    "content in the choice": sse([*(choice(content=word) for word in WORDS), *END]),
    "spoken words": sse([*(choice(delta={"audio": {"transcript": word, "data": "AA=="}}) for word in WORDS), *END]),
    "the reason in the delta": last(choice(delta={"finish_reason": "stop"})),
    "the reason in camel case": last({"choices": [{"delta": {}, "finishReason": "stop"}]}),
    "the reason beside the choices": last({"choices": [{"delta": {}}], "finish_reason": "stop"}),
    "a provider's reason alone": last({"choices": [{"delta": {}, "native_finish_reason": "stop"}]}),
}


@pytest.mark.parametrize("name", [*FRAMING, *ELSEWHERE])
def test_a_good_stream_is_read_whole(name: str) -> None:
    check(http({**FRAMING, **ELSEWHERE}[name]), WHOLE | {"finish_reason": "stop", "unread_chunks": 0})


def test_chats_at_the_path_of_completions_are_read() -> None:
    check(http(EVENTS), WHOLE, COMPLETIONS)
    whole = {"choices": [{"message": {"content": TEXT}, "finish_reason": "stop"}], "usage": USAGE}
    check(http([dumped(whole)], "application/json"), {"outcome": "ok", "text": TEXT}, COMPLETIONS, stream=False)


def test_ollamas_two_forms_are_read_at_either_path() -> None:
    check(http([dumped(line) + b"\n" for line in [*LINES, LAST]], "application/x-ndjson"), WHOLE, GENERATE)
    end = {name: value for name, value in LAST.items() if name != "message"}
    lines: list[Frame] = [*({"response": word, "done": False} for word in WORDS), {**end, "response": ""}]
    check(http([dumped(line) + b"\n" for line in lines], "application/x-ndjson"), WHOLE, NATIVE)


def test_thinking_in_ollamas_form_by_its_name_elsewhere() -> None:
    lines: list[Frame] = [{"message": {"content": "", "reasoning": word}, "done": False} for word in WORDS]
    right = {"outcome": "ok", "thinking": TEXT, "output_chunks": 12, "unread_chunks": 0}
    check(http([dumped(line) + b"\n" for line in [*lines, LAST]], "application/x-ndjson"), right, NATIVE)


WAITS: list[dict[str, Any]] = [
    {"event": "heartbeat", "message": "still working"},
    {"type": "status", "message": "The model warms up"},
    {"message": "Processing your request"},
    {"status": 200, "message": "connected"},
    {"error": {"code": None, "message": None}},
]


@pytest.mark.parametrize("news", WAITS)
def test_news_of_a_request_that_waits_is_no_error(news: dict[str, Any]) -> None:
    check(http(sse([news, *TEXTS[:5], news, *TEXTS[5:], *END, news])), WHOLE)


@pytest.mark.parametrize("late", [{"error": "client closed"}, {"error": {"message": "no such request"}}])
def test_what_comes_after_the_end_of_an_answer_takes_nothing_away(late: Frame) -> None:
    check(http([*EVENTS, *sse([late], done=None)]), WHOLE)
    check(http([dumped(line) + b"\n" for line in [*LINES, LAST, late]], "application/x-ndjson"), WHOLE, NATIVE)
    before = [*sse([*TEXTS, delta(reason="stop"), late])]  # but before the sentinel it does
    check(http(before), {"outcome": "server_error", "output_chunks": 12})


@pytest.mark.parametrize(
    ("end", "words"),
    [(b"Internal Server Error", "Internal Server Error"), (b"<html><title>504 Gateway Time-out</title>", "Gateway")],
)
def test_words_after_lines_are_said_but_half_a_line_is_none(end: bytes, words: str) -> None:
    lines = [dumped(line) + b"\n" for line in LINES[:3]]
    check(http([*lines, end], "application/x-ndjson"), {"outcome": "protocol_error", "error": words}, NATIVE)
    check(http([*lines, b'{"message":{"con'], "application/x-ndjson"), {"outcome": "truncated"}, NATIVE)


def test_what_stands_in_a_choice_under_no_known_name_is_counted() -> None:
    check(http(sse([*(choice(token=word) for word in WORDS), *END])), {"outcome": "ok", "unread_chunks": 12})
    filtered = choice(content_filter_offsets={"check_offset": 1}, content_filter_results={"hate": {"filtered": False}})
    check(http(sse([filtered, *GOOD])), WHOLE | {"unread_chunks": 0})  # Azure's


def test_tool_calls_of_other_forms() -> None:
    for call, arguments in (
        ({"type": "custom", "custom": {"name": "run", "input": "ls"}}, "ls"),
        ({"function": {"name": "run", "parameters": {"a": 1}}}, {"a": 1}),
        ({"function": {"name": "run", "arguments": {"a": 1}}}, {"a": 1}),
    ):
        frames: list[Frame] = [choice(delta={"tool_calls": [{"index": 0, "id": "a", **call}]}), *END]
        check(http(sse(frames)), {"outcome": "ok", "calls": [("run", arguments)]})
    inside: Frame = choice(delta={}, tool_calls=[{"id": "a", "function": {"name": "run", "arguments": "{}"}}])
    check(http(sse([inside, *END])), {"outcome": "ok", "calls": [("run", "{}")]}, CHAT)
