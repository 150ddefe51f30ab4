"""What a server put where its API has something else: read where it can be known what is meant, else as if absent.

These are asked only where the plain reading finds another type than the API's own.
"""

import re
from collections.abc import Iterator
from typing import Any

import orjson

from tokenswarm.wire.numbers import count
from tokenswarm.wire.values import ToolCall

_MOST_LABEL = 100  # characters of a label such as a finish reason
_MOST_PIECES = 10_000  # in one frame
_DEEPEST = 20  # lists in lists of pieces; no server nests them more than three deep
_LABELS = ("type", "reason", "finish_reason", "name", "value", "code", "message")
_TEXTS = ("text", "content", "output_text", "refusal", "value", "parts")
_THOUGHTS = ("thinking", "reasoning", "reasoning_content", "thought", "summary")

# Names that stand beside what a model said, and say nothing of it.
_ASIDE = frozenset(
    re.findall(
        r"\w+",
        "role name id index type object finish_reason stop_reason native_finish_reason matched_stop logprobs usage"
        " content text annotations citations provider_specific_fields obfuscation padding channel token_ids"
        " prompt_token_ids prompt_logprobs signature thinking_signature content_filter_results content_filter_result"
        " content_filter_offsets finishReason"
        " tool_name habit error",
    )
)


def as_mapping(value: object) -> dict[str, Any]:
    """An object, or an empty one in place of anything else."""
    return value if isinstance(value, dict) else {}


def first(value: object) -> dict[str, Any]:
    """The first object of a list, an object itself, or an empty one."""
    if isinstance(value, list):
        return next((inner for inner in value if isinstance(inner, dict)), {})
    return as_mapping(value)


def yes(value: object) -> bool:
    """true, also as a text or a number."""
    return value.strip().lower() in ("true", "1") if isinstance(value, str) else value is True or value == 1


def unread(value: dict[str, Any]) -> bool:
    """Is there a text, a list or an object in it under a name that nobody here knows?"""
    return any(inner and name not in _ASIDE and isinstance(inner, str | list | dict) for name, inner in value.items())


def label(value: object) -> str | None:
    """A word such as a finish reason: a text, or what names it in an object ({"type": "stop"}, as SGLang's engine has
    it) or a list; of anything else its JSON. None for nothing, false and 0.
    """
    for _ in range(_DEEPEST):
        if isinstance(value, str) or not value:
            break
        if isinstance(value, list):
            value = value[0]
        elif isinstance(value, dict) and (inner := next((value[key] for key in _LABELS if value.get(key)), None)):
            value = inner
        else:
            value = _json(value)
    return " ".join(_text(value).split())[:_MOST_LABEL] or None if value else None


def text_and_thinking(value: object) -> tuple[str, str]:
    """(text, thinking) of content that is no text: a list of pieces such as {"type": "thinking", …}, or of texts."""
    text: list[str] = []
    thinking: list[str] = []
    for number, (piece, thought) in enumerate(_pieces(value, False, _DEEPEST)):
        if number == _MOST_PIECES:
            raise ValueError(f"more than {_MOST_PIECES:,} pieces of text")
        (thinking if thought else text).append(piece)
    return "".join(text), "".join(thinking)


def _pieces(value: object, thought: bool, levels: int) -> Iterator[tuple[str, bool]]:
    if isinstance(value, str):
        yield value, thought
    elif isinstance(value, list) and levels:
        for inner in value:
            yield from _pieces(inner, thought, levels - 1)
    elif isinstance(value, dict) and levels:
        kind = value.get("type")
        thought = thought or kind in ("thinking", "reasoning", "thought") or value.get("thought") is True
        for names, of_thoughts in ((_TEXTS, thought), (_THOUGHTS, True)):
            inner = next((value[name] for name in names if value.get(name)), None)
            if inner is not True:
                yield from _pieces(inner, of_thoughts, levels - 1)
    elif value is not None and not isinstance(value, bool | list | dict):
        yield _json(value), thought


def tool_calls(value: object) -> tuple[ToolCall, ...]:
    """The tool calls, or pieces of them, of one frame; `place` is None where a lone one does not say it."""
    pieces = value if isinstance(value, list) else [value]
    if len(pieces) > _MOST_PIECES:
        raise ValueError(f"more than {_MOST_PIECES:,} tool calls")
    positions = range(len(pieces)) if len(pieces) > 1 else (None,)
    found = (_tool_call(piece, position) for piece, position in zip(pieces, positions, strict=False))
    return tuple(call for call in found if call)


def _tool_call(piece: object, position: int | None) -> ToolCall | None:
    if not isinstance(piece, dict):
        return None
    function = piece.get("function")
    inner = function if isinstance(function, dict) else as_mapping(piece.get("custom")) or piece
    name = function if isinstance(function, str) else inner.get("name")
    arguments = inner.get("arguments")
    if arguments is None and name:  # of a custom tool, and as Cohere and Anthropic call them
        arguments = inner.get("input") or inner.get("parameters")
    index = piece.get("index")
    place = count(inner.get("index") if index is None else index)
    call = ToolCall(position if place is None else place, _text(piece.get("id")), _text(name), arguments)
    return call if call.id or call.name or arguments is not None else None


def _text(value: object) -> str:
    return value if isinstance(value, str) else "" if value is None or value is False else _json(value)


def _json(value: object) -> str:
    try:
        return orjson.dumps(value).decode()
    except orjson.JSONEncodeError:  # whole numbers beyond 64 bits
        return str(value)
