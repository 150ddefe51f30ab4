"""Ollama's /api/chat: NDJSON lines with a `message`."""

from typing import Any

from payloads.prompt import Prompt
from wire import ollama
from wire.values import Ask, Call, Chunk

PATH = "/api/chat"
done_by_sentinel = False


def build(prompt: Prompt, ask: Ask) -> Call:
    """The request for a prompt: its messages as they are."""
    messages = [{"role": message.role, "content": message.content} for message in prompt.messages]
    return ollama.call(PATH, prompt, ask, {"messages": messages})


def read(ns: int, frame: dict[str, Any]) -> Chunk:
    """One line: `message.content`, `message.thinking`, `message.tool_calls`, and the numbers when it is done."""
    message = frame.get("message") or {}
    calls = tuple(ollama.tool_call(n, said) for n, said in enumerate(message.get("tool_calls") or ()))
    return ollama.chunk(ns, frame, message.get("content") or "", message.get("thinking") or "", calls)
