"""LM Studio's own /api/v1/chat: typed events that end with the whole answer and its `stats`, or that answer alone.

Source: LM Studio's documentation (developer/rest: chat, streaming-events); not tried on a real one.
"""

from typing import Any

from tokenswarm.payloads.prompt import Prompt
from tokenswarm.wire import errors, images, lenient, openai
from tokenswarm.wire.body import encode_body
from tokenswarm.wire.engines.lm_studio import S
from tokenswarm.wire.engines.table import own_numbers
from tokenswarm.wire.numbers import duration_ns
from tokenswarm.wire.values import Ask, Call, Chunk, ToolCall, Usage

PATH = "/api/v1/chat"
done_by_sentinel = False


def build(prompt: Prompt, ask: Ask) -> Call:
    """The request for a prompt: all messages but the system's as one text, since the API takes no earlier answers.

    Not stored, unless it is wanted: a server that keeps every chat would be another one at the end of the run.
    """
    given = {**ask.options, **ask.fields, **prompt.options, **prompt.fields}
    body: dict[str, Any] = {"model": ask.model, "input": _input(prompt)}
    body |= {"system_prompt": prompt.system} if prompt.system else {}
    body |= {} if ask.think is None else {"reasoning": _reasoning(ask.think)}
    body |= {"store": False} | given
    body.pop("num_predict", None)
    if (limit := ask.limit(prompt)) is not None:
        body["max_output_tokens"] = limit
    if (think := body.pop("think", None)) is not None:
        body["reasoning"] = _reasoning(think)
    body["stream"] = ask.stream
    return Call("POST", PATH, openai.HEADERS, encode_body(body, given))


def _reasoning(think: bool | str) -> str:
    return think if isinstance(think, str) else "on" if think else "off"


def _input(prompt: Prompt) -> str | list[dict[str, str]]:
    seen = [{"type": "image", "data_url": images.url(image)} for one in prompt.messages for image in one.images]
    return [{"type": "message", "content": prompt.text}, *seen] if seen else prompt.text


def read(ns: int, frame: dict[str, Any]) -> Chunk:
    """One event, or the whole answer. What the deltas said, `chat.end` says again: see `openai_responses.said_once`.

    A tool is called by the server itself: its arguments come whole, and the model goes on with its result.
    """
    kind = frame.get("type")
    if kind == "message.delta":
        return Chunk(ns, _text(frame))
    if kind == "reasoning.delta":
        return Chunk(ns, thinking=_text(frame))
    if kind == "chat.end":
        return _whole(ns, lenient.as_mapping(frame.get("result")))
    if kind == "tool_call.arguments":
        return Chunk(ns, tool_calls=(_called(frame),))
    if kind == "model_load.end":
        return Chunk(ns, usage=Usage(load_ns=duration_ns(frame.get("load_time_seconds"), S)))
    if kind == "error":
        return Chunk(ns, error=errors.find_error(frame) or "error")
    if kind is None:
        failed = errors.find_error(frame)
        return Chunk(ns, error=failed) if failed is not None and "output" not in frame else _whole(ns, frame)
    return Chunk(ns, unread=str(kind).endswith(".delta") and lenient.unread(frame))


def _text(item: dict[str, Any]) -> str:
    text = item.get("content") or ""
    return text if type(text) is str else "".join(lenient.text_and_thinking(text))


def _called(item: dict[str, Any]) -> ToolCall:
    return ToolCall(None, "", str(item.get("tool") or ""), item.get("arguments") or "{}")


def _whole(ns: int, answer: dict[str, Any]) -> Chunk:
    """An answer that has ended; `whole`, since a stream has said all of it before. It says nowhere why it ended."""
    output = answer.get("output")
    if type(output) is not list:
        return Chunk(ns, unread=lenient.unread(answer))
    items = list(map(lenient.as_mapping, output))
    return Chunk(
        ns,
        "".join(_text(item) for item in items if item.get("type") == "message"),
        "".join(_text(item) for item in items if item.get("type") == "reasoning"),
        tuple(_called(item) for item in items if item.get("type") == "tool_call"),
        usage=own_numbers(answer),
        done=True,
        whole=True,
    )
