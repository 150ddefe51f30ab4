"""Tool calls put together of the pieces that a stream brought, by whatever a server says of which belong together."""

from collections.abc import Iterable

from tokenswarm.metrics.checks.case import read_json
from tokenswarm.wire.values import ToolCall

MOST_TRIES = 100  # to find out whether arguments so far are whole: each reads them all


def join_calls(pieces: Iterable[ToolCall]) -> tuple[ToolCall, ...]:
    """Whole calls, numbered as they began.

    A piece belongs to the call with its id, else to the last one at its place, else (where it does not say its place,
    or has nothing but arguments) to the last of all. But with a new id, or another name, or a name where the arguments
    are whole already, it begins a call of its own: many servers give all their calls one place or one id, or none.
    """
    calls: list[_Growing] = []
    by_place: dict[int | None, int] = {}
    by_id: dict[str, int] = {}
    for piece in pieces:
        at = by_id.get(piece.id) if piece.id else None
        if at is not None and piece.place is not None and by_place.get(piece.place) != at and calls[at].is_not(piece):
            at = -1
        if at is None:
            at = by_place.get(piece.place, -1)
            if at < 0 and calls and not piece.id and not piece.name:
                at = by_place[None]
            if at >= 0 and calls[at].ends_before(piece):
                at = -1
        if at < 0:
            at = len(calls)
            calls.append(_Growing(piece))
        else:
            calls[at].add(piece)
        by_place[piece.place] = by_place[None] = at
        by_place.setdefault(at, at)
        if piece.id:
            by_id[piece.id] = at
    return tuple(ToolCall(place, call.id, call.name, call.arguments) for place, call in enumerate(calls))


class _Growing:
    """A call so far; the pieces of its arguments stay apart until somebody asks, or each would copy all before it."""

    __slots__ = ("_characters", "_other", "_parts", "_tries", "id", "name")

    def __init__(self, first: ToolCall) -> None:
        self.id, self.name = first.id, first.name
        self._parts: list[str] = []
        self._characters = self._tries = 0
        self._other: object = None  # arguments that are no text
        self._take(first.arguments)

    @property
    def arguments(self) -> object:
        if not self._parts:
            return self._other
        self._parts = ["".join(self._parts)]
        return self._parts[0]

    def is_not(self, piece: ToolCall) -> bool:
        """Is a piece of the same id elsewhere another call, and not the same one said again?"""
        more = piece.arguments
        return bool(piece.name) and (piece.name != self.name or (self._whole() and not self._said(more)))

    def ends_before(self, piece: ToolCall) -> bool:
        """Is it the beginning of another call?"""
        if piece.id and self.id:
            # Some servers draw a new id for every piece; but mostly only a first one has a name.
            return (bool(piece.name) and not self._goes_on_in(piece)) or self._whole()
        return bool(piece.name and self.name) and (piece.name != self.name or self._whole())

    def _goes_on_in(self, piece: ToolCall) -> bool:
        more = piece.arguments
        inside = isinstance(more, str) and not more.lstrip().startswith("{")
        return piece.name == self.name and self._characters > 0 and inside

    def add(self, piece: ToolCall) -> None:
        """Take a piece in."""
        more = piece.arguments
        self.id, self.name = self.id or piece.id, self.name or piece.name
        if more is None or (self._said(more) and self._whole()):
            return  # said again, as a last frame may
        # Some begin with an empty object, where others begin with nothing.
        if self._parts and isinstance(more, str) and not (self._empty() and more.strip()):
            self._parts.append(more)
            self._characters += len(more)
        else:
            self._take(more)

    def _take(self, arguments: object) -> None:
        text = isinstance(arguments, str)
        self._parts, self._other = ([str(arguments)], None) if text else ([], arguments)
        self._characters = len(str(arguments)) if text else 0

    def _said(self, more: object) -> bool:
        if isinstance(more, str) and (not more or (self._parts and len(more) != self._characters)):
            return not more
        return more == self.arguments

    def _empty(self) -> bool:
        return self._characters < 20 and str(self.arguments).strip() == "{}"

    def _whole(self) -> bool:
        if not self._parts:
            return self._other is not None
        last = self._parts[-1].rstrip()
        if (last and not last.endswith("}")) or self._tries > MOST_TRIES:
            return False
        self._tries += 1
        text = str(self.arguments)
        return text.rstrip().endswith("}") and isinstance(read_json(text)[0], dict)
