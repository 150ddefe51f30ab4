"""Many frames read at once, where each says nothing but text: one decoding for all, columns in place of a Chunk each.

So are nearly all frames of a stream. Whatever is not as plain as that is left to the reading of frame by frame, which
comes to the same, more slowly. Frames that differ from one before in nothing but their text are not even decoded: see
`wire.alike`.
"""

from collections.abc import Iterator, Sequence
from operator import methodcaller
from typing import Any, NamedTuple

import orjson

from tokenswarm.wire.alike import Alike, PlainReader
from tokenswarm.wire.framing import Form, Piece, PieceColumns
from tokenswarm.wire.values import Chunk

AT_ONCE = 32
_MOST_BYTES = 32_768  # read at once: a slice of time is short
_AROUND: dict[Form, tuple[bytes, bytes]] = {"lines": (b"", b"\n"), "events": (b"data: ", b"\n\n")}


class Stretch(NamedTuple):
    """Chunks in a row, in columns: arrivals in wall-clock ns, text and thinking, of which each has one at least.

    No text holds a `<`, with which a tag could begin.
    """

    stamps: Sequence[int]
    texts: Sequence[str]
    thinkings: Sequence[str]

    def chunks(self) -> Iterator[Chunk]:
        """The same, one by one."""
        return map(Chunk, self.stamps, self.texts, self.thinkings)


def stretches(pieces: Sequence[Piece], form: Form, plain: PlainReader) -> Iterator[Piece | tuple[int, Stretch]]:
    """The pieces of a body in order, with a Stretch, and its last arrival, in place of those that are plain frames."""
    head, end = _AROUND[form]
    alike, columns = Alike(plain, head, end), PieceColumns.of(pieces)
    begins = True  # does a piece begin a frame, since the one before ended one?
    for start in range(0, len(pieces), AT_ONCE):
        batch = columns[start : start + AT_ONCE]
        if begins and sum(map(len, batch.bodies)) <= _MOST_BYTES and (said := alike.read(batch.bodies)):
            yield _stretch(batch, *said)
            batch = batch[len(said[0]) :]
        bodies = batch.bodies
        if len(bodies) == 1:  # a last frame, or one that is odd
            yield batch[0]
        elif bodies:
            frames = (_decoded(bodies, head, end) if begins else None) or _singly(bodies, head, end, begins)
            yield from _parted(batch, frames, plain, alike)
        begins = not bodies or bodies[-1].endswith(end)


def _stretch(batch: PieceColumns, texts: Sequence[str], thinkings: Sequence[str]) -> tuple[int, Stretch]:
    stamps = batch.stamps[: len(texts)]
    return stamps[-1], Stretch(stamps, texts, thinkings)


def _decoded(bodies: Sequence[bytes], head: bytes, end: bytes) -> list[Any] | None:
    """What the pieces say; None unless each is one frame that is JSON."""
    if not all(map(methodcaller("endswith", end), bodies)):
        return None
    frames = bodies
    if head:
        if not all(map(methodcaller("startswith", head), bodies)):
            return None
        frames = [body[len(head) :] for body in bodies]
    said = b"".join(frames)
    if len(said) > _MOST_BYTES or said.count(b"\n") != len(bodies) * len(end) or b"\r" in said:
        return None
    try:
        return list(map(orjson.loads, frames))
    except orjson.JSONDecodeError:
        return None


def _singly(bodies: Sequence[bytes], head: bytes, end: bytes, begins: bool) -> list[Any]:
    """The same of pieces some of which are no such frames; None in the place of each of them."""
    found: list[Any] = []
    for body in bodies:
        decoded = _decoded([body], head, end) if begins and len(body) <= _MOST_BYTES // AT_ONCE else None
        found.append(decoded and decoded[0])
        begins = body.endswith(end)
    return found


def _parted(
    batch: PieceColumns, frames: list[Any], plain: PlainReader, alike: Alike
) -> Iterator[Piece | tuple[int, Stretch]]:
    """The plain ones as Stretches, each other one as the piece that it is."""
    at = 0
    while at < len(batch):
        texts, thinkings = plain(frames[at:] if at else frames)
        if texts:
            alike.learn(batch.bodies[at], texts[0] or thinkings[0])
            yield _stretch(batch[at:], texts, thinkings)
            at += len(texts)
        if at < len(batch):
            yield batch[at]
            at += 1
