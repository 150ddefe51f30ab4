"""A few moments of an answer's output, where its pace changed: a row keeps these instead of every chunk's. Pure.

Between them its chunks came evenly, but for so little that no rate shows it: most answers need none.
"""

from collections.abc import Sequence

from tokenswarm.metrics.buffering import HELD_BACK

MOST = 4
# Their columns in requests.csv: ms since the first chunk, the number of the chunk that came then, from 1.
MOMENTS = tuple((f"moment{at}_ms", f"moment{at}_chunk") for at in range(1, MOST + 1))
LEAST_CHUNKS, LEAST_SHARE = 1.0, 0.005  # what an even spread may be off by, of the chunks that came up to any moment
_LOOKS = 8  # at places of a span, to see whether it is even; then closer, around the one that is most off

Corner = tuple[int, int, float]  # the number of a chunk from 0, when it came (ns), how many had come by then
Moment = tuple[int, int]  # ms since the first chunk, the number of a chunk from 1


def moments(stamps: Sequence[int], end_ns: int | None, decoded_ns: int | None = None) -> tuple[Moment, ...]:
    """At most MOST of the moments at which an answer's chunks came, in order; `end_ns` is where its output ends.

    From one to the next, and from the first chunk to the end, straight lines are off by LEAST_CHUNKS chunks or
    LEAST_SHARE of them at most, if so few corners can do that. Each is put where the line is most off (as Ramer, 1972,
    and Douglas and Peucker, 1973, have it). A chunk counts as half there at its own moment. None of a stream that was
    held back on its way: the server says how long it decoded.
    """
    if not stamps or end_ns is None or end_ns <= stamps[0] or (end_ns - stamps[0]) * HELD_BACK < (decoded_ns or 0):
        return ()
    n = len(stamps)
    allowed = max(LEAST_CHUNKS, LEAST_SHARE * n)
    begin, end = (-1, stamps[0], 0.0), (n, end_ns, float(n))
    first = _look(stamps, begin, end)
    if first[0] <= allowed:  # as nearly always
        return ()
    corners: list[Corner] = [begin, end]
    spans = [first]
    while (worst := max(spans))[0] > allowed and len(spans) <= MOST:
        at = spans.index(worst)
        number = _closer(stamps, corners[at], corners[at + 1], worst[1])
        corners.insert(at + 1, (number, stamps[number], number + 0.5))
        spans[at : at + 1] = [_look(stamps, *corners[place : place + 2]) for place in (at, at + 1)]
    return tuple((max(0, ns - stamps[0]) // 1_000_000, number + 1) for number, ns, _ in corners[1:-1])


def _look(stamps: Sequence[int], begin: Corner, end: Corner) -> tuple[float, int]:
    """How many chunks the line between two corners is off, about; at which chunk that is."""
    return _furthest(stamps, begin, end, begin[0] + 1, end[0], _step(end[0] - begin[0]))


def _closer(stamps: Sequence[int], begin: Corner, end: Corner, number: int) -> int:
    """The very chunk, near the one where it was seen."""
    step = _step(end[0] - begin[0])
    while step > 1:
        first, last = max(begin[0] + 1, number - step), min(end[0], number + step + 1)
        step = _step(step)
        number = _furthest(stamps, begin, end, first, last, step)[1]
    return number


def _step(chunks: int) -> int:
    return chunks // _LOOKS or 1


def _furthest(stamps: Sequence[int], begin: Corner, end: Corner, first: int, last: int, step: int) -> tuple[float, int]:
    _, begin_ns, had = begin
    _, end_ns, has = end
    pace = (has - had) / (end_ns - begin_ns) if end_ns > begin_ns else 0.0
    had, furthest, found = had - 0.5, 0.0, first
    for number in range(first, last, step):
        off = (stamps[number] - begin_ns) * pace + had - number
        if off > furthest or -off > furthest:
            furthest, found = abs(off), number
    return furthest, found
