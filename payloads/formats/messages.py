"""Messages as OpenAI's and Ollama's APIs write them: content parts, images, tool calls and their results."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import NoReturn

import orjson

from tokenswarm.payloads.formats.images import encode
from tokenswarm.payloads.prompt import ROLES, Message
from tokenswarm.payloads.wording import nearest, quote

FIELDS = ("role", "content", "images", "tool_calls", "thinking", "tool_name", "tool_call_id", "name")
# What other files call our roles.
OTHER_ROLES = {
    **dict.fromkeys(("developer",), "system"),
    **dict.fromkeys(("human", "prompter"), "user"),
    **dict.fromkeys(("gpt", "chatgpt", "bing", "bard", "claude", "palm", "bot", "model", "ai"), "assistant"),
    **dict.fromkeys(("function_call", "tool_call"), "assistant"),
    **dict.fromkeys(("function", "observation", "function_response", "tool_response"), "tool"),
}
PARTS = ("text", "input_text", "output_text", "image_url", "input_image")


def wrong(name: str, value: object, right: str) -> NoReturn:
    """Say that a value cannot stay as it is, and what to do."""
    raise ValueError(f"{name} is {quote(value)}; {right}")


def check_names(given: Iterable[str], names: Sequence[str], what: str, rarer: Sequence[str] = ()) -> None:
    """Refuse a name that is none of these, nor of the rarer ones, which are not all told. Raises ValueError."""
    for name in given:
        if name not in names and name not in rarer:
            hint = nearest(name, [*names, *rarer]) or f"; use {', '.join(names)}"
            raise ValueError(f"unknown {what} {quote(name)}{hint}")


def conversation(given: object, folder: Path, *, strict: bool = False, answered: bool = False) -> tuple[Message, ...]:
    """The messages of a list that asks something. Raises ValueError; strict: also on unknown fields.

    `answered`: the answer that it may end in, as those do that are to be trained by, is left out.
    """
    if not isinstance(given, list):
        wrong("messages", given, 'make it a list of {"role": …, "content": …}')
    if not given:
        raise ValueError("messages is empty; give at least one message")
    messages = tuple(message(one, f"messages[{at}]", folder, strict=strict) for at, one in enumerate(given))
    if answered:
        messages = messages[: max((at for at, one in enumerate(messages, 1) if one.role != "assistant"), default=0)]
    # Ollama answers an empty prompt by loading the model: a request without a token, which would spoil the numbers.
    if not any(one.content.strip() or one.images for one in messages if one.role != "system"):
        raise ValueError("messages ask nothing; give a user message with some content")
    return messages


def message(given: object, name: str, folder: Path, *, strict: bool = False) -> Message:
    """One message. Raises ValueError."""
    if not isinstance(given, dict):
        wrong(name, given, 'make it {"role": …, "content": …}')
    if strict:
        check_names(given, FIELDS, f"field of {name}")
    given = {field: value for field, value in given.items() if value is not None}
    if "role" not in given:
        raise ValueError(f"{name} has no role; add it")
    said = role(given["role"], f"{name}.role")
    called = given.get("tool_calls", [])
    if not isinstance(called, list):
        wrong(f"{name}.tool_calls", called, "make it a list")
    calls = tuple(call(one, f"{name}.tool_calls[{at}]") for at, one in enumerate(called))
    if "content" not in given and not calls and "images" not in given:
        raise ValueError(f"{name} has no content; add it")
    content, seen = _content(given.get("content", ""), f"{name}.content", folder)
    thinking = given.get("thinking") or given.get("reasoning") or given.get("reasoning_content") or ""
    return Message(
        said,
        content,
        (*seen, *images(given.get("images"), f"{name}.images", folder)),
        calls,
        text(thinking, f"{name}.thinking"),
        text(given.get("tool_name") or (given.get("name", "") if said == "tool" else ""), f"{name}.tool_name"),
        text(given.get("tool_call_id", ""), f"{name}.tool_call_id"),
    )


def role(given: object, name: str) -> str:
    """One of our roles, also by the names that other files have for it. Raises ValueError."""
    found = OTHER_ROLES.get(given, given) if isinstance(given, str) else given
    if not isinstance(found, str) or found not in ROLES:
        wrong(name, given, f"use {', '.join(ROLES)}")
    return found


def text(value: object, name: str) -> str:
    """A text, which may be empty. Raises ValueError."""
    if not isinstance(value, str):
        wrong(name, value, "put a text in quotes")
    return value


def images(value: object, name: str, folder: Path) -> tuple[str, ...]:
    """One image or a list of them; none if it is None. Raises ValueError."""
    if value is None:
        return ()
    given = value if isinstance(value, list) else [value]
    return tuple(encode(one, f"{name}[{at}]", folder) for at, one in enumerate(given))


def _content(value: object, name: str, folder: Path) -> tuple[str, tuple[str, ...]]:
    """A text, or OpenAI's parts: their texts, joined by newlines, and their images."""
    if not isinstance(value, list):
        return text(value, name), ()
    texts, seen = [], []
    for at, part in enumerate(value):
        if not isinstance(part, Mapping) or part.get("type") not in PARTS:
            kind = part.get("type") if isinstance(part, Mapping) else part
            wrong(f"{name}[{at}].type", kind, "only parts of the types text and image_url can be sent")
        if "text" in part["type"]:
            texts.append(text(part.get("text"), f"{name}[{at}].text"))
        else:
            seen.append(encode(part.get("image_url"), f"{name}[{at}].image_url", folder))
    return "\n".join(texts), tuple(seen)


def call(given: object, name: str) -> Mapping[str, object]:
    """One call of a tool: its id, its name, its arguments. Raises ValueError."""
    function = given.get("function", given) if isinstance(given, dict) else None
    if not isinstance(given, dict) or not isinstance(function, dict) or not function.get("name"):
        wrong(name, given, 'make it {"function": {"name": …, "arguments": {…}}}')
    arguments = function.get("arguments") or {}
    if isinstance(arguments, str):  # as OpenAI writes them
        try:
            arguments = orjson.loads(arguments)
        except orjson.JSONDecodeError:
            wrong(f"{name}.arguments", arguments, "make it an object, or a text that holds one")
    if not isinstance(arguments, dict):
        wrong(f"{name}.arguments", arguments, "make it an object, or a text that holds one")
    return {"id": text(given.get("id") or "", f"{name}.id"), "name": function["name"], "arguments": arguments}
