"""What is known of an answer while its body still comes: has it ended by its own word, is it more than kept alive?

Looked at once a second, and not at each token: a body mostly tells by its HTTP framing that it has ended.
"""

import re
from collections.abc import Iterator, Sequence
from enum import IntEnum
from typing import NamedTuple

import orjson

from tokenswarm.wire.apis import KEYS, end_of
from tokenswarm.wire.framing import keeps_alive
from tokenswarm.wire.odd_frames import SHAPE_ERRORS, names_error, read_leniently
from tokenswarm.wire.values import Api, Chunk

_LINE_ENDS = re.compile(rb"[\r\n]+")
_PASSED_OVER = (b":", b"event:", b"id:", b"retry:")
_ERROR_EVENT = b"event: error"  # stands for the name of an event that says that it is an error
# A piece that holds one of these is read, whatever else it looks like.
_MORE = (b'"content":""', b'"response":""', b'"done":true', b'"finish_reason":"', b"[DONE]", b'"error"')
# In which an end is looked for; Ollama's holds the whole context.
MOST_IDLE_BYTES = 4096  # of what only keeps a connection alive; more than that is not looked into
TAIL_BYTES, TAIL_PIECES, TAIL_LINES, TAIL_FRAMES = 1 << 20, 1000, 200, 16


class Weight(IntEnum):
    """How much a piece of a body says: nothing but that the connection lives, that something is made, or more."""

    IDLE = 0
    ALIVE = 1
    SAYS = 2


class SeenEnd(NamedTuple):
    """When an answer ended by its own word; `firm` by its protocol's own mark, not only by a finish reason."""

    ns: int
    firm: bool


class Watch:
    """Follows the pieces of one body."""

    __slots__ = ("_api", "_idle", "_last", "_looked")

    def __init__(self, api: Api) -> None:
        self._api = api
        self._looked = 0  # so many pieces were looked at
        self._idle = 0  # so many at the beginning say nothing
        self._last = -1  # of them, the last that says anything

    @property
    def mark(self) -> bytes:
        """Without it in a piece there is mostly no firm end."""
        return end_of(self._api).mark

    def end(self, stamps: Sequence[int], bodies: Sequence[bytes]) -> SeenEnd | None:
        """The answer's own end, if nothing but what keeps a connection alive has come since."""
        if bodies and _goes_on(bodies[-1]):
            self._looked, self._last = len(bodies), len(bodies) - 1
            return None
        for at in range(len(bodies) - 1, self._looked - 1, -1):
            if self._weight(bodies[at]) is Weight.SAYS:
                self._last = at
                break
        self._looked = len(bodies)
        if self._last < 0:
            return None
        firm = self._ended(bodies)
        return None if firm is None else SeenEnd(stamps[self._last], firm)

    def only_kept_alive(self, bodies: Sequence[bytes]) -> bool:
        """Has nothing come but comments, blank lines and messages without anything in them?"""
        while self._last < 0 and self._idle < len(bodies) and self._weight(bodies[self._idle]) is Weight.IDLE:
            self._idle += 1
        return self._last < 0 and self._idle == len(bodies)

    def _ended(self, bodies: Sequence[bytes]) -> bool | None:
        """Does the last thing that was said end the answer, and firmly? None if not."""
        odd = False  # is the last frame none? The name of its event may tell
        for number, frame in enumerate(_last_frames(bodies, self._last)):
            if frame is _ERROR_EVENT:
                return False
            if odd or number == TAIL_FRAMES:
                break
            if self._api.done_by_sentinel and frame == b"[DONE]":
                return True
            chunk = _read(self._api, frame)
            if chunk is None:  # cut in the middle, or no frame at all
                odd = True
                continue
            if chunk.done:
                return True
            if chunk.finish_reason or chunk.error is not None:
                return False
            if chunk.output:
                break
        return None

    def _weight(self, piece: bytes) -> Weight:
        if len(piece) > MOST_IDLE_BYTES:
            return Weight.SAYS
        heaviest = Weight.IDLE
        for frame in _frames(piece):
            weight = self._weight_of(frame)
            if weight is Weight.SAYS:
                return weight
            heaviest = max(heaviest, weight)
        return heaviest

    def _weight_of(self, frame: bytes) -> Weight:
        chunk = _read(self._api, frame)
        if chunk is None or chunk.output or chunk.finish_reason or chunk.done or chunk.usage or chunk.embeddings:
            return Weight.SAYS
        if chunk.error is not None:
            return Weight.SAYS
        if "type" in KEYS.get(self._api.PATH, ()):  # what its events carry is told by their type
            return Weight.IDLE
        # A line of Ollama's, or a text that is empty: tokens that are not shown. A role, or nothing, is no token.
        return Weight.ALIVE if b'"text"' in frame or b'"response"' in frame or b'"done"' in frame else Weight.IDLE


def _goes_on(piece: bytes) -> bool:
    """Is it by its mere look a token of an answer that goes on? Most pieces are; the others are read."""
    said = b'"done":false' in piece or (b'"finish_reason":null' in piece and b'"content":"' in piece)
    return said and not any(other in piece for other in _MORE)


def _read(api: Api, frame: bytes) -> Chunk | None:
    """The chunk of a frame; None where it is none."""
    try:
        value = orjson.loads(frame)
        return api.read(0, value) if isinstance(value, dict) else Chunk(0) if value is None else None
    except SHAPE_ERRORS:
        if frame.startswith((b"{", _ERROR_EVENT)):
            return None
        return next((chunk for chunk in read_leniently(api, 0, frame) if chunk.error or chunk.done), None)


def _frames(piece: bytes, most_lines: int = -1) -> Iterator[bytes]:
    """What stands on the lines of a piece, from the last on, without fields' names; of so many lines at most."""
    for number, lines in enumerate(reversed(piece.rsplit(b"\n", most_lines))):
        if number == most_lines:
            return  # it is all that was not parted into lines
        for line in reversed(_LINE_ENDS.split(lines)):
            bare = line.strip()
            said = bare.removeprefix(b"data:").lstrip()
            if bare.startswith(b"event:") and names_error(bare[6:].strip().decode("utf-8", "replace").lower()):
                yield _ERROR_EVENT
            elif bare and not bare.startswith(_PASSED_OVER) and not keeps_alive(said):
                yield said


def _last_frames(bodies: Sequence[bytes], last: int) -> Iterator[bytes]:
    """The frames of a body up to its `last` piece, from the last on; no more is joined, or parted, than it takes."""
    held: list[bytes] = []  # what follows, the last first, up to a line end
    looked_bytes, lines_left = 0, TAIL_LINES
    for at in range(last, max(-1, last - TAIL_PIECES), -1):
        looked_bytes += len(bodies[at])
        if looked_bytes > TAIL_BYTES or lines_left <= 0:
            return
        begun, *rest = _LINE_ENDS.split(bodies[at], maxsplit=1)  # the first begins before
        if rest:
            whole = b"".join([rest[0], *reversed(held)])
            yield from _frames(whole, lines_left)
            lines_left -= whole.count(b"\n") + 1
            held = []
        held.append(begun)
    yield from _frames(b"".join(reversed(held)), max(1, lines_left))
