"""One answer and what was asked, as the checks judge them; and what they find."""

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cached_property
from hashlib import blake2b
from typing import NoReturn

import orjson

from tokenswarm.wire.values import Answer, ToolCall, Usage


@dataclass(frozen=True, slots=True)
class Asked:
    """What a request asked for, as far as its answer is judged by it.

    `text` is all text of the prompt, `system` that of its system messages, `context_tokens` what /api/generate was
    handed back, `before` the prompt tokens of the same conversation's last request, 0 where this one need not hold all
    of it. `request` is the body of a request that should give the same text each time, else empty.
    """

    max_tokens: int
    text: str = ""
    format: object | None = None
    tools: Sequence[Mapping[str, object]] = ()
    expect: Sequence[tuple[str, object]] = ()
    num_ctx: int | None = None
    context_tokens: int = 0
    before: int = 0
    request: bytes = b""
    system: str = ""


# The words of OpenAI's chat and of Ollama, of /v1/responses, of /v1/messages.
CUT = ("length", "max_output_tokens", "max_tokens", "model_context_window_exceeded")


@dataclass(frozen=True)
class Case:
    """One answer to be judged; `clean` says that the HTTP message ended as its framing promised.

    `doubt` says what of the server's durations cannot be, "" if nothing; None where it gave none.
    """

    asked: Asked
    answer: Answer
    outcome: str
    finish_reason: str | None
    usage: Usage
    clean: bool = True
    doubt: str | None = None

    @cached_property
    def parsed(self) -> tuple[object, str]:
        """(the text as JSON, ""), or (None, why it is none)."""
        return read_json(self.answer.text)

    @property
    def ok(self) -> bool:
        return self.outcome == "ok"

    @property
    def has_no_reason(self) -> bool:
        """Was it answered by an API that says nowhere why an answer ended, LM Studio's own?"""
        return self.finish_reason is None and self.usage.source == "stats"

    @property
    def cut(self) -> bool:
        """By its limit, or its context.

        Ollama's /v1/responses says "completed" all the same, LM Studio's own API nothing: then the count tells.
        """
        if self.finish_reason == "completed" or self.has_no_reason:
            return 0 < self.asked.max_tokens <= (self.usage.output_tokens or 0)
        return self.finish_reason in CUT

    @property
    def asked_json(self) -> bool:
        return self.ok and self.asked.format is not None and not self.answer.tool_calls


@dataclass(frozen=True, slots=True)
class CheckResults:
    """`failed` holds 1 (failed) or 0 for each check that applied; `notes` says what failed, in a few words.

    `text_digest` is of what was said, `request_digest` of the request: only where the same should give the same.
    """

    failed: Mapping[str, int] = field(default_factory=dict)
    notes: str = ""
    text_digest: str | None = None
    request_digest: str | None = None


UNJUDGED = CheckResults()


def digest(data: bytes) -> str:
    """16 hex digits that tell different data apart."""
    return blake2b(data, digest_size=8).hexdigest()


def said_bytes(answer: Answer) -> bytes:
    """Thinking, text and tool calls as they may be compared.

    The calls' ids are random, and so is the order of their arguments' keys.
    """
    calls = [(call.name, arguments(call)[0]) for call in answer.tool_calls]
    parts = [answer.thinking, answer.text, json.dumps(calls, sort_keys=True, default=str)]
    return "\0".join(parts).encode("utf-8", "replace")


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON")


def read_json(text: str) -> tuple[object, str]:
    """(the value that a text holds as JSON, ""), or (None, why it holds none)."""
    with suppress(orjson.JSONDecodeError):  # ten times as fast; what it cannot read, the standard library explains
        return orjson.loads(text), ""
    try:
        return json.loads(text, parse_constant=_no_constant), ""
    except json.JSONDecodeError as error:
        return None, f"{error.msg.removesuffix(' at')} at {error.pos:,} of {len(text):,}"
    except (ValueError, RecursionError) as error:
        return None, str(error)[:60]


def arguments(call: ToolCall) -> tuple[object, str]:
    """(a call's arguments, ""), or (None, what is wrong): OpenAI servers send them as a text that holds JSON."""
    return read_json(call.arguments) if isinstance(call.arguments, str) else (call.arguments, "")


def functions(tools: Sequence[Mapping[str, object]]) -> Iterator[tuple[str, object]]:
    """(name, schema of the parameters) of each tool that was offered."""
    for tool in tools:
        function = tool.get("function", tool)
        if isinstance(function, Mapping):
            yield str(function.get("name", "")), function.get("parameters")
