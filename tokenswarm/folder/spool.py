"""Rows on their way to the master: kept on the worker's own disk until it has them, taken by it exactly once."""

import contextlib
import io
import json
import os
from array import array
from bisect import bisect_right
from itertools import islice
from pathlib import Path
from typing import Any

from tokenswarm.folder.append import Appended
from tokenswarm.folder.lines import line, records
from tokenswarm.folder.row import COLUMNS

FOLDER = "spool"
ROWS, FACTS = "requests.csv", "worker.json"
MOST_BYTES, WINDOW_BYTES = 1 << 21, 1 << 23  # of one message, and of all that are not acknowledged


def spool_path(run_dir: str, run_id: str, client_id: str) -> Path:
    """Where a worker keeps the rows of a run. Raises OSError for a run that cannot be a folder's name."""
    if Path(run_id).name != run_id or run_id in ("", ".."):
        raise OSError(f"the run's name {run_id!r} is no name of a folder")
    return Path(run_dir) / FOLDER / run_id / client_id


class Outbox:
    """A worker's rows, numbered from 0 without holes. Each is written to the spool at once, and read back to be sent.

    Without a path, or when the disk takes no more, they are kept in memory until acknowledged.
    """

    def __init__(self, path: Path | None = None) -> None:
        self.made = self.acknowledged = self.sent = 0
        self.broken = ""
        self._path = path
        self._file: Appended | None = None
        self._memory, self._memory_from = bytearray(), 0
        if path:
            path.mkdir(parents=True)
            self._file = Appended(path / ROWS, line(COLUMNS))
        # Where the last acknowledged row ends, and each one after it.
        self._ends = array("Q", [self._file.size if self._file else 0])

    def add(self, row: bytes) -> None:
        """Take a line of requests.csv in; it gets the next number."""
        if self._file:
            try:
                self._file.append(row)
            except OSError as error:
                self.broken = str(error)
                self._memory, self._memory_from = bytearray(self._read(0, len(self._ends) - 1)), self._ends[0]
                self._file.close()
                self._file = None
        if not self._file:
            self._memory += row
        self._ends.append(self._ends[-1] + len(row))
        self.made += 1

    def take(self) -> tuple[int, int, bytes]:
        """(number of the first, how many, the rows): what is to be sent next. Nothing while too much is on its way."""
        begin, ends = self.sent - self.acknowledged, self._ends
        end = min(bisect_right(ends, ends[begin] + MOST_BYTES) - 1, bisect_right(ends, ends[0] + WINDOW_BYTES) - 1)
        end = max(begin, end, min(1, len(ends) - 1))  # a row may be larger than that
        first, self.sent = self.sent, self.acknowledged + end
        return first, end - begin, self._read(begin, end)

    def acknowledge(self, up_to: int, first: int) -> None:
        """The master has the rows below `up_to`, having got a message that began with `first`.

        One that began beyond what the master has followed a lost one: from there all is sent again.
        """
        had = min(up_to, self.made) - self.acknowledged
        if had > 0:
            self.acknowledged += had
            self._ends = self._ends[had:]
            self.sent = max(self.sent, self.acknowledged)
            if not self._file:
                del self._memory[: self._ends[0] - self._memory_from]
                self._memory_from = self._ends[0]
        if first > up_to:
            self.sent = self.acknowledged

    def note(self, facts: dict[str, Any]) -> None:
        """Keep what is known of this worker beside its rows, replaced whole."""
        if self._path and self._path.exists():
            with contextlib.suppress(OSError):  # a disk that is full; `broken` will say so
                new = self._path / f".{FACTS}.new"
                new.write_text(json.dumps(facts, ensure_ascii=False), encoding="utf-8", errors="backslashreplace")
                os.replace(new, self._path / FACTS)

    def close(self) -> None:
        """No more rows: what the master does not have stays in the spool, and may be merged."""
        if self._file:
            self._file.close()

    def remove(self) -> None:
        """The master has everything: the spool goes, and the folders around it where they are empty."""
        if self._file:
            self._file.close()
            self._file, self._memory_from = None, self._ends[0]
        if self._path:
            with contextlib.suppress(OSError):
                for name in (ROWS, FACTS):
                    (self._path / name).unlink(missing_ok=True)
                for folder in (self._path, *self._path.parents[:2]):
                    folder.rmdir()

    def _read(self, begin: int, end: int) -> bytes:
        start, stop = self._ends[begin], self._ends[end]
        if self._file:
            return self._file.read(start, stop)
        return bytes(self._memory[start - self._memory_from : stop - self._memory_from])


class Inbox:
    """The master's side, per worker: which rows are new."""

    def __init__(self) -> None:
        self._have: dict[str, int] = {}

    def have(self, client_id: str) -> int:
        """The number below which all rows of a worker are here."""
        return self._have.get(client_id, 0)

    def new(self, client_id: str, first: int, count: int, rows: bytes) -> tuple[int, bytes]:
        """(how many, the rows) that were not had before; of a message beyond what is had, none: one was lost before."""
        skip = self.have(client_id) - first
        if skip < 0 or skip >= count:
            return 0, b""
        return count - skip, b"".join(islice(records(io.BytesIO(rows)), skip, None)) if skip else rows

    def had(self, client_id: str, count: int) -> None:
        """So many more are on the file system."""
        self._have[client_id] = self.have(client_id) + count
