"""Frames that differ in nothing but their text: what one of them says is read out of its bytes, without decoding it.

The frames of a stream are made by one piece of code: between the same bytes stands another text each. How they look is
learnt from a decoded one, and proved by decoding it with another text in its place. Beside that only texts may differ
that no reader of plain frames looks at: an id, the time of making.
"""

import re
from collections.abc import Sequence
from typing import Any, NamedTuple, Protocol

import orjson

MOST_LEARNT, MOST_KNOWN = 3, 1000  # looks of an answer's frames, and of all
_TEXT = rb'[^"\\<\x00-\x1f]*(?:\\[^\x00-\x1f][^"\\<\x00-\x1f]*)*'
_ASCII = rb"[ !#-\[\]-~]*"
_NUMBER = rb"(?:0|[1-9][0-9]{0,15})"
# What may differ, as it is written: the name, and the value.
_OTHERS = re.compile(rb'("(?:id|created_at)": ?")' + _ASCII + rb'(?=")|("created": ?)' + _NUMBER)
_PROOF = "another text"


class PlainReader(Protocol):
    """What an API offers that can be read so: text and thinking of the first of some frames, as far as they are plain.

    That is: no frame among them would give a Chunk with anything else, or without both.
    """

    def __call__(self, frames: Sequence[Any]) -> tuple[list[str], list[str]]: ...


class FrameLook(NamedTuple):
    """How frames look: the whole of one, with its text as a group; is that thinking?"""

    pattern: re.Pattern[bytes]
    thinks: bool


_known: dict[tuple[PlainReader, bytes, bytes], FrameLook | None] = {}  # None of those seen once
_latest: dict[PlainReader, FrameLook] = {}  # with which an answer is begun


class Alike:
    """Reads the frames of one body that look like one that was decoded before; `head` and `end` stand around each.

    A look is made when frames of a second answer have it: it takes as long as a hundred frames to read.
    """

    def __init__(self, plain: PlainReader, head: bytes, end: bytes) -> None:
        self._plain, self._head, self._end = plain, head, end
        self._look = _latest.get(plain)
        self._left = MOST_LEARNT

    def read(self, bodies: Sequence[bytes]) -> tuple[list[str], list[str]] | None:
        """Text and thinking of the first of the bodies, as many as look so; None if the first does not."""
        if not self._look or not (found := self._look.pattern.fullmatch(bodies[0])):
            return None
        texts = [found[1]]
        for found in map(self._look.pattern.fullmatch, bodies[1:]):
            if not found:
                break
            texts.append(found[1])
        joined = b"\0".join(texts)
        try:
            said = list(map(_said, texts)) if b"\\" in joined else joined.decode().split("\0")
        except ValueError:
            return None
        nothing = [""] * len(said)
        if self._look.thinks:
            return nothing, said
        return None if b"\\u" in joined and any("<" in text for text in said) else (said, nothing)

    def learn(self, body: bytes, text: str) -> None:
        """A frame that was decoded, and is plain, with the text, or the thinking, that it holds."""
        literal = b'"%b"' % text.encode("utf-8", "replace")
        if not self._left or body.count(literal) != 1:
            return
        self._left -= 1
        before, after = body.split(literal)
        key = (self._plain, _pattern(before), _pattern(after))
        if key in _known:
            self._look = _known[key] = _known[key] or self._prove(before, after, *key[1:])
            if self._look:
                _latest[self._plain] = self._look
        else:
            if len(_known) >= MOST_KNOWN:
                _known.clear()
            _known[key] = None

    def _prove(self, before: bytes, after: bytes, *patterns: bytes) -> FrameLook | None:
        """Is the text, and nothing else, what stands there?"""
        other = b'%b"%b"%b' % (before, _PROOF.encode(), after)
        try:
            texts, thinkings = self._plain([orjson.loads(other[len(self._head) : -len(self._end)])])
        except ValueError:
            return None
        if (texts, thinkings) not in (([_PROOF], [""]), ([""], [_PROOF])):
            return None
        return FrameLook(re.compile(b'%b"(?!")(%b)"%b' % (patterns[0], _TEXT, patterns[1])), thinks=not texts[0])


def _said(text: bytes) -> str:
    said: str = orjson.loads(b'"%b"' % text) if b"\\" in text else text.decode()
    return said


def _pattern(said: bytes) -> bytes:
    """Of bytes around a text, as a pattern; what may differ in it may."""
    parts, at = [], 0
    for found in _OTHERS.finditer(said):
        kept = found[1] or found[2]
        parts += [re.escape(said[at : found.start()] + kept), _ASCII if found[1] else _NUMBER]
        at = found.end()
    return b"".join([*parts, re.escape(said[at:])])
