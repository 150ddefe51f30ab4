"""Anthropic's /v1/messages, which Ollama, llama.cpp, vLLM and LM Studio serve too: typed events, or one message."""

from collections.abc import Iterator
from itertools import groupby
from typing import Any

from tokenswarm.payloads.prompt import Message, Prompt
from tokenswarm.wire import errors, images, lenient, openai
from tokenswarm.wire.body import encode_body
from tokenswarm.wire.numbers import count
from tokenswarm.wire.tool_ids import with_ids
from tokenswarm.wire.values import Ask, Call, Chunk, ToolCall, Usage

PATH = "/v1/messages"
done_by_sentinel = False
HEADERS = (*openai.HEADERS, ("anthropic-version", "2023-06-01"))
LEAST_BUDGET_TOKENS = 1024  # of thinking that is allowed at all
# What a prompt may say by another name.
NAMES = {"stop": "stop_sequences", "num_predict": "max_tokens"}
_CACHED, _WRITTEN = "cache_read_input_tokens", "cache_creation_input_tokens"
_NOTHING = ("content_block_stop", "ping")


def build(prompt: Prompt, ask: Ask) -> Call:
    """The request for a prompt: the system messages apart from the others, the limit as `max_tokens`."""
    options = {**ask.options, **ask.fields, **prompt.options, **prompt.fields}
    given = {NAMES.get(name, name): value for name, value in options.items()}
    if isinstance(stop := given.get("stop_sequences"), str):
        given["stop_sequences"] = [stop]
    limit = ask.limit(prompt)
    body: dict[str, Any] = {"model": ask.model, "messages": list(_messages(prompt))}
    body |= {"system": prompt.system} if prompt.system else {}
    body |= {"tools": [_tool(tool) for tool in prompt.tools]} if prompt.tools else {}
    body |= _thinking(ask.think, limit) | given
    if limit is not None:
        body["max_tokens"] = limit
    if (think := body.pop("think", None)) is not None:
        body |= _thinking(think, limit)
    wanted = openai.response_format(prompt.format) if prompt.format is not None else body.get("response_format")
    body.pop("response_format", None)
    if wanted is not None:
        body["output_config"] = {**lenient.as_mapping(body.get("output_config")), "format": _format(wanted)}
    body["stream"] = ask.stream
    return Call("POST", PATH, HEADERS, encode_body(body, given))


def _thinking(think: object, limit: int | None) -> dict[str, Any]:
    """`think`: a level is an effort; true allows as many tokens as the answer may have."""
    if isinstance(think, str):
        return {"output_config": {"effort": think}}
    if think is None:
        return {}
    enabled = {"type": "enabled", "budget_tokens": max(LEAST_BUDGET_TOKENS, limit or 0)}
    return {"thinking": enabled if think else {"type": "disabled"}}


def _format(wanted: object) -> dict[str, Any]:
    schema = lenient.as_mapping(lenient.as_mapping(wanted).get("json_schema")).get("schema")
    return {"type": "json_schema", "schema": schema or {"type": "object"}}


def _tool(tool: Any) -> dict[str, Any]:
    """A function as an OpenAI server takes it, as this API does."""
    function = lenient.as_mapping(tool.get("function", tool))
    said = {"name": function.get("name"), "description": function.get("description")}
    schema = function.get("parameters") or {"type": "object"}
    return {**{name: value for name, value in said.items() if value}, "input_schema": schema}


def _messages(prompt: Prompt) -> Iterator[dict[str, Any]]:
    """All messages but the system's; the results of one round of tools are one message of the user's."""
    said = [message for message in with_ids(prompt.messages) if message.role != "system"]
    for role, some in groupby(said, lambda message: message.role):
        if role == "tool":
            yield {"role": "user", "content": [_result(message) for message in some]}
        else:
            yield from ({"role": role, "content": _content(message)} for message in some)


def _result(message: Message) -> dict[str, Any]:
    return {"type": "tool_result", "tool_use_id": message.tool_call_id, "content": message.content}


def _content(message: Message) -> str | list[dict[str, Any]]:
    if not (message.images or message.tool_calls or message.thinking):
        return message.content
    blocks: list[dict[str, Any]] = []
    if message.thinking:
        blocks.append({"type": "thinking", "thinking": message.thinking, "signature": ""})
    if message.content:
        blocks.append({"type": "text", "text": message.content})
    blocks += [{"type": "image", "source": _source(image)} for image in message.images]
    blocks += [
        {"type": "tool_use", "id": call["id"], "name": call["name"], "input": call.get("arguments") or {}}
        for call in message.tool_calls
    ]
    return blocks


def _source(image: str) -> dict[str, str]:
    url = images.url(image)
    if not url.startswith("data:"):
        return {"type": "url", "url": url}
    head, _, data = url.partition(",")
    return {"type": "base64", "media_type": head[5:].partition(";")[0], "data": data}


def read(ns: int, frame: dict[str, Any]) -> Chunk:
    """One event, or the whole message; pings, starts and stops of blocks carry nothing but a tool's name.

    The reason comes with `message_delta`, the end is `message_stop`.
    """
    kind = frame.get("type")
    if kind == "content_block_delta":
        return _delta(ns, frame)
    if kind == "content_block_start":
        return _block(ns, lenient.as_mapping(frame.get("content_block")), count(frame.get("index")))
    if kind == "message_delta":
        delta = lenient.as_mapping(frame.get("delta"))
        used = frame.get("usage") or delta.get("usage")
        return Chunk(ns, finish_reason=openai.finish_reason(delta.get("stop_reason")), usage=usage(used))
    if kind == "message_stop":
        return Chunk(ns, done=True, usage=usage(frame.get("usage")))
    if kind == "message_start":
        said = lenient.as_mapping(lenient.as_mapping(frame.get("message")).get("usage"))
        return Chunk(ns, usage=usage({**said, "output_tokens": None}))
    if kind in _NOTHING:
        return Chunk(ns)
    if kind == "message" or ("content" in frame and "error" not in frame):
        return _whole(ns, frame)
    if (failed := errors.find_error(frame)) is not None:
        return Chunk(ns, error=failed)
    return Chunk(ns, unread=lenient.unread(frame))


def _delta(ns: int, frame: dict[str, Any]) -> Chunk:
    delta = frame.get("delta")
    if type(delta) is not dict:
        raise TypeError("delta is no object")
    text, thinking = delta.get("text") or "", delta.get("thinking") or ""
    if type(text) is not str or type(thinking) is not str:
        text, thinking = lenient.text_and_thinking([text, {"thinking": thinking}])
    if text or thinking:
        return Chunk(ns, text, thinking)
    pieces = delta.get("partial_json")
    if pieces:
        return Chunk(ns, tool_calls=(ToolCall(count(frame.get("index")), "", "", pieces),))
    return Chunk(ns, unread="partial_json" not in delta and "signature" not in delta and lenient.unread(delta))


def _block(ns: int, block: dict[str, Any], index: int | None) -> Chunk:
    """A block as it begins, mostly empty, or a whole one; of a tool's the name is said already."""
    if str(block.get("type")).endswith("tool_use"):
        call = ToolCall(index, str(block.get("id") or ""), str(block.get("name") or ""), block.get("input") or {})
        return Chunk(ns, tool_calls=(call,))
    return Chunk(ns, *lenient.text_and_thinking([block]))


def _whole(ns: int, frame: dict[str, Any]) -> Chunk:
    content = frame.get("content") or []
    if isinstance(content, str):
        content = [{"type": "text", "text": content}]
    blocks = [_block(ns, lenient.as_mapping(block), place) for place, block in enumerate(content)]
    return Chunk(
        ns,
        "".join(block.text for block in blocks),
        "".join(block.thinking for block in blocks),
        tuple(call for block in blocks for call in block.tool_calls),
        openai.finish_reason(frame.get("stop_reason")),
        usage(frame.get("usage")),
        done=bool(frame.get("stop_reason")),
    )


def count_prompt_once(chunks: Iterator[Chunk]) -> Iterator[Chunk]:
    """The same chunks; the prompt's tokens that the start says count where the answer ends without any.

    Some evaluate the prompt later and guess here (Ollama does); who knows by now what was cached has evaluated it.
    """
    guess: int | None = None
    for chunk in chunks:
        said = chunk.usage
        if said and said.source is None and said.cached_tokens is None and not chunk.finish_reason and not chunk.done:
            guess, chunk = said.prompt_tokens, chunk._replace(usage=None)
        elif said and said.prompt_tokens:
            guess = None
        elif guess and (chunk.finish_reason or chunk.done):
            chunk, guess = chunk._replace(usage=(said or Usage())._replace(prompt_tokens=guess)), None
        yield chunk
        if chunk.text and guess is None:
            break
    yield from chunks


def usage(said: object) -> Usage | None:
    """The counts; here `input_tokens` are those that were neither read from the cache nor written into it."""
    known = lenient.as_mapping(said)
    evaluated, cached, output = (count(known.get(name)) for name in ("input_tokens", _CACHED, "output_tokens"))
    prompt = None if evaluated is None else evaluated + (cached or 0) + (count(known.get(_WRITTEN)) or 0)
    numbers = Usage(prompt, output, cached, source=None if output is None else "usage")
    return None if numbers == Usage() else numbers
