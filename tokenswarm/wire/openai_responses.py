"""OpenAI's /v1/responses, which Ollama, llama.cpp, vLLM and LM Studio serve too: typed events, or one response."""

from collections.abc import Iterable, Iterator
from typing import Any

import orjson

from tokenswarm.payloads.prompt import Message, Prompt
from tokenswarm.wire import errors, images, lenient, openai
from tokenswarm.wire.body import encode_body
from tokenswarm.wire.engines.table import ENGINES
from tokenswarm.wire.numbers import count
from tokenswarm.wire.tool_ids import with_ids
from tokenswarm.wire.values import Ask, Call, Chunk, ToolCall

PATH = "/v1/responses"
done_by_sentinel = False
_TEXTS = ("response.output_text.delta", "response.refusal.delta")
_ARGUMENTS = "response.function_call_arguments.delta"
# What says again what deltas said, or says it alone.
_DONE = ("response.output_text.done", "response.content_part.done", "response.output_item.done")
_ARGUMENTS_DONE = "response.function_call_arguments.done"
_RUNNING = ("in_progress", "queued")  # of a response that has not ended
_MOST_REPEATED = 65_536  # characters in which it is looked for what was said before
_ENDS = ("response.completed", "response.incomplete", "response.failed", "response.cancelled", "response.done")


def build(prompt: Prompt, ask: Ask) -> Call:
    """The request for a prompt: the system messages as `instructions`, all others as items of the `input`.

    Not stored, unless it is wanted: a server that keeps every answer would be another one at the end of the run.
    """
    given = {**ask.options, **ask.fields, **prompt.options, **prompt.fields}
    body: dict[str, Any] = {"model": ask.model, "input": list(_items(prompt))}
    body |= {"instructions": prompt.system} if prompt.system else {}
    body |= {"tools": [_tool(tool) for tool in prompt.tools]} if prompt.tools else {}
    body |= {} if ask.think is None else {"reasoning": {"effort": openai.effort(ask.think)}}
    body |= {"store": False} | given
    body.pop("num_predict", None)
    if (limit := ask.limit(prompt)) is not None:
        body["max_output_tokens"] = limit
    if (think := body.pop("think", None)) is not None:
        body["reasoning"] = {"effort": openai.effort(think)}
    wanted = openai.response_format(prompt.format) if prompt.format is not None else body.get("response_format")
    body.pop("response_format", None)
    if wanted is not None:
        body["text"] = {**lenient.as_mapping(body.get("text")), "format": _format(wanted)}
    body["stream"] = ask.stream
    return Call("POST", PATH, openai.HEADERS, encode_body(body, given))


def _format(wanted: Any) -> dict[str, Any]:
    """`response_format` as it is here: what stands in its `json_schema` beside the type."""
    return {"type": wanted.get("type"), **lenient.as_mapping(wanted.get("json_schema"))}


def _tool(tool: Any) -> dict[str, Any]:
    return {"type": "function", **lenient.as_mapping(tool.get("function", tool))}


def _items(prompt: Prompt) -> Iterator[dict[str, Any]]:
    """All messages but the system's; what the model thought before is left out, as in a chat."""
    for message in with_ids(prompt.messages):
        if message.role == "tool":
            yield {"type": "function_call_output", "call_id": message.tool_call_id, "output": message.content}
        elif message.role == "assistant":
            if message.content or not message.tool_calls:
                said = {"type": "output_text", "text": message.content, "annotations": []}
                yield {"type": "message", "role": "assistant", "status": "completed", "content": [said]}
            yield from map(_call, message.tool_calls)
        elif message.role != "system":
            yield {"type": "message", "role": message.role, "content": _content(message)}


def _call(call: Any) -> dict[str, Any]:
    arguments = call.get("arguments") or {}
    text = arguments if isinstance(arguments, str) else orjson.dumps(arguments).decode()
    return {"type": "function_call", "call_id": call["id"], "name": call["name"], "arguments": text}


def _content(message: Message) -> str | list[dict[str, Any]]:
    if not message.images:
        return message.content
    seen = [{"type": "input_image", "image_url": images.url(image), "detail": "auto"} for image in message.images]
    return [{"type": "input_text", "text": message.content}, *seen] if message.content else seen


def read(ns: int, frame: dict[str, Any]) -> Chunk:
    """One event, or the whole response. What the deltas said, later events say again: see `said_once`."""
    kind = frame.get("type")
    if kind in _TEXTS:
        text = frame.get("delta") or ""
        return Chunk(ns, text if type(text) is str else lenient.text_and_thinking(text)[0])
    if kind == _ARGUMENTS:
        pieces = frame.get("delta")
        return Chunk(ns, tool_calls=(ToolCall(count(frame.get("output_index")), "", "", pieces),) if pieces else ())
    if kind is None or kind in _ENDS or "output" in frame:
        return _whole(ns, frame)
    if kind in _DONE:
        said = frame.get("item") or frame.get("part") or frame
        return Chunk(ns, *_item(lenient.as_mapping(said), count(frame.get("output_index"))), whole=True)
    if kind == _ARGUMENTS_DONE:
        call = ToolCall(count(frame.get("output_index")), "", "", frame.get("arguments"))
        return Chunk(ns, tool_calls=(call,), whole=True)
    if kind == "response.output_item.added":
        item = lenient.as_mapping(frame.get("item"))
        called = item.get("type") == "function_call"
        return Chunk(ns, tool_calls=(_called(item, count(frame.get("output_index")), None),) if called else ())
    if kind == "error":
        return Chunk(ns, error=errors.find_error(frame) or str(frame.get("message") or frame.get("code") or "error"))
    if isinstance(kind, str) and kind.endswith(".delta"):
        thinking = lenient.text_and_thinking([{"thinking": frame.get("delta")}])[1] if "reasoning" in kind else ""
        return Chunk(ns, thinking=thinking, unread=not thinking and bool(frame.get("delta")))
    return Chunk(ns)


def _called(item: dict[str, Any], place: int | None, arguments: object) -> ToolCall:
    return ToolCall(place, str(item.get("call_id") or item.get("id") or ""), str(item.get("name") or ""), arguments)


def _whole(ns: int, frame: dict[str, Any]) -> Chunk:
    """A response that has ended; `whole`, since a stream has said all of it before."""
    response = lenient.as_mapping(frame.get("response")) or frame
    status, items = response.get("status"), response.get("output") or []
    if status == "failed" or response.get("error") or "status" not in response:
        failed = (
            errors.find_error({"error": response.get("error")})
            if response.get("error")
            else errors.find_error(response)
        )
        if failed is not None or status == "failed":
            return Chunk(ns, error=failed or "the response failed")
    if isinstance(items, str) or not items:  # its text alone, as clients have it
        items = [{"text": items or response.get("output_text")}]
    listed = map(lenient.as_mapping, items if isinstance(items, list) else [])
    said = [_item(item, place) for place, item in enumerate(listed)]
    details = lenient.as_mapping(response.get("incomplete_details"))
    status = status or (str(frame["type"]).rpartition(".")[2] if frame.get("type") in _ENDS else None)
    reason = openai.finish_reason(details.get("reason") or (None if status in _RUNNING else status))
    return Chunk(
        ns,
        "".join(text for text, _, _ in said),
        "".join(thinking for _, thinking, _ in said),
        tuple(call for _, _, calls in said for call in calls),
        reason,
        openai.usage({name: response.get(name) or frame.get(name) for name in ("usage", *ENGINES)}),
        done=reason is not None,
        whole=True,
        unread=not reason and lenient.unread(response),
    )


def _item(item: dict[str, Any], place: int | None) -> tuple[str, str, tuple[ToolCall, ...]]:
    """Text, thinking and the tool call of one item of the output, or of a part of it."""
    kind = str(item.get("type"))
    if kind == "function_call":
        return "", "", (_called(item, place, item.get("arguments")),)
    if kind.startswith("reasoning"):
        thought = item.get("summary") or item.get("content") or item.get("text")
        return "", lenient.text_and_thinking([{"thinking": thought}])[1], ()
    return *lenient.text_and_thinking(item.get("content") or item.get("text") or item.get("refusal")), ()


def said_once(chunks: Iterable[Chunk]) -> Iterator[Chunk]:
    """The same chunks; what says again what was said, as the whole response at the end does, without that."""
    text, thinking = _Said(), _Said()
    ids: dict[int | None, str] = {}  # of the calls, by their places
    called: set[str] = set()
    for chunk in chunks:
        if chunk.whole:
            new = tuple(call for call in chunk.tool_calls if (call.id or ids.get(call.place, "")) not in called)
            chunk = chunk._replace(
                text=text.new(chunk.text), thinking=thinking.new(chunk.thinking), tool_calls=new, whole=False
            )
        else:
            text.by_deltas |= bool(chunk.text)
            thinking.by_deltas |= bool(chunk.thinking)
        for call in chunk.tool_calls:
            ids[call.place] = call.id or ids.get(call.place, "")
            if call.arguments:
                called.add(ids[call.place])
        yield chunk


class _Said:
    """What was said so far: by deltas, or by what says it whole."""

    __slots__ = ("_whole", "by_deltas")

    def __init__(self) -> None:
        self.by_deltas, self._whole = False, ""

    def new(self, whole: str) -> str:
        """What of it was not said before."""
        if not whole or self.by_deltas or whole in self._whole:
            return ""
        new = whole.removeprefix(self._whole)
        self._whole += new
        self.by_deltas = len(self._whole) > _MOST_REPEATED
        return new
