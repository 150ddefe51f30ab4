"""OpenAI's /v1/chat/completions: SSE chunks with a `delta`, or one `message`."""

from collections.abc import Mapping, Sequence
from typing import Any

import orjson

from tokenswarm.payloads.prompt import Message, Prompt
from tokenswarm.wire import images, lenient, openai
from tokenswarm.wire.values import Ask, Call, Chunk, ToolCall

PATH = "/v1/chat/completions"
done_by_sentinel = True
# What others call thinking: OpenRouter, gateways to Anthropic, some engines.
_THOUGHTS = ("reasoning_details", "thinking", "thinking_blocks", "reasoning_text", "thinking_content", "thought")

_USUAL = frozenset(("index", "delta", "finish_reason", "logprobs"))
_USUAL_SAID = frozenset(("role", "content"))


def build(prompt: Prompt, ask: Ask) -> Call:
    """The request for a prompt: its messages as they are, and the tools on offer; `think` as `reasoning_effort`."""
    asked: dict[str, Any] = {"messages": [_message(message) for message in prompt.messages]}
    if prompt.tools:
        asked["tools"] = prompt.tools
    if ask.think is not None:
        asked["reasoning_effort"] = openai.effort(ask.think)
    return openai.call(PATH, prompt, ask, asked)


def _message(message: Message) -> dict[str, Any]:
    """A message; what the model thought before is left out, since each server has another name for it, or none."""
    said: dict[str, Any] = {"role": message.role, "content": message.content}
    if message.images:
        parts = [{"type": "image_url", "image_url": {"url": images.url(image)}} for image in message.images]
        said["content"] = [{"type": "text", "text": message.content}, *parts] if message.content else parts
    if message.tool_calls:
        said["tool_calls"] = [_tool_call(place, call) for place, call in enumerate(message.tool_calls)]
    if message.tool_call_id:
        said["tool_call_id"] = message.tool_call_id
    elif message.tool_name:
        said["name"] = message.tool_name
    return said


def _tool_call(place: int, call: Mapping[str, object]) -> dict[str, Any]:
    arguments = call.get("arguments") or {}
    text = arguments if isinstance(arguments, str) else orjson.dumps(arguments).decode()
    function = {"name": call["name"], "arguments": text}
    return {"id": call.get("id") or f"call_{place}", "type": "function", "function": function}


def plain(frames: Sequence[Any]) -> tuple[list[str], list[str]]:
    """See `wire.stretch`."""
    texts: list[str] = []
    thinkings: list[str] = []
    try:
        for frame in frames:
            (choice,) = frame["choices"]
            said = choice["delta"]
            text, thinking = said.get("content") or "", said.get("reasoning") or said.get("reasoning_content") or ""
            if type(text) is not str or type(thinking) is not str or "<" in text or not (text or thinking):
                break
            if said.get("tool_calls") or not openai.is_plain(frame, choice):
                break
            texts.append(text)
            thinkings.append(thinking)
    except (TypeError, ValueError, KeyError, AttributeError):
        pass  # not what it should be
    return texts, thinkings


def read(ns: int, frame: dict[str, Any]) -> Chunk:
    """One event. Thinking is `reasoning` (Ollama, newer vLLM) or `reasoning_content` (llama.cpp, SGLang)."""
    choice = openai.choice(frame)
    reason = choice.get("finish_reason")
    ends = reason or not choice  # where errors and counts may stand in other places, too
    if (ends or frame.get("error") or choice.get("error")) and (failed := openai.error(ns, frame, choice)):
        return failed
    said, whole = choice.get("delta"), False
    if not said:
        said = choice.get("message") or {}
        whole = bool(said)
    if type(said) is not dict:
        said = {"content": said}
    text = said.get("content") or ""
    thinking = said.get("reasoning") or said.get("reasoning_content") or ""
    if type(text) is not str or type(thinking) is not str:
        text, thinking = lenient.text_and_thinking([text, {"thinking": thinking}])
    calls = said.get("tool_calls")
    calls, unread = lenient.tool_calls(calls) if calls else (), False
    if choice and not text and not thinking and not calls and _is_odd(frame, choice, said):
        if said.get("error") and (failed := openai.error(ns, said)):
            return failed
        text, thinking, calls, unread = _by_other_names(said, choice)
        reason = reason or _reason_elsewhere(frame, choice, said)
    return Chunk(
        ns,
        text,
        thinking,
        calls,
        reason if reason is None else openai.finish_reason(reason),
        openai.usage(frame, choice) if ends or openai.counts(frame) else None,
        whole=whole,
        unread=unread,
        choice=openai.number(choice),
        habit=choice.get("habit", ""),
    )


def _is_odd(frame: dict[str, Any], choice: dict[str, Any], said: dict[str, Any]) -> bool:
    """Is there more in a choice without output than in those with which most servers begin and end?"""
    usual = _USUAL.issuperset(choice) and _USUAL_SAID.issuperset(said)
    return not usual or ("finish_reason" in frame and not choice.get("finish_reason"))


def _by_other_names(said: dict[str, Any], choice: dict[str, Any]) -> tuple[str, str, tuple[ToolCall, ...], bool]:
    """Text, thinking and tool calls where the usual names hold none of them; and is there anything else?

    Some have them in the choice itself, as /v1/completions has its text; spoken words have a transcript.
    """
    spoken = lenient.as_mapping(said.get("audio")).get("transcript")
    text, thinking = lenient.text_and_thinking([said.get("refusal"), spoken, choice.get("text"), choice.get("content")])
    thoughts = [*map(said.get, _THOUGHTS), choice.get("reasoning_content")]
    thinking += lenient.text_and_thinking([{"thinking": thoughts}])[1]
    called = said.get("function_call") or choice.get("tool_calls")
    calls = lenient.tool_calls(called) if called else ()
    holds = said or (choice if "delta" not in choice and "message" not in choice else {})
    return text, thinking, calls, not text and not thinking and not calls and lenient.unread(holds)


def _reason_elsewhere(frame: dict[str, Any], choice: dict[str, Any], said: dict[str, Any]) -> object:
    """The finish reason where it has another name, or stands beside the choice or in its delta."""
    named = (choice.get(name) for name in ("finishReason", "stop_reason", "native_finish_reason"))
    return next(filter(None, (said.get("finish_reason"), *named, frame.get("finish_reason"))), None)
