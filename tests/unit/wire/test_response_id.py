"""The id of an answer, wherever an API has it; what a tool call is called is none."""

import json

import pytest

from tokenswarm.wire.response_id import response_id
from tokenswarm.wire.values import Transcript

CALL = {"id": "call_1", "type": "function", "function": {"name": "f", "arguments": "{}"}}
CHAT = {"choices": [{"index": 0, "delta": {"role": "assistant", "tool_calls": [CALL]}}], "id": "chatcmpl-7"}
RESPONSES = {"type": "response.created", "response": {"id": "resp_7", "status": "in_progress"}}
MESSAGES = {"type": "message_start", "message": {"id": "msg_7", "role": "assistant"}}
OLLAMA = {"model": "sim", "message": {"role": "assistant", "content": "", "tool_calls": [CALL]}, "done": False}
EVENTS = "text/event-stream"


def _events(*frames: object) -> bytes:
    return b"".join(b"data: " + json.dumps(frame).encode() + b"\n\n" for frame in frames)


@pytest.mark.parametrize(
    ("body", "label", "found"),
    [
        (_events(CHAT, CHAT), EVENTS, "chatcmpl-7"),
        (b": ping\n\n" + _events(CHAT), EVENTS, "chatcmpl-7"),
        (_events(RESPONSES), EVENTS, "resp_7"),
        (_events(MESSAGES), EVENTS, "msg_7"),
        (json.dumps({"choices": [{"message": {"tool_calls": [CALL]}}], "id": "chatcmpl-8"}).encode(), "", "chatcmpl-8"),
        (json.dumps(OLLAMA).encode() + b"\n", "application/x-ndjson", None),
        (_events({"id": 7, "choices": []}, {"id": None}), EVENTS, None),
        (_events({"id": "x" * 5000}), EVENTS, "x" * 200),
        (b"data: {oh", EVENTS, None),
        (b"<html>no</html>", "text/html", None),
        (b"", "", None),
    ],
)
def test_where_each_has_it(body: bytes, label: str, found: str | None) -> None:
    half = len(body) // 2
    for pieces in (((1, body),) if body else (), ((1, body[:half]), (2, body[half:])) if half else ()):
        if pieces or not body:
            assert response_id(Transcript(pieces=pieces, content_type=label, status=200)) == found
