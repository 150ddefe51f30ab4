"""The tool calls of an answer, put together from the pieces that they came in."""

from collections.abc import Iterable

from metrics.case import arguments
from wire.values import ToolCall


def joined(pieces: Iterable[ToolCall]) -> tuple[ToolCall, ...]:
    """Whole calls, numbered as they began.

    A piece belongs to the call with its id, else to the last one at its place, else (where it does not say its place)
    to the last of all. But with a new id, or another name, or a name where the arguments are whole already, it begins a
    call of its own: many servers give all their calls one place, or none.
    """
    calls: list[ToolCall] = []
    by_place: dict[int | None, int] = {}
    by_id: dict[str, int] = {}
    for piece in pieces:
        at = by_id.get(piece.id) if piece.id else None
        if at is None:
            at = by_place.get(piece.place, -1)
            if at >= 0 and _begins(piece, calls[at]):
                at = -1
        if at < 0:
            at = len(calls)
            calls.append(piece._replace(place=at))
        else:
            calls[at] = _with(calls[at], piece)
        by_place[piece.place] = by_place[None] = at
        by_place.setdefault(at, at)
        if piece.id:
            by_id[piece.id] = at
    return tuple(calls)


def _begins(piece: ToolCall, last: ToolCall) -> bool:
    """Is it the beginning of another call than the last one at its place?"""
    if piece.id and last.id:
        # Some servers draw a new id for every piece; but only a first one has a name.
        return bool(piece.name) or _whole(last)
    return bool(piece.name and last.name) and (piece.name != last.name or _whole(last))


def _with(call: ToolCall, piece: ToolCall) -> ToolCall:
    return ToolCall(call.place, call.id or piece.id, call.name or piece.name, _added(call, piece.arguments))


def _added(call: ToolCall, more: object) -> object:
    so_far = call.arguments
    if more is None or (more in ("", so_far) and _whole(call)):
        return so_far  # said again, as a last frame may
    if isinstance(so_far, str) and isinstance(more, str):
        # Some begin with an empty object, where others begin with nothing.
        return more if so_far.strip() == "{}" and more.strip() else f"{so_far}{more}"
    return more


def _whole(call: ToolCall) -> bool:
    if isinstance(call.arguments, str):
        return call.arguments.rstrip().endswith("}") and isinstance(arguments(call)[0], dict)
    return call.arguments is not None
