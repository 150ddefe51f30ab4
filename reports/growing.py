"""An array that grows: in memory as long as it is short, in a file beyond that."""

import os
import tempfile
from io import FileIO
from typing import Any

import numpy as np

MOST_IN_MEMORY = 1 << 18  # values; of more a file holds all, and what is asked for is read from it each time
PIECE = 1 << 18  # values of a file that are read at once where not all are wanted


class Growing:
    """Values of one dtype, in order; nothing is there before `put`. Raises OSError where a disk is full."""

    def __init__(self, dtype: Any) -> None:
        self._all, self.rows, self.dtype = np.empty(0, dtype=dtype), 0, np.dtype(dtype)
        self._file: FileIO | None = None

    def put(self, values: Any, rows: int) -> None:
        """So many values, or one for all of the rows."""
        end = self.rows + rows
        if end > MOST_IN_MEMORY and self._file is None:
            self._file = _file()
            self._write(self._all[: self.rows])
            self._all = self._all[:0].copy()
        if self._file is not None:
            self._write(np.broadcast_to(np.asarray(values, dtype=self.dtype), rows))
        else:
            if end > len(self._all):
                self._all.resize(max(end, len(self._all) * 3 // 2), refcheck=False)
            self._all[self.rows : end] = values
        self.rows = end

    def _write(self, values: Any) -> None:
        assert self._file is not None
        for begin in range(0, len(values), PIECE):
            left = np.ascontiguousarray(values[begin : begin + PIECE]).view(np.uint8).data
            while left:
                left = left[self._file.write(left) :]

    def values(self, at: Any = None) -> Any:
        """All of them, or those at some positions: an array of these, or a slice."""
        if self._file is None:
            return self._all[: self.rows] if at is None else self._all[at]
        if at is None:
            return self._read(0, self.rows)
        if isinstance(at, slice):
            return self._read(at.start, at.stop)
        if (at[1:] < at[:-1]).any():
            return self._read(0, self.rows)[at]
        found = np.empty(len(at), dtype=self.dtype)
        for begin in range(int(at[0]) // PIECE * PIECE, int(at[-1]) + 1, PIECE) if len(at) else ():
            first, last = np.searchsorted(at, (begin, begin + PIECE))
            if first < last:
                least, most = int(at[first]), int(at[last - 1]) + 1
                self._read(least, most).take(at[first:last] - least, out=found[first:last], mode="clip")
        return found

    def _read(self, begin: int, end: int) -> Any:
        """By their place: processes that were forked (see `aside`) have one file, and would move in it."""
        assert self._file is not None
        found = np.empty(end - begin, dtype=self.dtype)
        size, left = found.dtype.itemsize, found.view(np.uint8).data
        while left and (n := os.preadv(self._file.fileno(), [left], end * size - len(left))):
            left = left[n:]
        return found

    def wider(self, dtype: Any) -> None:
        """Have the same values, and those to come, in another dtype."""
        if self._file is None:
            self._all, self.dtype = self._all.astype(dtype), np.dtype(dtype)
            return
        wide = Growing(dtype)
        wide._file = _file()
        for begin in range(0, self.rows, PIECE):
            wide._write(self._read(begin, min(begin + PIECE, self.rows)).astype(dtype))
        self._file, wide._file, self.dtype = wide._file, self._file, wide.dtype

    def __del__(self) -> None:
        if self._file is not None:
            self._file.close()


def _file() -> FileIO:
    """It has no name, and is gone when the process is."""
    return tempfile.TemporaryFile(buffering=0)
