"""Repetition: whether a text ends in one piece said over and over, in time linear in the text's length."""

from typing import NamedTuple

# A tail of so many characters that is one piece so many times, or more, in a row. A long piece needs fewer times:
# nobody ends a text with the same paragraph thrice, but songs and tables do end with the same line four times.
TAILS = ((160, 6), (480, 4), (1500, 3))
MOST_TIMES = 1000
# Ollama ends an answer after more than 30 tokens that are equal but for white space; no token is longer than this.
GUARD_TOKENS, LONGEST_TOKEN = 31, 40


class Repeated(NamedTuple):
    """The piece that a text ends in, and how often it is there in a row (counted up to MOST_TIMES)."""

    piece: str
    times: int


def repeated_tail(text: str) -> Repeated | None:
    """The shortest piece of which the tail of a text consists, by the lengths in TAILS; None of ordinary text.

    A tail of `span` characters has a period of at most `span / times` exactly if what follows its first `span / times`
    characters is found once more further left, and that far apart all of it is equal; the last such place tells the
    shortest period (by the theorem of Fine and Wilf no longer one would fit if that does not).
    """
    for span, times in TAILS:
        if len(text) < span:
            return None
        tail, longest = text[-span:], span // times
        at = tail.rfind(tail[longest:], 0, span - 1)
        if at >= 0:
            period = longest - at
            if tail[period:] == tail[:-period]:
                return _count(text, period, span // period)
    return None


def _count(text: str, period: int, times: int) -> Repeated:
    piece = text[-period:]
    while times < MOST_TIMES and text[-(times + 1) * period : -times * period] == piece:
        times += 1
    return Repeated(piece, times)


def equal_tokens(text: str) -> bool:
    """Does a text end in so many equal tokens, white space aside, that Ollama's guard ends the answer there?"""
    tail = text[-GUARD_TOKENS * LONGEST_TOKEN * 2 :]
    if len(tail) - len(tail.rstrip()) >= GUARD_TOKENS:
        return True
    dense = "".join(tail.split())
    for length in range(1, min(LONGEST_TOKEN, len(dense) // GUARD_TOKENS) + 1):
        end = dense[-GUARD_TOKENS * length :]
        if end[length:] == end[:-length]:
            return True
    return False
