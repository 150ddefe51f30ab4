"""Ollama's /api/generate: NDJSON lines with a `response`."""

from collections.abc import Sequence
from typing import Any

from tokenswarm.payloads.prompt import Prompt
from tokenswarm.wire import ollama, ollama_chat
from tokenswarm.wire.values import Ask, Call, Chunk

PATH = "/api/generate"
done_by_sentinel = False


def build(prompt: Prompt, ask: Ask) -> Call:
    """The request for a prompt: the system message in its own field, all the others as one text, all their images."""
    asked: dict[str, Any] = {"prompt": prompt.text}
    if prompt.system is not None:
        asked["system"] = prompt.system
    if images := [ollama.bare(image) for message in prompt.messages for image in message.images]:
        asked["images"] = images
    return ollama.call(PATH, prompt, ask, asked)


def plain(frames: Sequence[Any]) -> tuple[list[str], list[str]]:
    """See `wire.stretch`."""
    texts: list[str] = []
    thinkings: list[str] = []
    try:
        for frame in frames:
            text, thinking = frame["response"], frame.get("thinking", "")
            if type(text) is not str or type(thinking) is not str or "<" in text or not (text or thinking):
                break
            if frame["done"] is not False or "error" in frame or "context" in frame:
                break
            texts.append(text)
            thinkings.append(thinking)
    except (TypeError, KeyError, AttributeError):
        pass  # not what it should be
    return texts, thinkings


def read(ns: int, frame: dict[str, Any]) -> Chunk:
    """One line: `response`, `thinking`, and the numbers when it is done. Empty lines (tag tokens) carry no output."""
    if "response" not in frame and "done" in frame and type(frame.get("message")) is dict:
        return ollama_chat.read(ns, frame)
    chunk = ollama.chunk(ns, frame, frame.get("response") or "", frame.get("thinking") or "")
    context = frame.get("context")
    return chunk._replace(context=tuple(context)) if context and _token_ids(context) else chunk


def _token_ids(context: object) -> bool:
    """Is it a list of whole numbers, which may be handed back?"""
    return isinstance(context, list) and set(map(type, context)) == {int} and max(map(abs, context)) < 2**63
