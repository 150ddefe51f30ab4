"""A bound on how long a user's pattern may keep the process: CPU time, since `re` cannot be asked to give up."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import FrameType

LIMIT_S = 0.005


class TookTooLong(Exception):
    """What was begun was given up, undecided."""


class _Alarm(BaseException):
    """Raised where the time is over. No Exception, so that nothing in between takes it for an error of its own."""


def _ring(number: int, frame: FrameType | None) -> None:
    raise _Alarm


@contextmanager
def at_most(limit_s: float = LIMIT_S) -> Iterator[None]:
    """End what is inside after `limit_s` of this process's CPU time. Raises TookTooLong.

    `re` looks for signals while it matches, so a timer's signal ends it: after one or two of the kernel's ticks (4 ms)
    more. Only Python's main thread hears signals, and gevent's loop must not run inside; elsewhere there is no bound.
    """
    try:
        before = signal.signal(signal.SIGVTALRM, _ring)
    except ValueError:  # another thread
        yield
        return
    try:
        signal.setitimer(signal.ITIMER_VIRTUAL, limit_s)
        try:
            yield
        finally:
            signal.setitimer(signal.ITIMER_VIRTUAL, 0)
    except _Alarm:
        raise TookTooLong from None
    finally:
        with suppress(_Alarm):  # it may still have been on its way
            signal.signal(signal.SIGVTALRM, before)
