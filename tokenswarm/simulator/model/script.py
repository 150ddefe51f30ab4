"""What a model generates, token by token: its thinking and the tags around it, then text, JSON or tool calls."""

import random
from dataclasses import dataclass
from functools import cache
from typing import Any, Literal, NamedTuple

from tokenswarm.simulator.model import json_text, tools
from tokenswarm.simulator.model.faults import Fault, OutputPath
from tokenswarm.simulator.model.tokens import text_tape
from tokenswarm.simulator.model.tools import PlannedCall

# What Ollama makes of a token: "tag" is shown as an empty line by /api/generate on path G, "hush" by nobody, "restart"
# ends the first of two runs; "call" and "arguments" are of a tool call.
TokenKind = Literal["text", "thinking", "tag", "hush", "restart", "call", "arguments"]


class Token(NamedTuple):
    """One token: what becomes of it, what it says, and the calls that are complete with it."""

    kind: str
    text: str
    calls: tuple[PlannedCall, ...] = ()


@dataclass(frozen=True)
class Task:
    """What is asked of the model beside a text, and how its server reads what it says."""

    path: OutputPath = "G"
    thinks: bool = False
    separates: bool = True  # /api/generate on path N does not: the tags come as text
    format: Any = None  # "json", or a schema
    twice: bool = False  # thinks first and is asked again for the JSON
    tools: tuple[dict[str, Any], ...] = ()  # name and parameters; none when it is to answer in text
    calls: int = 1
    talks: bool = False  # says some words before it calls
    bare: bool = False  # path G whose template knows no tag for calls
    text_key: int | None = None  # what the words are chosen by; `None` = by what the length is
    number: int = 0  # of the request: the source of what differs from request to request


_OPEN: dict[OutputPath, tuple[str, ...]] = {
    "G": (" <", "think", ">", "\n"),
    "N": (" <", "think", ">", "\n"),
    "B": (),  # its template ends the prompt with the tag
    "harmony": ("<|channel|>", "analysis", "<|message|>"),
}
_CLOSE: dict[OutputPath, tuple[str, ...]] = {
    "G": ("</", "think", ">", "\n"),
    "N": ("</", "think", ">", "\n"),
    "B": ("\n", "</", "think", ">", "\n\n"),
    "harmony": ("<|end|>", "<|start|>", "assistant", "<|channel|>", "final", "<|message|>"),
}
# As Ollama's template path shows them: 3 empty lines for the opening tag, 2 for the closing one.
_EMPTY_LINES = {"open": 3, "close": 2}
_REPEATS = 31  # one more, and Ollama's guard ends the stream
_BLANKS = ("\n", "        ", "\t\t") * (_REPEATS // 3)
_PHRASE_TOKENS = 7
_TALK_SHARE = 20  # of its natural length in words before a call


def _tag(task: Task, which: Literal["open", "close"]) -> list[Token]:
    said = (_OPEN if which == "open" else _CLOSE)[task.path]
    if not task.separates:
        return [Token("text", text) for text in said]
    empty = _EMPTY_LINES[which] if task.path == "G" else 0
    return [Token("tag" if place < empty else "hush", text) for place, text in enumerate(said)]


@cache
def _spoken(seed: int, cjk: bool, kind: str) -> tuple[Token, ...]:
    """The tape of words as tokens of one kind: made once, since to make them for each answer would take its time."""
    return tuple(Token(kind, word) for word in text_tape(seed, cjk))


class _Author:
    """Writes one answer: a tape of words read on from where it stands."""

    def __init__(self, seed: int, cjk: bool, start: int) -> None:
        self._seed, self._cjk, self._start = seed, cjk, start
        self.tokens: list[Token] = []

    def say(self, kind: str, count: int) -> None:
        """So many words; a text begins without the space that its first word bears."""
        tape, begun = _spoken(self._seed, self._cjk, kind), len(self.tokens)
        first = (self._start + begun + 1) % len(tape)
        while (missing := begun + count - len(self.tokens)) > 0:
            self.tokens += tape[first : first + missing]
            first = 0
        if count > 0:
            self.tokens[begun] = Token(kind, self.tokens[begun].text.lstrip())

    def end(self) -> list[Token]:
        """The end-of-sequence token."""
        return [*self.tokens, Token("hush", "")]


def write(
    natural: int, task: Task, fault: Fault, start: int, most: int, *, seed: int = 0, cjk: bool = False
) -> list[Token]:
    """The tokens of an answer of `natural` tokens, its end-of-sequence token last; no more than `most` are needed.

    JSON and tool calls are as long as they are.
    """
    author, rng = _Author(seed, cjk, start), random.Random(start)
    if fault.silent or (fault.silent_talk and not task.tools):
        return [Token("hush", " x")] * natural
    raw_tags = task.format is None and (fault.think_tags or (fault.leaks and not task.thinks))
    if raw_tags:
        _raw_thinking(author, max(natural - 1, 8), answers=not task.tools)
    elif fault.repeats:
        author.say("text", max(1, natural // 3))
        return [*author.tokens, *[Token("text", " the")] * _REPEATS, Token("hush", " the")]
    elif fault.loops:
        author.say("text", _PHRASE_TOKENS)
        return author.tokens * (most // _PHRASE_TOKENS + 1)
    elif task.thinks:
        natural = _think(author, natural, task, fault)
        if fault.never_closes:
            return author.end()
    if task.format is not None:
        author.tokens += [Token("text", text) for text in _json(task, fault, natural, rng, most)]
    elif task.tools:
        if task.talks:
            author.say("text", max(1, natural // _TALK_SHARE))
        _call(author, task, fault, rng)
    elif not raw_tags:
        author.say("text", natural - 1)
    return author.end()


def _raw_thinking(author: _Author, count: int, *, answers: bool) -> None:
    """A model that writes its tags into the answer."""
    author.tokens += [Token("text", "<thi"), Token("text", "nk>\n")]
    author.say("text", max(1, count // 3))
    author.tokens += [Token("text", "\n</thi"), Token("text", "nk>\n\n")]
    if answers:
        author.say("text", count - len(author.tokens))


def _think(author: _Author, natural: int, task: Task, fault: Fault) -> int:
    """Tags and thinking, two fifths of all words; how many tokens are left for the answer and its end."""
    tags = len(_OPEN[task.path]) + len(_CLOSE[task.path])
    spoken = max(natural, tags + 4) - tags - 1
    thinking = max(1, spoken * 2 // 5)
    author.tokens += _tag(task, "open")
    author.say("thinking" if task.separates else "text", spoken if fault.never_closes else thinking)
    if not fault.never_closes:
        author.tokens += _tag(task, "close")
        if task.twice:
            author.tokens[-1] = Token("restart", author.tokens[-1].text)
    return spoken - thinking + 1


def _json(task: Task, fault: Fault, natural: int, rng: random.Random, most: int) -> list[str]:
    if fault.whitespace:
        # An entry comes just before Ollama's guard against repeats would end it: to that all white space is the same.
        return ["{", *('"', "so", '":', " 1", ",", *_BLANKS) * (most // len(_BLANKS) + 1)]
    if task.format == "json":
        found: Any = json_text.free_object(rng, natural)
    else:
        found = json_text.value(task.format, rng)
    text = json_text.write_json(json_text.off_schema(task.format) if fault.off_schema else found)
    return json_text.pieces(json_text.break_json(text) if fault.bad_json else text)


def _call(author: _Author, task: Task, fault: Fault, rng: random.Random) -> None:
    ids = random.Random(f"{task.text_key} {task.number}")
    for call in tools.calls(task.tools, task.calls, rng, ids, task.path, fault):
        for kind, text, done in tools.write_call(call, task.path, bare=task.bare):
            author.tokens.append(Token(kind, text, () if fault.drops_call else done))
    author.tokens.append(Token("hush", "\n"))
