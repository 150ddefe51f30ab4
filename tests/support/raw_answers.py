"""Raw responses as servers send them, made of frames, and what must come of them when they are read as a User reads."""

import json
from typing import Any

from wire_http import Case, Exchange, read

from tokenswarm.wire import ollama_chat, openai_chat

CHAT, NATIVE = openai_chat.PATH, ollama_chat.PATH
WORDS = [f"w{n} " for n in range(12)]
TEXT = "".join(WORDS)
USAGE = {"prompt_tokens": 60, "completion_tokens": 12, "total_tokens": 72}
WHOLE = {"outcome": "ok", "error": "", "text": TEXT, "output_tokens": 12, "prompt_tokens": 60, "output_chunks": 12}
Frame = dict[str, Any] | str | bytes


def delta(content: str | None = None, reason: str | None = None, index: int = 0, **more: Any) -> dict[str, Any]:
    said = {"content": content} if content is not None else {}
    return {"choices": [{"index": index, "delta": {**said, **more}, "finish_reason": reason}]}


def message(content: str) -> dict[str, Any]:
    return {"choices": [{"index": 0, "message": {"role": "assistant", "content": content}, "finish_reason": None}]}


TEXTS: list[Frame] = [delta(word) for word in WORDS]
COUNTS: Frame = {"choices": [], "usage": USAGE}
END: list[Frame] = [delta(reason="stop"), COUNTS]
GOOD = [*TEXTS, *END]
LINES: list[Frame] = [{"message": {"content": word}, "done": False} for word in WORDS]
LAST = {"message": {"content": ""}, "done": True, "done_reason": "stop", "prompt_eval_count": 60, "eval_count": 12}


def dumped(frame: Frame) -> bytes:
    return frame if isinstance(frame, bytes) else (frame if isinstance(frame, str) else json.dumps(frame)).encode()


def sse(frames: list[Frame], done: bytes | None = b"[DONE]", before: bytes = b"data: ") -> list[bytes]:
    """Events; bytes stand for themselves."""
    cut = [frame if isinstance(frame, bytes) else before + dumped(frame) + b"\n\n" for frame in frames]
    return cut if done is None else [*cut, before + done + b"\n\n"]


def http(parts: list[bytes], label: str = "text/event-stream", status: str = "200 OK", header: str = "") -> bytes:
    head = f"HTTP/1.1 {status}\r\nContent-Type: {label}\r\n{header}Transfer-Encoding: chunked\r\n\r\n".encode()
    return head + b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in parts) + b"0\r\n\r\n"


def check(raw: bytes, right: dict[str, Any], path: str = CHAT, stream: bool = True) -> None:
    """The record of an answer says all that is `right`; of `error` a part.

    `text`, `thinking` and `calls` (name, arguments) are what it said.
    """
    outcome = read(Case("", "", "", (Exchange("POST", path, {"stream": stream}, raw, left_open=False),)))
    record, answer = outcome.record, outcome.answer
    said = {"text": answer.text, "thinking": answer.thinking}
    said |= {"calls": [(call.name, call.arguments) for call in answer.tool_calls]}
    for what, wanted in right.items():
        if what in said:
            found: object = said[what]
        else:
            found = getattr(record.usage if hasattr(record.usage, what) else record, what)
        same = wanted in str(found) if what == "error" and wanted else found == wanted
        assert same, f"{what}: {found!r}, not {wanted!r}; {record.outcome} {record.error}"
