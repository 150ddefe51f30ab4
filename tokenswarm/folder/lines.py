"""Rows as the lines of requests.csv: made once, and spooled, sent, written and merged as they are."""

import csv
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

from tokenswarm.folder.row import Cell, Row

csv.field_size_limit(sys.maxsize)  # a cell may hold a kept prompt of any length


class _Echo:
    def write(self, text: str) -> str:
        return text


_writer = csv.writer(_Echo(), lineterminator="\n")


def line(cells: Sequence[Cell]) -> bytes:
    """One row as requests.csv holds it, with its line end."""
    text: object = _writer.writerow(cells)
    return str(text).encode("utf-8", "backslashreplace")


def records(pieces: Iterable[bytes]) -> Iterator[bytes]:
    r"""Whole rows out of pieces that end with "\n" (a binary file): a last one that was cut is left out.

    A quoted cell may hold line ends. A quote inside a cell is doubled, so at the end of a row there has always been an
    even number of them.
    """
    held: list[bytes] = []
    quotes = 0
    for piece in pieces:
        held.append(piece)
        quotes += piece.count(b'"')
        if quotes % 2 == 0 and piece.endswith(b"\n"):
            yield b"".join(held)
            held, quotes = [], 0


def cells(block: bytes) -> Iterator[list[str]]:
    """The cells, as text, of whole rows."""
    yield from csv.reader(map(bytes.decode, records(block.splitlines(keepends=True))))


def rows(path: Path, pause: Callable[[], None] = lambda: None) -> Iterator[Row]:
    """The rows of a requests.csv; `pause` is called every thousand, some 20 ms. Raises OSError.

    The last one may have been cut: its cells are then absent from there on.
    """
    with path.open(newline="", encoding="utf-8", errors="replace") as file:
        lines = csv.reader(file)
        header = next(lines, [])
        for number, found in enumerate(filter(None, lines), 1):
            yield Row(found, header)
            if number % 1000 == 0:
                pause()
