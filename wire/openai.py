"""What the two OpenAI-compatible endpoints share: request fields, `usage`, llama.cpp's `timings`, errors."""

from collections.abc import Mapping
from typing import Any

import orjson

from payloads.prompt import Prompt
from wire.body import encoded
from wire.numbers import count
from wire.values import Ask, Call, Chunk, Usage

# Some refuse to answer with what is not accepted, and an error or an answer in one piece is no stream of events.
HEADERS = (("Content-Type", "application/json"), ("Accept", "text/event-stream, application/json"))


def call(path: str, prompt: Prompt, ask: Ask, asked: dict[str, Any]) -> Call:
    """The POST with what both endpoints take.

    `max_tokens`, not `max_completion_tokens` unless it is wanted, which Ollama ignores; `include_usage`, since tokens
    are never guessed.
    """
    given = {**ask.options, **ask.fields, **prompt.options, **prompt.fields}
    body: dict[str, Any] = {"model": ask.model, **asked, **given}
    if (limit := ask.limit(prompt)) is not None:
        body[ask.limit_as] = limit
    body.pop("num_predict", None)
    if (think := body.pop("think", None)) is not None:
        body["reasoning_effort"] = effort(think)
    body["stream"] = ask.stream
    if ask.stream:
        body["stream_options"] = {"include_usage": True}
    if prompt.format is not None:
        body["response_format"] = response_format(prompt.format)
    return Call("POST", path, HEADERS, encoded(body, given))


def response_format(wanted: object) -> dict[str, Any]:
    """Ollama's `format` ("json" or a schema) as OpenAI's `response_format`."""
    if isinstance(wanted, Mapping):
        return {"type": "json_schema", "json_schema": {"name": "answer", "schema": dict(wanted)}}
    return {"type": "json_object"}


def effort(think: bool | str) -> str:
    """`think` as `reasoning_effort`: Ollama ignores `think` itself on /v1."""
    return think if isinstance(think, str) else "medium" if think else "none"


def choice(frame: dict[str, Any]) -> dict[str, Any]:
    """The first choice, or an empty one: the usage chunk has none. Ollama ignores `n`, and we never ask for more."""
    choices = frame.get("choices")
    return choices[0] if choices else {}


def error(ns: int, frame: dict[str, Any]) -> Chunk | None:
    """A chunk for an error object inside a 200, in OpenAI's form ({"error": {…}}), as a text, or vLLM's bare form."""
    said = frame.get("error")
    if said is None and frame.get("object") == "error":
        said = frame
    if said is None:
        return None
    message = said.get("message") if isinstance(said, dict) else said
    return Chunk(ns, error=message if isinstance(message, str) else orjson.dumps(said).decode())


def usage(frame: dict[str, Any]) -> Usage | None:
    """`usage` and llama.cpp's `timings` together; None if the frame has neither, or only the zeros that Ollama's
    /v1/completions puts on every chunk before the last.
    """
    said: dict[str, Any] = frame.get("usage") or {}
    timings: dict[str, Any] = frame.get("timings") or {}
    if not said.get("total_tokens") and not said.get("completion_tokens") and not timings:
        return None
    details: dict[str, Any] = said.get("prompt_tokens_details") or {}
    prompt_tokens, output_tokens = said.get("prompt_tokens"), said.get("completion_tokens")
    cached = details.get("cached_tokens", timings.get("cache_n"))
    source = "usage" if output_tokens is not None else None
    if timings:
        if prompt_tokens is None and "prompt_n" in timings:
            prompt_tokens = timings["prompt_n"] + timings.get("cache_n", 0)
        if output_tokens is None and "predicted_n" in timings:
            output_tokens, source = timings["predicted_n"], "timings"
    for said_count in (prompt_tokens, output_tokens, cached):
        if said_count is not None:
            count("usage", said_count)
    return Usage(
        prompt_tokens=prompt_tokens,
        output_tokens=output_tokens,
        cached_tokens=cached,
        prompt_eval_ns=_ns(timings.get("prompt_ms")),
        eval_ns=_ns(timings.get("predicted_ms")),
        source=source,
    )


def _ns(ms: float | None) -> int | None:
    return None if ms is None else count("a duration", round(ms * 1e6))
