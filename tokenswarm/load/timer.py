"""Waking up at a wall-clock time, to a tenth of a millisecond.

The event loop's own timers end with epoll, which waits in whole milliseconds: an arrival would go out up to 1 ms late,
and gaps of less would be none. Linux's timerfd is a file that becomes readable at the very time; Python has it from
3.13 on, so libc is called here. Elsewhere the loop's timer has to do.
"""

import contextlib
import ctypes
import os
import sys
import time

import gevent
from gevent import get_hub

_Times = ctypes.c_int64 * 4  # struct itimerspec: the interval's s and ns, the first time's s and ns
SUPPORTED = sys.platform == "linux" and ctypes.sizeof(ctypes.c_long) == 8


class Alarm:
    """For one greenlet, which must close it."""

    def __init__(self) -> None:
        self._file: int | None = None
        if SUPPORTED:
            self._libc = ctypes.CDLL(None, use_errno=True)
            made = self._libc.timerfd_create(time.CLOCK_MONOTONIC, os.O_NONBLOCK | os.O_CLOEXEC)
            if made >= 0:
                self._file, self._watcher = made, get_hub().loop.io(made, 1)

    def close(self) -> None:
        """Give the file back."""
        if self._file is not None:
            self._watcher.close()
            os.close(self._file)
            self._file = None

    def sleep_until(self, due_ns: int) -> None:
        """Sleep until then, wall-clock ns; where that is over already, let the others have their turn."""
        left_ns = due_ns - time.time_ns()
        if self._file is None or left_ns <= 0:
            gevent.sleep(max(0, left_ns) / 1e9)
            return
        times = _Times(0, 0, *divmod(left_ns, 1_000_000_000))
        if self._libc.timerfd_settime(self._file, 0, times, None):
            gevent.sleep(left_ns / 1e9)
            return
        get_hub().wait(self._watcher)
        with contextlib.suppress(BlockingIOError):
            os.read(self._file, 8)
