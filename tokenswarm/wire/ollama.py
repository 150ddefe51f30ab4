"""What Ollama's two generating endpoints share: fields and options, the final line's numbers, errors, tool calls."""

from typing import Any

from tokenswarm.payloads.prompt import Prompt
from tokenswarm.wire import errors, lenient
from tokenswarm.wire.body import encode_body
from tokenswarm.wire.numbers import count, duration_ns
from tokenswarm.wire.values import Ask, Call, Chunk, ToolCall, Usage

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
    return Call("POST", path, HEADERS, encode_body(body, {**ask.fields, **prompt.fields}))


def bare(image: str) -> str:
    """An image as Ollama takes it: base64 without the head of a data URL."""
    return image.partition(",")[2] if image.startswith("data:") else image


def chunk(ns: int, frame: dict[str, Any], text: Any, thinking: Any, tool_calls: tuple[ToolCall, ...] = ()) -> Chunk:
    """A Chunk of one line. Text, tool calls and numbers may all ride on the `done:true` line."""
    if (not (text or thinking or tool_calls) or frame.get("error")) and (failed := errors.find_error(frame)):
        return Chunk(ns, error=failed)
    if type(text) is not str or type(thinking) is not str:
        text, thinking = lenient.text_and_thinking([text, {"thinking": thinking}])
    done = frame.get("done")
    if not done or (done is not True and not lenient.yes(done)):
        return Chunk(ns, text, thinking, tool_calls)
    reason = frame.get("done_reason")
    reason = reason if type(reason) is str else lenient.label(reason)
    return Chunk(ns, text, thinking, tool_calls, reason, usage(frame), True)


def usage(frame: dict[str, Any]) -> Usage | None:
    """The numbers of the final line, each absent if it was (Ollama leaves zeros out); None if all were.

    `prompt_eval_count` is of all prompt tokens, `prompt_eval_cached_count` (since 0.33.3) of those among them that were
    cached; `prompt_eval_duration` is of the others.
    """
    said = frame.get
    output_tokens = count(said("eval_count"))
    numbers = Usage(
        prompt_tokens=count(said("prompt_eval_count")),
        output_tokens=output_tokens,
        cached_tokens=count(said("prompt_eval_cached_count")),
        total_ns=duration_ns(said("total_duration")),
        load_ns=duration_ns(said("load_duration")),
        prompt_eval_ns=duration_ns(said("prompt_eval_duration")),
        eval_ns=duration_ns(said("eval_duration")),
        source=None if output_tokens is None else "eval_count",
    )
    if numbers == Usage():
        return None
    return numbers._replace(engine="Ollama") if numbers.has_durations else numbers
