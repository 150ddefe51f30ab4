"""What the truth server says: bytes of HTTP and JSON, made once a request, so that a token costs one send and no more.

Every token is one HTTP chunk. Ollama's head goes out with the first line, as Ollama's does; OpenAI's head goes out at
once with a role-only chunk, as llama.cpp's does, so that a client which dates the first token by them is found out.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

WORDS = (" the", " sea", " is", " wide", " and", " cold", " and", " far")
CREATED_S, CREATED = 1_700_000_000, "2023-11-14T22:13:20.123456789Z"
LAST_CHUNK = b"0\r\n\r\n"


@dataclass(frozen=True, slots=True)
class Ended:
    """What the final line tells: counts in tokens, durations in ns."""

    prompt_tokens: int
    output_tokens: int
    total_ns: int
    prefill_ns: int
    decode_ns: int


@dataclass(frozen=True, slots=True)
class Script:
    """One answer: `opening` goes out when the request is read, `first` together with the first token.

    `tokens` are said in turns, over and over; `final` ends the body.
    """

    opening: bytes
    first: bytes
    tokens: tuple[bytes, ...]
    final: Callable[[Ended], bytes]

    @property
    def first_token(self) -> bytes:
        """The first write with a token."""
        return self.first + self.tokens[0]


def chunk(body: bytes) -> bytes:
    """One chunk of a chunked body."""
    return b"%x\r\n%s\r\n" % (len(body), body)


def head(content_type: str, rest: str) -> bytes:
    """The head of a 200."""
    return f"HTTP/1.1 200 OK\r\nContent-Type: {content_type}\r\n{rest}\r\n\r\n".encode()


def reply(body: bytes, content_type: str = "application/json", status: str = "200 OK") -> bytes:
    """A whole response."""
    return f"HTTP/1.1 {status}\r\nContent-Type: {content_type}\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body


def reply_json(said: Any) -> bytes:
    """A whole response of JSON."""
    return reply(json.dumps(said).encode())


def _line(model: str, text: str, rest: str) -> bytes:
    message = f'"message":{{"role":"assistant","content":{json.dumps(text)}}}'
    return f'{{"model":{json.dumps(model)},"created_at":"{CREATED}",{message},{rest}}}\n'.encode()


def _done(ended: Ended) -> str:
    return (
        f'"done":true,"done_reason":"length","total_duration":{ended.total_ns},"load_duration":1000000,'
        f'"prompt_eval_count":{ended.prompt_tokens},"prompt_eval_duration":{ended.prefill_ns},'
        f'"eval_count":{ended.output_tokens},"eval_duration":{ended.decode_ns}'
    )


@lru_cache(maxsize=64)
def ollama_chat(model: str) -> Script:
    """/api/chat as NDJSON."""
    return Script(
        opening=b"",
        first=head("application/x-ndjson", "Transfer-Encoding: chunked"),
        tokens=tuple(chunk(_line(model, word, '"done":false')) for word in WORDS),
        final=lambda ended: chunk(_line(model, "", _done(ended))) + LAST_CHUNK,
    )


def openai_chat(model: str, number: int, with_usage: bool) -> Script:
    """/v1/chat/completions as server-sent events; the answer's id is `chatcmpl-<number>`."""
    base = f'"id":"chatcmpl-{number}","created":{CREATED_S},"model":{json.dumps(model)}'
    frame = f'data: {{{base},"object":"chat.completion.chunk",'

    def event(delta: str, finish: str = "null") -> bytes:
        return f'{frame}"choices":[{{"index":0,"delta":{delta},"finish_reason":{finish}}}]}}\n\n'.encode()

    def final(ended: Ended) -> bytes:
        total = ended.prompt_tokens + ended.output_tokens
        counts = {"prompt_tokens": ended.prompt_tokens, "completion_tokens": ended.output_tokens, "total_tokens": total}
        usage = f'{frame}"choices":[],"usage":{json.dumps(counts)}}}\n\n'.encode()
        end = event("{}", '"length"')
        return chunk(end) + (chunk(usage) if with_usage else b"") + chunk(b"data: [DONE]\n\n") + LAST_CHUNK

    return Script(
        opening=head("text/event-stream", "Transfer-Encoding: chunked")
        + chunk(event('{"role":"assistant","content":""}')),
        first=b"",
        tokens=tuple(chunk(event(f'{{"content":"{word}"}}')) for word in WORDS),
        final=final,
    )


@lru_cache(maxsize=4)
def facts(model: str) -> dict[tuple[str, str], bytes]:
    """What clients ask before they load: (method, path) → whole response."""
    known = {"name": model, "model": model, "size": 1, "digest": "0" * 64, "modified_at": CREATED}
    details = {"format": "gguf", "family": "truth", "parameter_size": "1B", "quantization_level": "F16"}
    listed = {**known, "details": details}
    running = {**listed, "expires_at": "2318-01-01T00:00:00Z", "size_vram": 1, "context_length": 4096}
    entry = {"id": model, "object": "model", "created": CREATED_S, "owned_by": "library"}
    shown = {"details": details, "model_info": {}, "capabilities": ["completion"], "modified_at": CREATED}
    return {
        ("GET", "/"): reply(b"Ollama is running", "text/plain"),
        ("GET", "/api/version"): reply_json({"version": "0.32.15"}),
        ("GET", "/api/tags"): reply_json({"models": [listed]}),
        ("GET", "/api/ps"): reply_json({"models": [running]}),
        ("POST", "/api/show"): reply_json(shown),
        ("GET", "/v1/models"): reply_json({"object": "list", "data": [entry]}),
    }
