"""What Ollama's two generating endpoints share: fields and options, the final line's numbers, errors, tool calls."""

from typing import Any

import orjson

from payloads.prompt import Prompt
from wire.body import encoded
from wire.numbers import count
from wire.values import Ask, Call, Chunk, ToolCall, Usage

HEADERS = (("Content-Type", "application/json"), ("Accept", "application/x-ndjson, application/json"))


def call(path: str, prompt: Prompt, ask: Ask, asked: dict[str, Any]) -> Call:
    """The POST with what both endpoints take; with `num_predict`, since Ollama's default is no limit."""
    body = {"model": ask.model, **asked, "stream": ask.stream}
    if ask.think is not None:
        body["think"] = ask.think
    body.update(ask.fields)
    if prompt.format is not None:
        body["format"] = prompt.format
    body.update(prompt.fields)
    options = {**ask.options, **prompt.options, "num_predict": ask.limit(prompt)}
    body["options"] = {name: value for name, value in options.items() if value is not None}
    return Call("POST", path, HEADERS, encoded(body, {**ask.fields, **prompt.fields}))


def bare(image: str) -> str:
    """An image as Ollama takes it: base64 without the head of a data URL."""
    return image.partition(",")[2] if image.startswith("data:") else image


def chunk(ns: int, frame: dict[str, Any], text: str, thinking: str, tool_calls: tuple[ToolCall, ...] = ()) -> Chunk:
    """A Chunk of one line. Text, tool calls and numbers may all ride on the `done:true` line."""
    if frame.get("error") is not None:
        return Chunk(ns, error=_text(frame["error"]))
    if not isinstance(text, str) or not isinstance(thinking, str):
        raise TypeError("the text is not a text")
    if not frame.get("done"):
        return Chunk(ns, text, thinking, tool_calls)
    return Chunk(ns, text, thinking, tool_calls, frame.get("done_reason"), usage(frame), True)


def usage(frame: dict[str, Any]) -> Usage | None:
    """The six numbers of the final line, each absent if it was (Ollama leaves zeros out); None if all were."""
    numbers = Usage(
        prompt_tokens=_count(frame, "prompt_eval_count"),
        output_tokens=_count(frame, "eval_count"),
        total_ns=_count(frame, "total_duration"),
        load_ns=_count(frame, "load_duration"),
        prompt_eval_ns=_count(frame, "prompt_eval_duration"),
        eval_ns=_count(frame, "eval_duration"),
        source="eval_count" if "eval_count" in frame else None,
    )
    return None if numbers == Usage() else numbers


def tool_call(position: int, said: dict[str, Any]) -> ToolCall:
    function = said["function"]
    place = count("index", function.get("index", position))
    return ToolCall(place, said.get("id", ""), function["name"], function.get("arguments"))


def _count(frame: dict[str, Any], name: str) -> int | None:
    value = frame.get(name)
    return None if value is None else count(name, value)


def _text(error: object) -> str:
    return error if isinstance(error, str) else orjson.dumps(error).decode()
