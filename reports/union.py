"""The union of rows from several files: each row once, in an order that depends on nothing but the rows."""

import csv
import os
import sqlite3
from collections.abc import Iterable, Iterator
from pathlib import Path

from tokenswarm.folder.damage import batches, sound
from tokenswarm.folder.lines import cells, line
from tokenswarm.folder.row import COLUMNS
from tokenswarm.reports.errors import ReportError

_WORKER, _SEQUENCE = COLUMNS.index("worker"), COLUMNS.index("sequence")
_BEGAN = tuple(COLUMNS.index(f"{name}_unix_ns") for name in ("sent", "scheduled", "ended"))
Row = tuple[int, int, int, bytes]  # worker, sequence, ns when it began, the line of requests.csv


class Union:
    """Rows by identity (worker and sequence), in a database that lives on disk for as long as this does."""

    def __init__(self) -> None:
        self._rows = sqlite3.connect("")
        self._rows.execute("CREATE TABLE row (worker, sequence, began, line, PRIMARY KEY (worker, sequence))")

    def add(self, path: Path) -> None:
        """Take in the whole rows of a requests.csv. Raises ReportError if it is none of this version."""
        with path.open("rb") as file:
            header = file.readline()  # a master that was killed at once has written nothing
            if header and header != line(COLUMNS):
                raise ReportError(f"{path}: its columns are those of another version; merge it with that one")
            file.seek(0)
            lines = (text for batch in batches(file, len(COLUMNS)) for text in sound(batch, COLUMNS).lines)
            # Of two rows of one identity, which there should not be, the choice is not the order of the files'.
            self._rows.executemany(
                "INSERT INTO row VALUES (?, ?, ?, ?) ON CONFLICT DO UPDATE SET began = excluded.began, "
                "line = excluded.line WHERE excluded.line < line",
                filter(None, map(_row, lines)),
            )

    def write(self, path: Path) -> int:
        """Replace a requests.csv whole, in order of when the requests began; give the number of rows."""
        new, count = path.with_name(f".{path.name}.new"), 0
        try:
            with new.open("wb") as file:
                file.write(line(COLUMNS))
                for (text,) in self._rows.execute("SELECT line FROM row ORDER BY began, worker, sequence"):
                    file.write(text)
                    count += 1
                file.flush()
                os.fsync(file.fileno())
            os.replace(new, path)
        except OSError:
            new.unlink(missing_ok=True)  # its disk may be full
            raise
        return count

    def workers(self) -> Iterator[tuple[int, int, int]]:
        """(worker, its rows, how many sequence numbers below its highest have none)."""
        counted = "SELECT worker, count(*), max(sequence) + 1 - count(*) FROM row GROUP BY worker ORDER BY worker"
        yield from self._rows.execute(counted)

    def last_ended_ns(self) -> int | None:
        """When the last request ended, wall clock."""
        at = COLUMNS.index("ended_unix_ns")
        ends = (row[at] for (text,) in self._rows.execute("SELECT line FROM row") for row in cells(text))
        return max((int(ns) for ns in ends if ns), default=None)


def _row(text: bytes) -> Row | None:
    try:
        found = next(cells(text))
        if len(found) != len(COLUMNS):
            return None
        began_ns = next((int(found[at]) for at in _BEGAN if found[at]), 0)
        return int(found[_WORKER]), int(found[_SEQUENCE]), began_ns, text
    except (ValueError, csv.Error):
        return None  # what a disk made of it


def union(paths: Iterable[Path]) -> Union:
    """The union of some files' rows."""
    found = Union()
    for path in paths:
        found.add(path)
    return found
