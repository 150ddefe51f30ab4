"""A few moments of an answer's output, where its pace changed: a row keeps these instead of every chunk's. Pure.

Between them its chunks came evenly, but for so little that no rate shows it: most answers need none.
"""

import operator
from collections.abc import Iterable, Sequence
from itertools import accumulate, groupby

from tokenswarm.metrics.buffering import HELD_BACK
from tokenswarm.wire.values import Usage

MOST = 6
# Their columns in requests.csv: ms since the first chunk, and how much of the output had come then.
MOMENTS = tuple((f"moment{at}_ms", f"moment{at}_percent") for at in range(1, MOST + 1))
LEAST_CHUNKS, LEAST_SHARE = 1.0, 0.005  # what an even spread may be off by, of the chunks that came up to any moment
SEVERAL = 1.2  # tokens a chunk, from which on chunks are weighed by their characters (speculative decoding)
MERGED = 1.5, 4.5  # steps of the stream that a chunk took in which a server may have put two tokens, three or four
DOUBT = 1.5  # tokens whose chunk is unknown move the count at any moment by this times the root of their number
_UNKNOWN = Usage()
_LOOKS = 8  # at places of a span, to see whether it is even; then closer, around the one that is most off

Corner = tuple[int, int, float]  # the number of a chunk from 0, when it came (ns), how many had come by then
Moment = tuple[int, float]  # ms since the first chunk, % of the output


def moments(
    stamps: Sequence[int],
    end_ns: int | None,
    usage: Usage = _UNKNOWN,
    texts: Iterable[str] = (),
    late: frozenset[int] = frozenset(),
) -> tuple[Moment, ...]:
    """At most MOST of the moments at which an answer's chunks came, in order; `end_ns` is where its output ends.

    From one to the next, and from the first chunk to the end, straight lines are off by LEAST_CHUNKS chunks or
    LEAST_SHARE of them at most, if so few corners can do that. Each is put where the line is most off (as Ramer, 1972,
    and Douglas and Peucker, 1973, have it). A chunk counts as half there at its own moment. All count alike but where
    the server counted more tokens than chunks. Those that were read together, at a `late` stamp, count as if each came
    some time after the one before. None of a stream that was held back: the server says how long it decoded.
    """
    if not stamps or end_ns is None or end_ns <= stamps[0]:
        return ()
    if (end_ns - stamps[0]) * HELD_BACK < (usage.eval_ns or 0):
        return ()
    stamps = _parted(stamps, late) if late else stamps
    n, tokens = len(stamps), usage.output_tokens or 0
    allowed = max(LEAST_CHUNKS, LEAST_SHARE * n)
    if tokens < SEVERAL * n and _is_even(stamps, end_ns, allowed):  # as nearly always
        return ()
    had: Sequence[float] = range(n)
    if tokens > n > 1:
        weights, doubtful = _weights(stamps, tokens, [len(text) for text in texts])
        until = list(accumulate(weights))
        had = [(after - weight / 2) * n / until[-1] - 0.5 for after, weight in zip(until, weights, strict=True)]
        allowed = max(allowed, DOUBT * doubtful**0.5)
    corners: list[Corner] = [(-1, stamps[0], -0.5), (n, end_ns, n - 0.5)]
    spans = [_look(stamps, had, *corners)]
    while (worst := max(spans))[0] > allowed and len(spans) <= MOST:
        at = spans.index(worst)
        number = _closer(stamps, had, corners[at], corners[at + 1], worst[1])
        corners.insert(at + 1, (number, stamps[number], had[number]))
        spans[at : at + 1] = [_look(stamps, had, *corners[place : place + 2]) for place in (at, at + 1)]
    return tuple((max(0, ns - stamps[0]) // 1_000_000, round(100 * (y + 0.5) / n, 2)) for _, ns, y in corners[1:-1])


def _parted(stamps: Sequence[int], late: frozenset[int]) -> Sequence[int]:
    """The kernel keeps the last stamp of what nobody read in time: when the others came nobody knows."""
    found, before_ns = list[int](), stamps[0]
    for ns, alike in groupby(stamps):
        chunks = len(list(alike))
        first_ns = before_ns if ns in late else ns
        found += [first_ns + (ns - first_ns) * at // chunks for at in range(1, chunks + 1)]
        before_ns = ns
    return found


def _is_even(stamps: Sequence[int], end_ns: int, allowed: float) -> bool:
    """A look at few chunks, which costs a microsecond: where one of many is off, its neighbours are."""
    n, begin_ns = len(stamps), stamps[0]
    pace = n / (end_ns - begin_ns)
    for number in range(0, n, _step(n)):
        if not -allowed <= (stamps[number] - begin_ns) * pace - number - 0.5 <= allowed:
            return False
    return True


def _weights(stamps: Sequence[int], tokens: int, sizes: Sequence[int]) -> tuple[Sequence[int], int]:
    """What each chunk counts for, by how long it took and its size in characters; of how many tokens nobody knows in
    which chunk they were."""
    n = len(stamps)
    if len(sizes) != n:
        return [1] * n, tokens - n
    weights, left = [1] * n, tokens - n
    gaps = list(map(operator.sub, stamps[1:], stamps))
    step = sorted(gaps)[len(gaps) // 2] or 1
    merged = [(sizes[at], at, gap) for at, gap in enumerate(gaps, 1) if MERGED[0] < gap / step < MERGED[1]]
    for _, at, gap in sorted(merged, reverse=True):
        more = min(left, round(gap / step) - 1)
        weights[at], left = 1 + more, left - more
    return (weights, left) if left < (SEVERAL - 1) * n else (sizes, 0)


def _look(stamps: Sequence[int], had: Sequence[float], begin: Corner, end: Corner) -> tuple[float, int]:
    """How many chunks the line between two corners is off, about; at which chunk that is."""
    return _furthest(stamps, had, begin, end, begin[0] + 1, end[0], _step(end[0] - begin[0]))


def _closer(stamps: Sequence[int], had: Sequence[float], begin: Corner, end: Corner, number: int) -> int:
    """The very chunk, near the one where it was seen."""
    step = _step(end[0] - begin[0])
    while step > 1:
        first, last = max(begin[0] + 1, number - step), min(end[0], number + step + 1)
        step = _step(step)
        number = _furthest(stamps, had, begin, end, first, last, step)[1]
    return number


def _step(chunks: int) -> int:
    return chunks // _LOOKS or 1


def _furthest(
    stamps: Sequence[int], had: Sequence[float], begin: Corner, end: Corner, first: int, last: int, step: int
) -> tuple[float, int]:
    _, begin_ns, low = begin
    _, end_ns, high = end
    pace = (high - low) / (end_ns - begin_ns) if end_ns > begin_ns else 0.0
    furthest, found = 0.0, first
    for number in range(first, last, step):
        off = (stamps[number] - begin_ns) * pace + low - had[number]
        if off > furthest or -off > furthest:
            furthest, found = abs(off), number
    return furthest, found
