"""One line of a corpus: from bytes to a Prompt, or to what is wrong with it."""

from collections.abc import Mapping
from typing import NoReturn

import orjson

from payloads.prompt import ROLES, Message, Prompt
from payloads.wording import nearest, shown

FIELDS = ("id", "prompt", "system", "messages", "max_tokens", "options", "format", "tags", "weight")
MAX_WEIGHT = 1e9  # Weights are added up; a sum that overflows would leave nothing to choose.

# Taken for options, these would be overruled without a word, or break the request.
NOT_OPTIONS = {
    "num_predict": "set max_tokens beside options",
    "max_tokens": "set max_tokens beside options",
    "max_completion_tokens": "set max_tokens beside options",
    "format": "set format beside options",
    "response_format": "set format beside options",
    "model": "the run sets it",
    "stream": "the run sets it",
    "stream_options": "the run sets it",
    "messages": "put it beside options",
    "prompt": "put it beside options",
}


def read_line(line: bytes, default_id: str) -> Prompt:
    """The Prompt that one line holds; a field that is null counts as absent.

    Raises ValueError: what is wrong, and what to do.
    """
    try:
        text = line.decode()
    except UnicodeDecodeError as error:
        raise ValueError(f"not UTF-8 at byte {error.start + 1} of the line; save the file as UTF-8") from None
    try:
        fields = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        wrong = error.msg.partition(": line ")[0]
        raise ValueError(f"not JSON: {wrong} (column {error.colno}); write one JSON object a line") from None
    if not isinstance(fields, dict):
        raise ValueError(f'{shown(fields)} is not an object; write {{"prompt": "…"}} or {{"messages": […]}}')
    _known(fields, FIELDS, "field")
    fields = {name: value for name, value in fields.items() if value is not None}
    return Prompt(
        id=_text(fields.get("id", default_id), "id"),
        messages=_messages(fields),
        max_tokens=_max_tokens(fields.get("max_tokens")),
        options=_options(fields.get("options", {})),
        format=_format(fields.get("format")),
        tags=_tags(fields.get("tags", [])),
        weight=_weight(fields.get("weight", 1)),
    )


def _wrong(name: str, value: object, right: str) -> NoReturn:
    raise ValueError(f"{name} is {shown(value)}; {right}")


def _known(given: Mapping[str, object], names: tuple[str, ...], what: str) -> None:
    for name in given:
        if name not in names:
            hint = nearest(name, names) or f"; use {', '.join(names)}"
            raise ValueError(f"unknown {what} {shown(name)}{hint}")


def _text(value: object, name: str) -> str:
    if not isinstance(value, str):
        _wrong(name, value, "put a text in quotes")
    if not value.strip():
        raise ValueError(f"{name} is empty; write it, or leave the field out")
    return value


def _messages(fields: Mapping[str, object]) -> tuple[Message, ...]:
    if "messages" not in fields:
        if "prompt" not in fields:
            raise ValueError("neither prompt nor messages; give one of them")
        asked = (Message("user", _text(fields["prompt"], "prompt")),)
        return (Message("system", _text(fields["system"], "system")), *asked) if "system" in fields else asked
    for other in ("prompt", "system"):
        if other in fields:
            raise ValueError(f"both {other} and messages; put the {other} into messages")
    given = fields["messages"]
    if not isinstance(given, list):
        _wrong("messages", given, 'make it a list of {"role": …, "content": …}')
    if not given:
        raise ValueError("messages is empty; give at least one message")
    messages = tuple(_message(message, f"messages[{at}]") for at, message in enumerate(given))
    # Ollama answers an empty prompt by loading the model: a request without a token, which would spoil the numbers.
    if not any(message.content.strip() for message in messages if message.role != "system"):
        raise ValueError("messages ask nothing; give a user message with some content")
    return messages


def _message(message: object, name: str) -> Message:
    if not isinstance(message, dict):
        _wrong(name, message, 'make it {"role": …, "content": …}')
    _known(message, ("role", "content"), f"field of {name}")
    for part in ("role", "content"):
        if part not in message:
            raise ValueError(f"{name} has no {part}; add it")
    role, content = message["role"], message["content"]
    if role not in ROLES:
        _wrong(f"{name}.role", role, f"use {', '.join(ROLES)}")
    if not isinstance(content, str):
        _wrong(f"{name}.content", content, "put a text in quotes")
    return Message(role, content)


def _max_tokens(value: object) -> int | None:
    # bool is an int to Python, not to a user.
    if value is not None and (isinstance(value, bool) or not isinstance(value, int) or value < 1):
        _wrong("max_tokens", value, "make it a whole number above 0, or leave it out for the run's --max-tokens")
    return value


def _options(value: object) -> Mapping[str, object]:
    if not isinstance(value, dict):
        _wrong("options", value, 'make it an object, such as {"temperature": 0}')
    for name in value:
        if name in NOT_OPTIONS:
            raise ValueError(f"options holds {name}, which is no sampling option; {NOT_OPTIONS[name]}")
    return value


def _format(value: object) -> object | None:
    if value is not None and value != "json" and not isinstance(value, dict):
        _wrong("format", value, 'use "json" or a JSON schema')
    return value


def _tags(value: object) -> tuple[str, ...]:
    if not isinstance(value, list):
        _wrong("tags", value, 'make it a list of texts, such as ["chat", "en"]')
    return tuple(_text(tag, f"tags[{at}]") for at, tag in enumerate(value))


def _weight(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value <= MAX_WEIGHT:
        _wrong("weight", value, f"make it a number above 0, at most {MAX_WEIGHT:g}")
    return float(value)
