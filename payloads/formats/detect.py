"""Which of many formats a payload's object is in, by its keys, and what it asks: the first match wins."""

import difflib
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

from tokenswarm.payloads.formats import own as line
from tokenswarm.payloads.formats.bodies import bodies, body
from tokenswarm.payloads.formats.lengths import OUTPUT, TRACE_INPUT, TRACE_OUTPUT, recipe_and_limit
from tokenswarm.payloads.formats.messages import conversation, images, text, wrong
from tokenswarm.payloads.formats.tools import leaderboard
from tokenswarm.payloads.formats.turns import asked_turns, read_turns
from tokenswarm.payloads.made_up import NOT_MADE
from tokenswarm.payloads.prompt import Message, Prompt, Turn
from tokenswarm.payloads.wording import nearest, quote

Fields = Mapping[str, object]
Reader = Callable[[Fields, str, Path], Prompt | None]

IDS = ("id", "custom_id", "question_id", "session_id", "conversation_id")
QUESTIONS = ("text", "texts", "question", "instruction", "input")
# Our own fields that other formats' lines may have too, where the value is of a kind that we take.
SHARED: dict[str, type | tuple[type, ...]] = {
    "options": dict, "format": dict, "tags": list, "weight": (int, float), "fields": dict, "tools": list,
    "tool_results": dict, "expect": dict,
}  # fmt: skip


def read(value: object, default_id: str, folder: Path) -> Prompt | None:
    """The Prompt of one object or bare array of messages; None where a conversation holds no question.

    Raises ValueError: what is wrong, and what to do.
    """
    if isinstance(value, list):
        return Prompt(default_id, conversation(value, folder))
    if not isinstance(value, dict):
        raise ValueError(f'{quote(value)} is not an object; write {{"prompt": "…"}} or {{"messages": […]}}')
    there = {name: one for name, one in value.items() if one is not None}
    for fits, reader in FORMATS:
        if fits(there):
            return reader(there, default_id, folder)
    for name in there:
        if name not in line.FIELDS and (hint := nearest(name, sorted(KNOWN))):
            raise ValueError(f"unknown field {quote(name)}{hint}")
    return line.read(value, default_id, folder)  # which says what is missing


def known_cells(row: Fields) -> Fields:
    """The cells of a table's row that mean something to us. Raises ValueError on a name that is all but one of ours."""
    for name in row:
        if name not in KNOWN and (close := difflib.get_close_matches(name, KNOWN, n=1, cutoff=0.9)):
            raise ValueError(f"unknown column {quote(name)}; did you mean {close[0]}?")
    ours = {"prompt", "messages"} & row.keys() or ("prompt_tokens" in row and not {*QUESTIONS} & row.keys())
    return {name: value for name, value in row.items() if name in (line.FIELDS if ours else KNOWN)}


def _batch(fields: Fields, default_id: str, folder: Path) -> Prompt:
    return body(fields["body"], "body", _id(fields, default_id), folder)


def _payload(fields: Fields, default_id: str, folder: Path) -> Prompt:
    return body(fields["payload"], "payload", _id(fields, default_id), folder)


def _payloads(fields: Fields, default_id: str, folder: Path) -> Prompt:
    return bodies(fields["payloads"], _id(fields, default_id), folder)


def _bare_body(fields: Fields, default_id: str, folder: Path) -> Prompt:
    return body(fields, "the line", default_id, folder)


def _conversations(fields: Fields, default_id: str, folder: Path) -> Prompt | None:
    name = "conversations" if "conversations" in fields else "conversation"
    return _prompt_of(fields, default_id, read_turns(fields[name], name, folder), folder)


def _turns(fields: Fields, default_id: str, folder: Path) -> Prompt | None:
    return _prompt_of(fields, default_id, read_turns(fields["turns"], "turns", folder), folder)


def _leaderboard(fields: Fields, default_id: str, folder: Path) -> Prompt | None:
    """BFCL: a list of turns, each a list of messages, and functions for tools."""
    given = fields["question"]
    rounds = [one if isinstance(one, list) else [one] for one in given] if isinstance(given, list) else []
    turns = asked_turns(Turn(conversation(one, folder)) for one in rounds if one)
    tools = leaderboard(fields["function"]) if "function" in fields else ()
    return _prompt_of({**fields, "tools": list(tools)}, default_id, turns, folder)


def _prompt_of(fields: Fields, default_id: str, turns: tuple[Turn, ...], folder: Path) -> Prompt | None:
    if not turns:
        return None
    first, *then = turns
    beside = _beside(fields, default_id)
    if first.max_tokens is not None:
        beside["max_tokens"] = first.max_tokens
    return line.assemble(beside, default_id, _system(fields) + first.messages, tuple(then))


def _question(fields: Fields, default_id: str, folder: Path) -> Prompt:
    """The first of the keys that ask, and Alpaca's `input` below its `instruction`."""
    name = next(name for name in QUESTIONS if name in fields)
    given = fields[name]
    if not isinstance(given, str | list):
        wrong(name, given, "put a text in quotes")
    texts = tuple(text(one, name) for one in (given if isinstance(given, list) else [given]))
    more = fields.get("input", "") if name == "instruction" else ""
    said = line.nonempty_text("\n\n".join([*texts, *([text(more, "input")] if more else [])]), name)
    seen = images(fields.get("images", fields.get("image")), "images", folder)
    inputs = texts if name == "input" else ()
    asked = (*_system(fields), Message("user", said, seen))
    return line.assemble(_beside(fields, default_id), default_id, asked, line.then(fields, folder), inputs)


def _trace(fields: Fields, default_id: str, folder: Path) -> Prompt:
    """A row of a trace: a prompt to be made up, of the length that it tells, and of the blocks that it shares."""
    recipe, limit = recipe_and_limit(fields)
    beside = {"id": _id(fields, default_id), "max_tokens": limit}
    return replace(line.assemble(beside, default_id, (Message("user", NOT_MADE),)), recipe=recipe)


def _system(fields: Fields) -> tuple[Message, ...]:
    said = fields.get("system")
    return (Message("system", said),) if isinstance(said, str) and said.strip() else ()


def _beside(fields: Fields, default_id: str) -> dict[str, object]:
    """What a foreign line has of our own fields; its other keys are its own affair."""
    lengths = {name: fields[name] for name in OUTPUT if name in fields}
    shared = {name: fields[name] for name, kind in SHARED.items() if isinstance(fields.get(name), kind)}
    return {**lengths, **shared, "id": _id(fields, default_id)}


def _id(fields: Fields, default_id: str) -> str:
    return next((str(fields[name]) for name in IDS if isinstance(fields.get(name), str | int)), "") or default_id


def _has(*names: str) -> Callable[[Fields], bool]:
    return lambda fields: any(name in fields for name in names)


FORMATS: tuple[tuple[Callable[[Fields], bool], Reader], ...] = (
    (lambda fields: isinstance(fields.get("body"), dict), _batch),
    (_has("payload"), _payload),
    (_has("payloads"), _payloads),
    (lambda fields: "model" in fields and any(name in fields for name in ("messages", "prompt", "input")), _bare_body),
    (_has("messages"), line.read),
    (_has("conversations", "conversation"), _conversations),
    (lambda fields: "turns" in fields and "prompt" not in fields, _turns),
    (lambda fields: isinstance(fields.get("question"), list), _leaderboard),
    (_has("prompt", "inputs"), line.read),
    (_has(*QUESTIONS), _question),
    (_has("prompt_tokens"), line.read),
    (lambda fields: bool({*TRACE_INPUT} & fields.keys() and {*TRACE_OUTPUT} & fields.keys()), _trace),
)
OTHERS = ("image", "body", "payload", "payloads", "conversations", "turns", "function", "hash_ids")
KNOWN = {*line.FIELDS, *IDS, *QUESTIONS, *TRACE_INPUT, *TRACE_OUTPUT, *OTHERS}
