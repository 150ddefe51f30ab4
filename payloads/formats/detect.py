"""Which of many formats a payload's object is in, by its keys, and what it asks: the first match wins."""

import difflib
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import lru_cache
from itertools import islice
from pathlib import Path
from string import ascii_uppercase

from tokenswarm.payloads.formats import own as line
from tokenswarm.payloads.formats.bodies import bodies, body
from tokenswarm.payloads.formats.lengths import OUTPUT, TRACE_INPUT, TRACE_OUTPUT, recipe_and_limit
from tokenswarm.payloads.formats.messages import conversation, images, text, wrong
from tokenswarm.payloads.formats.records import TEXTS
from tokenswarm.payloads.formats.tools import leaderboard
from tokenswarm.payloads.formats.turns import asked_turns, read_turns
from tokenswarm.payloads.made_up import NOT_MADE
from tokenswarm.payloads.prompt import Message, Prompt, Turn
from tokenswarm.payloads.wording import nearest, quote

Fields = Mapping[str, object]
Reader = Callable[[Fields, str, Path], Prompt | None]

IDS = ("id", "_id", "custom_id", "question_id", "session_id", "conversation_id")
QUESTIONS = ("text", "texts", "question", "instruction", "text_input", "input")
CONTEXTS = (
    "context",
    "contexts",
    "passage",
    "passages",
    "article",
    "document",
    "documents",
)  # what a question is about, which stands before it
# What a foreign line's prompt was answered with: such a line is none of ours, whatever else it holds.
ANSWERS = ("completion", "response", "chosen", "rejected", "answer", "output", "canonical_solution")
# Our own fields that other formats' lines may have too, where the value is of a kind that we take.
SHARED: dict[str, type | tuple[type, ...]] = {
    "options": dict, "format": dict, "tags": list, "weight": (int, float), "fields": dict, "tools": (list, str),
    "tool_results": dict, "expect": dict,
}  # fmt: skip


def read(value: object, default_id: str, folder: Path) -> Prompt | None:
    """The Prompt of one object or bare array of messages; None where a conversation holds no question.

    Raises ValueError: what is wrong, and what to do.
    """
    if isinstance(value, list):
        return Prompt(default_id, conversation(value, folder, answered=True))
    if not isinstance(value, dict):
        raise ValueError(f'{quote(value)} is not an object; write {{"prompt": "…"}} or {{"messages": […]}}')
    there = {name: one for name, one in value.items() if one is not None}
    for fits, reader in FORMATS:
        if fits(there):
            return reader(there, default_id, folder)
    for name in there:
        if name not in KNOWN and (hint := nearest(name, sorted(KNOWN - {*CONTEXTS}))):
            raise ValueError(f"unknown field {quote(name)}{hint}")
    raise ValueError(no_question(value))


def no_question(fields: Fields) -> str:
    """What is wrong with an object or a row that asks nothing that we know of."""
    found = ", ".join(name if fields[name] is not None else f"{name} (empty)" for name in islice(fields, 20))
    there = f"; there are only {found}{', …' if len(fields) > 20 else ''}" if found else ""
    capital = next((name for name in fields if name not in TEXTS and name.lower() in TEXTS[1:7]), "")
    asked = f"; --columns prompt={capital} asks that one" if capital else ""
    return f"neither prompt nor messages; give one of them{there}{asked}"


def known_cells(row: Fields) -> Fields:
    """The cells of a table's row that mean something to us. Raises ValueError on a name that is all but one of ours."""
    there = {name: value for name, value in row.items() if value is not None}
    for name in there:
        _check_column(name)
    ours = {"prompt", "messages"} & there.keys() or ("prompt_tokens" in there and not {*QUESTIONS} & there.keys())
    kept = {name: value for name, value in there.items() if name in (OWN_COLUMNS if ours else KNOWN)}
    if not any(fits(kept) for fits, _ in FORMATS):
        raise ValueError(no_question(row))
    return kept


@lru_cache(maxsize=1024)  # a look-up takes a millisecond, and each row has the same names
def _check_column(name: str) -> None:
    if name not in KNOWN and (close := difflib.get_close_matches(name, KNOWN, n=1, cutoff=0.9)):
        raise ValueError(f"unknown column {quote(name)}; did you mean {close[0]}?")


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
    if about := _context(fields):
        *before, asks = first.messages
        first = replace(first, messages=(*before, asks._replace(content="\n\n".join([*about, asks.content]))))
    beside = _beside(fields, default_id)
    if first.max_tokens is not None:
        beside["max_tokens"] = first.max_tokens
    return line.assemble(beside, default_id, _system(fields) + first.messages, tuple(then))


def _question(fields: Fields, default_id: str, folder: Path) -> Prompt:
    """The first of the keys that ask; Alpaca's `input` below its `instruction`, and its `history` before it."""
    name = next(name for name in ("prompt", *QUESTIONS) if name in fields)
    given = fields[name]
    if not isinstance(given, str | list):
        wrong(name, given, "put a text in quotes")
    texts = tuple(text(one, name) for one in (given if isinstance(given, list) else [given]))
    more = fields.get("input", "") if name == "instruction" else ""
    asked = [*texts, *([text(more, "input")] if more else [])]
    about = _context(fields)
    asked += _choices(fields.get("choices"))
    said = line.nonempty_text("\n\n".join(filter(None, [*about, *asked]) if about else asked), name)
    seen = images(fields.get("images", fields.get("image")), "images", folder)
    inputs = texts if name == "input" else ()
    messages = (*_system(fields), *_history(fields.get("history")), Message("user", said, seen))
    return line.assemble(_beside(fields, default_id), default_id, messages, line.then(fields, folder), inputs)


def _history(given: object) -> tuple[Message, ...]:
    """Alpaca's earlier turns, a pair of question and answer each; of other files a text may be called so."""
    if not isinstance(given, list):
        return ()
    pairs = [one for one in given if isinstance(one, list) and len(one) == 2 and all(isinstance(s, str) for s in one)]
    if len(pairs) < len(given):
        wrong("history", given, "make it pairs of question and answer, or rename it")
    return tuple(Message(role, said) for pair in pairs for role, said in zip(("user", "assistant"), pair, strict=True))


def _choices(given: object) -> list[str]:
    """What a question is to be answered with one of, a line each: a list of texts, or as ARC has them."""
    labels, texts = (given.get("label"), given.get("text")) if isinstance(given, dict) else (ascii_uppercase, given)
    if not isinstance(texts, list) or not labels or not all(isinstance(one, str) for one in texts):
        return []
    return ["\n".join(f"{label}. {one}" for label, one in zip(labels, texts, strict=False))] if texts else []


def _own_context(fields: Fields, default_id: str, folder: Path) -> Prompt:
    """Our own format with what its prompt is about."""
    said = "\n\n".join([*_context(fields), text(fields["prompt"], "prompt")])
    kept = {name: value for name, value in fields.items() if name not in CONTEXTS}
    return line.read({**kept, "prompt": said}, default_id, folder)


def _context(fields: Fields) -> list[str]:
    """What the question is about: a run that asked without it would measure other prompts than the file's."""
    name = next((name for name in CONTEXTS if fields.get(name)), None)
    if name is None:
        return []
    given = fields[name]
    texts = given if isinstance(given, list) else [given]
    said = [one for one in texts if isinstance(one, str)]
    if len(said) < len(texts):
        wrong(name, given, "only texts can be sent with their question; join them to one, or rename the field")
    return [one for one in said if one.strip()]


def _trace(fields: Fields, default_id: str, folder: Path) -> Prompt:
    """A row of a trace: a prompt to be made up, of the length that it tells, and of the blocks that it shares."""
    recipe, limit = recipe_and_limit(fields)
    beside = {"id": _id(fields, default_id), "max_tokens": limit}
    return replace(line.assemble(beside, default_id, (Message("user", NOT_MADE),)), recipe=recipe)


def _system(fields: Fields) -> tuple[Message, ...]:
    said = fields.get("system") or fields.get("system_prompt")
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
    (lambda fields: "prompt" in fields and any(isinstance(fields.get(name), str) for name in CONTEXTS), _own_context),
    (lambda fields: isinstance(fields.get("prompt"), str) and any(name in fields for name in ANSWERS), _question),
    (_has("prompt", "inputs"), line.read),
    (_has(*QUESTIONS), _question),
    (_has("prompt_tokens"), line.read),
    (lambda fields: bool({*TRACE_INPUT} & fields.keys() and {*TRACE_OUTPUT} & fields.keys()), _trace),
)
# The keys that make an object a record: without one it may be what holds a file's array.
ASKING = {
    "messages",
    "prompt",
    "inputs",
    "prompt_tokens",
    "body",
    "payload",
    "payloads",
    "conversations",
    "conversation",
}
ASKING |= {"turns", *QUESTIONS, *TRACE_INPUT}
OTHERS = (
    *CONTEXTS,
    "image",
    "system_prompt",
    "history",
    "choices",
    "body",
    "payload",
    "payloads",
    "conversations",
    "turns",
    "function",
    "hash_ids",
)
KNOWN = {*line.FIELDS, *IDS, *QUESTIONS, *TRACE_INPUT, *TRACE_OUTPUT, *OTHERS}
OWN_COLUMNS = {*line.FIELDS, *CONTEXTS}
