"""OpenAI's /v1/chat/completions: SSE chunks with a `delta`, or one `message`."""

from typing import Any

from payloads.prompt import Prompt
from wire import openai
from wire.numbers import count
from wire.values import Ask, Call, Chunk, ToolCall

PATH = "/v1/chat/completions"
done_by_sentinel = True


def build(prompt: Prompt, ask: Ask) -> Call:
    """The request for a prompt: its messages as they are."""
    asked: dict[str, Any] = {
        "messages": [{"role": message.role, "content": message.content} for message in prompt.messages]
    }
    if ask.think is not None:
        asked["reasoning_effort"] = openai.effort(ask.think)
    return openai.call(PATH, prompt, ask, asked)


def read(ns: int, frame: dict[str, Any]) -> Chunk:
    """One event. Thinking is `reasoning` (Ollama, newer vLLM) or `reasoning_content` (llama.cpp, SGLang)."""
    if failed := openai.error(ns, frame):
        return failed
    choice = openai.choice(frame)
    said: dict[str, Any] = choice.get("delta") or choice.get("message") or {}
    text = said.get("content") or ""
    thinking = said.get("reasoning") or said.get("reasoning_content") or ""
    if not isinstance(text, str) or not isinstance(thinking, str):
        raise TypeError("content is not a text")
    calls = tuple(_tool_call(position, piece) for position, piece in enumerate(said.get("tool_calls") or ()))
    return Chunk(ns, text, thinking, calls, choice.get("finish_reason"), openai.usage(frame))


def _tool_call(position: int, piece: dict[str, Any]) -> ToolCall:
    function: dict[str, Any] = piece.get("function") or {}
    place = count("index", piece.get("index", position))
    return ToolCall(place, piece.get("id") or "", function.get("name") or "", function.get("arguments"))
