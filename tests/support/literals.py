"""Transcripts written down: pieces 10 ms apart, lines and events from what they say."""

import json
from typing import Any

from captures import APIS

from tokenswarm.metrics.record import Identity
from tokenswarm.wire.values import Transcript

MS = 1_000_000
CHAT, GENERATE = APIS["/api/chat"], APIS["/api/generate"]
V1_CHAT, V1_COMPLETIONS = APIS["/v1/chat/completions"], APIS["/v1/completions"]
WHO = Identity(0, 0, "User", "/api/chat", "m", "p", 10)


def ndjson(*pieces: bytes, **changes: Any) -> Transcript:
    return seen("application/x-ndjson", pieces, changes)


def sse(*pieces: bytes, **changes: Any) -> Transcript:
    return seen("text/event-stream", pieces, changes)


def seen(content_type: str, pieces: tuple[bytes, ...], changes: dict[str, Any]) -> Transcript:
    """Pieces arrive 10 ms apart, the first at 10 ms; sent at 0."""
    stamped = tuple((number * 10 * MS, data) for number, data in enumerate(pieces, start=1))
    given = {"status": 200, "complete": True, "sent_ns": 0, "ended_ns": len(pieces) * 10 * MS, **changes}
    return Transcript(pieces=stamped, content_type=content_type, **given)


def line(**fields: object) -> bytes:
    return json.dumps(fields).encode() + b"\n"


def event(data: object, end: bytes = b"\n\n") -> bytes:
    return b"data: " + json.dumps(data).encode() + end


def delta(finish: str | None = None, **fields: object) -> dict[str, Any]:
    return {"choices": [{"index": 0, "delta": fields, "finish_reason": finish}]}


DONE = line(message={"role": "assistant", "content": ""}, done=True, done_reason="stop", eval_count=2, eval_duration=5)
FINISH = event(delta("stop"))
USAGE = event({"choices": [], "usage": {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5}})
SENTINEL = b"data: [DONE]\n\n"
