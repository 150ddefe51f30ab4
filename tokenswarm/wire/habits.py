"""HABITS: what servers and proxies do otherwise than their API says, and what it means for a run's figures.

A row's `habits` holds the names of those that its answer showed; each is a remark of its own in the report.
"""

from typing import NamedTuple


class Habit(NamedTuple):
    """`what` is said of the share of the answers ({figure} %) that show it; `do` is what could be done about it."""

    name: str
    what: str
    do: str


HABITS: tuple[Habit, ...] = (
    Habit(
        "left_open",
        "{figure} % of the answers said that they had ended, but their HTTP body went on: each counts up to its "
        "own end, and each needed a new connection",
        "see why the server, or a proxy before it, does not end its bodies",
    ),
    Habit(
        "no_sentinel",
        "{figure} % of the streams ended with a finish reason, but without [DONE]: they are taken as whole",
        "nothing, if the server never sends it; else see what cuts its streams",
    ),
    Habit(
        "no_finish_reason",
        "{figure} % of the streams ended with [DONE], but without a finish reason: they are taken as whole, why "
        "they ended is not known",
        "see what cuts the server's streams, if it has finish reasons at all",
    ),
    Habit(
        "not_streamed",
        "{figure} % of the answers came whole, though a stream was asked for: they have no TTFT, no gaps and no TPOT",
        "see whether the server, or a proxy before it, can stream at all, also with tools or a format",
    ),
    Habit(
        "mislabelled",
        "{figure} % of the answers were no such thing as their content type says: they are read as what they are",
        "nothing; other clients may go by the label",
    ),
    Habit(
        "compressed",
        "{figure} % of the answers came compressed, though identity was asked for: their chunks cannot be timed "
        "apart unless the server flushes each",
        "switch compression off in the server or the proxy before it",
    ),
    Habit(
        "length_and_chunked",
        "{figure} % of the answers had a Content-Length beside chunked: it is passed over, and each needed a new "
        "connection (RFC 9112, 6.3)",
        "see which proxy adds it",
    ),
    Habit(
        "repeated",
        "{figure} % of the streams said again what they had said before, at their end or in each chunk: it is left out",
        "nothing",
    ),
    Habit(
        "other_choices",
        "{figure} % of the answers held more than one choice: only the first is read, but the server counts the "
        "tokens of all",
        "leave n out of the request's fields, or see why the server sends more than was asked for",
    ),
)
