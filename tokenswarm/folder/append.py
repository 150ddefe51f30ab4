"""A file that only grows, by whole blocks."""

import contextlib
import fcntl
import os
from pathlib import Path

COPIED_BYTES = 1024 * 1024


class Appended:
    """What `append` has taken is with the operating system: it outlives this process, however that ends.

    A block goes out with one write; one that cannot be written (OSError) leaves nothing of itself behind.
    """

    def __init__(self, path: Path, header: bytes) -> None:
        self._fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_APPEND, 0o644)
        with contextlib.suppress(OSError):  # some network file systems know no locks
            fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)  # gone with this process, however it ends
        self.size = 0
        self.append(header)

    def append(self, block: bytes) -> None:
        """Put a block at the end."""
        rest = memoryview(block)
        try:
            while rest:
                rest = rest[os.write(self._fd, rest) :]
        except OSError:
            os.ftruncate(self._fd, self.size)
            raise
        self.size += len(block)

    def read(self, start: int, end: int) -> bytes:
        """The bytes between two places."""
        return os.pread(self._fd, end - start, start)

    def is_at(self, path: Path) -> bool:
        """Is it this file that a path leads to?"""
        try:
            return os.path.samestat(os.fstat(self._fd), path.stat())
        except OSError:
            return False

    def copy(self, path: Path) -> "Appended":
        """All that it holds, in a new file: also of one that has been removed. Raises OSError."""
        made = Appended(path, b"")
        for start in range(0, self.size, COPIED_BYTES):
            made.append(self.read(start, min(self.size, start + COPIED_BYTES)))
        return made

    def sync(self) -> None:
        """Have it on the disk itself, where it also outlives a power cut."""
        os.fsync(self._fd)

    def close(self) -> None:
        """No more blocks."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1


def in_use(path: Path) -> bool:
    """Does a process still append to this file?"""
    with path.open("rb") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        except OSError:
            return False
        return False
