"""Our own format: one object a line, {"prompt": "…"} or {"messages": […]}, to a Prompt or what is wrong with it."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import orjson

from tokenswarm.payloads import request_fields
from tokenswarm.payloads.formats.lengths import OUTPUT, output_tokens, prompt_tokens
from tokenswarm.payloads.formats.messages import check_names, conversation, images, text, wrong
from tokenswarm.payloads.formats.tools import read as read_tools
from tokenswarm.payloads.formats.turns import read_turns
from tokenswarm.payloads.made_up import NOT_MADE
from tokenswarm.payloads.prompt import Message, Prompt, Turn
from tokenswarm.payloads.recipe import Recipe

# What any prompt may have beside what it asks.
BESIDE = ("max_tokens", "options", "format", "tags", "weight", "fields", "tools", "tool_results", "expect", *OUTPUT[1:])
FIELDS = ("id", "prompt", "system", "messages", "prompt_tokens", "images", "inputs", "then", "turns", *BESIDE)
# Request fields that may stand beside them or in `fields`; which APIs take them is checked before the run.
OPTIONS = {field.name for field in request_fields.FIELDS if field.place == "options"}
TAKEN = {
    field.name
    for field in request_fields.FIELDS
    # Of the agents' APIs, or LM Studio's, alone are words such as "text", which mean something else in other files.
    if field.place == "body" and not field.by and not {*field.paths} <= {*request_fields.AGENTS, request_fields.LM_CHAT}
}
REQUEST = tuple(sorted(TAKEN - OPTIONS - {*FIELDS, "response_format"}))
SUCH_FIELDS = 'such as {"keep_alive": "10m"}'
MAX_WEIGHT = 1e9  # Weights are added up; a sum that overflows would leave nothing to choose.

# Taken for options, these would be overruled without a word, or break the request.
NOT_OPTIONS = {
    "num_predict": "set max_tokens beside options",
    "max_tokens": "set max_tokens beside options",
    "max_completion_tokens": "set max_tokens beside options",
    "max_output_tokens": "set max_tokens beside options",
    "format": "set format beside options",
    "response_format": "set format beside options",
    "model": "the run sets it",
    "stream": "the run sets it",
    "stream_options": "the run sets it",
    "messages": "put it beside options",
    "prompt": "put it beside options",
}


def decode(line: bytes) -> object:
    """What one line of JSON holds. Raises ValueError: what is wrong, and what to do."""
    try:
        return orjson.loads(line)
    except orjson.JSONDecodeError:
        pass  # once more, for what is to be said of it
    try:
        said = line.decode()
    except UnicodeDecodeError as error:
        raise ValueError(f"not UTF-8 at byte {error.start + 1} of the line; save the file as UTF-8") from None
    try:
        return orjson.loads(said)
    except orjson.JSONDecodeError as error:
        what = error.msg.partition(": line ")[0]
        raise ValueError(f"not JSON: {what} (column {error.colno}); write one JSON object a line") from None


def read(fields: Mapping[str, object], default_id: str, folder: Path) -> Prompt:
    """The Prompt of an object in our own format; a field that is null counts as absent.

    Files of images are relative to `folder`. Raises ValueError: what is wrong, and what to do.
    """
    check_names(fields, FIELDS, "field", REQUEST)
    fields = {name: value for name, value in fields.items() if value is not None}
    request = {name: fields[name] for name in REQUEST if name in fields}
    fields = {**fields, "fields": {**_object(fields.get("fields", {}), "fields", SUCH_FIELDS), **request}}
    prompt = assemble(fields, default_id, _messages(fields, folder), then(fields, folder), _inputs(fields))
    length = fields.get("prompt_tokens")
    return prompt if length is None else replace(prompt, recipe=Recipe(prompt_tokens(length)))


def then(fields: Mapping[str, object], folder: Path) -> tuple[Turn, ...]:
    """The turns after the first, under `then` or `turns`. Raises ValueError."""
    name = next((name for name in ("then", "turns") if name in fields), None)
    return read_turns(fields[name], name, folder) if name else ()


def assemble(
    fields: Mapping[str, object],
    default_id: str,
    messages: tuple[Message, ...],
    turns: tuple[Turn, ...] = (),
    inputs: tuple[str, ...] = (),
) -> Prompt:
    """A Prompt of what it asks and of what a line holds beside. Raises ValueError."""
    return Prompt(
        id=nonempty_text(fields.get("id", default_id), "id"),
        messages=messages,
        max_tokens=output_tokens(fields),
        options=_options(fields.get("options", {})),
        format=_format(fields.get("format")),
        tags=_tags(fields.get("tags", [])),
        weight=_weight(fields.get("weight", 1)),
        fields=_object(fields.get("fields", {}), "fields", SUCH_FIELDS),
        tools=read_tools(fields["tools"]) if "tools" in fields else (),
        tool_results=_object(fields.get("tool_results", {}), "tool_results", "a result by the tool's name"),
        inputs=inputs,
        then=turns,
        expect=_object(fields.get("expect", {}), "expect", 'such as {"contains": "…"}'),
    )


def nonempty_text(value: object, name: str) -> str:
    """A text that is not empty. Raises ValueError."""
    if not text(value, name).strip():
        raise ValueError(f"{name} is empty; write it, or leave the field out")
    return text(value, name)


def _messages(fields: Mapping[str, object], folder: Path) -> tuple[Message, ...]:
    if "messages" in fields:
        for other in ("prompt", "system", "images", "prompt_tokens"):
            if other in fields:
                raise ValueError(f"both {other} and messages; put the {other} into messages")
        return conversation(fields["messages"], folder, strict=True, answered=True)
    if "prompt_tokens" in fields:
        if "prompt" in fields:
            raise ValueError("both prompt and prompt_tokens, which makes one up; keep one of them")
        said = NOT_MADE
    elif "prompt" in fields:
        said = nonempty_text(fields["prompt"], "prompt")
    elif "inputs" in fields:
        said = "\n\n".join(_inputs(fields))
    else:
        raise ValueError("neither prompt nor messages; give one of them")
    asked = Message("user", said, images(fields.get("images"), "images", folder))
    return (Message("system", nonempty_text(fields["system"], "system")), asked) if "system" in fields else (asked,)


def _inputs(fields: Mapping[str, object]) -> tuple[str, ...]:
    value = fields.get("inputs", [])
    if not isinstance(value, list) or ("inputs" in fields and not value):
        wrong("inputs", value, "make it a list of texts to embed")
    return tuple(nonempty_text(one, f"inputs[{at}]") for at, one in enumerate(value))


def _object(value: object, name: str, such: str) -> Mapping[str, object]:
    if not isinstance(value, dict):
        wrong(name, value, f"make it an object, {such}")
    return value


def _options(value: object) -> Mapping[str, object]:
    options = _object(value, "options", 'such as {"temperature": 0}')
    for name in options:
        if name in NOT_OPTIONS:
            raise ValueError(f"options holds {name}, which is no sampling option; {NOT_OPTIONS[name]}")
    return options


def _format(value: object) -> object | None:
    if value is not None and value != "json" and not isinstance(value, dict):
        wrong("format", value, 'use "json" or a JSON schema')
    return value


def _tags(value: object) -> tuple[str, ...]:
    if not isinstance(value, list):
        wrong("tags", value, 'make it a list of texts, such as ["chat", "en"]')
    return tuple(nonempty_text(tag, f"tags[{at}]") for at, tag in enumerate(value))


def _weight(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value <= MAX_WEIGHT:
        wrong("weight", value, f"make it a number above 0, at most {MAX_WEIGHT:g}")
    return float(value)
