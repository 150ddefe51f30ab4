"""Ollama's /api/chat: NDJSON lines with a `message`."""

from collections.abc import Mapping, Sequence
from typing import Any

from tokenswarm.payloads.prompt import Message, Prompt
from tokenswarm.wire import lenient, ollama
from tokenswarm.wire.values import Ask, Call, Chunk

PATH = "/api/chat"
done_by_sentinel = False


def build(prompt: Prompt, ask: Ask) -> Call:
    """The request for a prompt: its messages as they are, and the tools on offer."""
    asked: dict[str, Any] = {"messages": [_message(message) for message in prompt.messages]}
    if prompt.tools:
        asked["tools"] = prompt.tools
    return ollama.call(PATH, prompt, ask, asked)


def _message(message: Message) -> dict[str, Any]:
    said: dict[str, Any] = {"role": message.role, "content": message.content}
    if message.images:
        said["images"] = [ollama.bare(image) for image in message.images]
    if message.thinking:
        said["thinking"] = message.thinking
    if message.tool_calls:
        said["tool_calls"] = [_tool_call(call) for call in message.tool_calls]
    if message.tool_name:
        said["tool_name"] = message.tool_name
    if message.tool_call_id:
        said["tool_call_id"] = message.tool_call_id
    return said


def _tool_call(call: Mapping[str, object]) -> dict[str, Any]:
    function = {"name": call["name"], "arguments": call.get("arguments") or {}}
    return {"id": call["id"], "function": function} if call.get("id") else {"function": function}


def plain(frames: Sequence[Any]) -> tuple[list[str], list[str]]:
    """See `wire.stretch`."""
    texts: list[str] = []
    thinkings: list[str] = []
    try:
        for frame in frames:
            message = frame["message"]
            text, thinking = message["content"], message.get("thinking", "")
            if type(text) is not str or type(thinking) is not str or "<" in text or not (text or thinking):
                break
            if frame["done"] is not False or "error" in frame or "tool_calls" in message:
                break
            texts.append(text)
            thinkings.append(thinking)
    except (TypeError, KeyError, AttributeError):
        pass  # not what it should be
    return texts, thinkings


def read(ns: int, frame: dict[str, Any]) -> Chunk:
    """One line: `message.content`, `message.thinking`, `message.tool_calls`, and the numbers when it is done."""
    message = frame.get("message") or ({"content": frame["response"]} if {"response", "done"} <= frame.keys() else {})
    if type(message) is not dict:
        message = {"content": message} if "done" in frame else {}  # alone it is a gateway's error
    calls = message.get("tool_calls")
    chunk = ollama.chunk(
        ns,
        frame,
        message.get("content") or "",
        message.get("thinking") or "",
        lenient.tool_calls(calls) if calls else (),
    )
    if chunk[1] or chunk[2] or chunk[3] or not lenient.unread(message):  # `chunk.output`, of each token
        return chunk
    thinking = lenient.text_and_thinking([{"thinking": message}])[1]  # as OpenAI's servers call it
    return chunk._replace(thinking=thinking, unread=not thinking)
