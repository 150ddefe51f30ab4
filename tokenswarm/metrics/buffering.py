"""Streams that are none: chunks that were made one after the other and came in lumps."""

# No server makes tokens of one answer this fast: chunks that came so close were sent together.
TOGETHER_NS = 250_000
LEAST_CHUNKS = 3
LEAST_NS = 20_000_000  # what is over sooner was perhaps made as fast as it came
# A stream that took less than this part of the time it was decoded in came through something that held it.
HELD_BACK = 10
MOST_AT_ONCE = 4  # tokens of one step, where a server guesses ahead (speculative decoding)


def is_buffered(chunks: int, together: int, first: int, e2e_ns: int | None, eval_ns: int | None) -> bool | None:
    """Did most of a stream's chunks come together, `together` of them with the one before, `first` with the first?

    Then its TTFT, gaps and TPOT are those of whoever held them back. A server that decodes some tokens a step sends
    its first one alone. None where there is too little to tell.
    """
    if chunks < LEAST_CHUNKS or e2e_ns is None:
        return None
    if 2 * together <= chunks - 1:
        return False
    lumps = chunks - together
    if first == 1 and lumps > 2 and chunks <= MOST_AT_ONCE * lumps:
        return False
    return min(e2e_ns, e2e_ns if eval_ns is None else eval_ns) >= LEAST_NS
