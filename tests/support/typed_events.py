"""Answers of /v1/messages and /v1/responses, event by event, in the shape of their documentation."""

import json
from typing import Any

from tokenswarm.wire.values import Transcript


def events(*frames: dict[str, Any]) -> bytes:
    return b"".join(f"event: {frame['type']}\ndata: {json.dumps(frame)}\n\n".encode() for frame in frames)


def seen(body: bytes, label: str = "text/event-stream", status: int = 200, complete: bool = True) -> Transcript:
    """A body whose events came a millisecond apart."""
    parts = body.split(b"\n\n")
    pieces = [(at * 1_000_000, part + b"\n\n") for at, part in enumerate(parts, 1) if part]
    ended_ns = len(parts) * 1_000_000
    return Transcript(pieces, sent_ns=0, ended_ns=ended_ns, status=status, content_type=label, complete=complete)


def whole(body: dict[str, Any]) -> Transcript:
    return seen(json.dumps(body).encode(), "application/json")


START = {"type": "message_start", "message": {"type": "message", "role": "assistant", "content": []}}
STOP = {"type": "message_stop"}


def start(**usage: int) -> dict[str, Any]:
    return {"type": "message_start", "message": {"type": "message", "content": [], "usage": usage}}


def block(index: int, **block: Any) -> dict[str, Any]:
    return {"type": "content_block_start", "index": index, "content_block": block}


def delta(index: int, kind: str, **delta: Any) -> dict[str, Any]:
    return {"type": "content_block_delta", "index": index, "delta": {"type": kind, **delta}}


def ends(reason: str, **usage: int) -> dict[str, Any]:
    return {"type": "message_delta", "delta": {"stop_reason": reason, "stop_sequence": None}, "usage": usage}


TEXT = [block(0, type="text", text=""), delta(0, "text_delta", text="Hel"), delta(0, "text_delta", text="lo")]


def response(kind: str = "response.completed", **more: Any) -> dict[str, Any]:
    status = {"response.completed": "completed", "response.incomplete": "incomplete", "response.failed": "failed"}
    return {"type": kind, "response": {"object": "response", "status": status[kind], "error": None, **more}}


def said(kind: str, text: str, **more: Any) -> dict[str, Any]:
    return {"type": f"response.{kind}.delta", "delta": text, **more}


def message(text: str) -> dict[str, Any]:
    return {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": text}]}


def called(arguments: str, status: str = "completed") -> dict[str, Any]:
    item = {"type": "function_call", "id": "fc_1", "call_id": "call_1", "name": "now", "status": status}
    return {**item, "arguments": arguments}


CREATED = {"type": "response.created", "response": {"object": "response", "status": "in_progress", "output": []}}
USED = {"input_tokens": 50, "output_tokens": 9, "total_tokens": 59, "input_tokens_details": {"cached_tokens": 41}}
