"""Arrivals of an open loop without a row: nobody was there to send them, or who sent them was lost."""

from array import array
from collections import defaultdict
from collections.abc import Mapping
from typing import Any

# Workers hear of the run's end one after the other: of the arrivals of its last second some have a row, some have not.
TAIL_NS = 1_000_000_000


class Offered:
    """The arrivals that have a row, by stage: each trial of a capacity search numbers its own from 0."""

    def __init__(self) -> None:
        self._of: dict[int | None, array[int]] = defaultdict(lambda: array("q"))  # number, when it was due (ns), …

    def add(self, row: Mapping[str, Any]) -> None:
        """Take in a row of requests.csv; only a conversation's first request bears its arrival's number, from 0."""
        if (number := row["arrival"]) is not None:
            self._of[row["stage"]].extend((number, row["scheduled_unix_ns"]))

    @property
    def arrivals(self) -> int:
        """Those that were due, but in the last second of their stage."""
        return sum(last + 1 for last, _ in map(_count, self._of.values()))

    @property
    def unsent(self) -> int:
        """Those of them without a row."""
        return sum(last + 1 - there for last, there in map(_count, self._of.values()))


def _count(pairs: "array[int]") -> tuple[int, int]:
    """(the last number before the tail, how many numbers up to it there are); (-1, 0) if all of it is tail."""
    numbers, due_ns = pairs[::2], pairs[1::2]
    until_ns = max(due_ns) - TAIL_NS
    last = max((number for number, at_ns in zip(numbers, due_ns, strict=True) if at_ns <= until_ns), default=-1)
    return last, len({number for number in numbers if number <= last})
