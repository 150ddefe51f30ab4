"""The reading lane: one greenlet at a time interprets what it received, with the loop's turn every millisecond."""

import time
from types import TracebackType

import gevent
from gevent.lock import BoundedSemaphore

SLICE_NS = 1_000_000
# gevent.sleep(0) would not do: it is a callback, and gevent runs up to 50 of them, 50 ms of ours, before it looks at
# the sockets again. A timer, however short, comes after them.
TURN_S = 1e-6


class TimeSlices:
    """A context manager; inside, `breathe` now and then.

    Without it 300 streams that end together would each take their slice before the loop gets to its sockets again.
    """

    def __init__(self) -> None:
        self._lock = BoundedSemaphore(1)
        self._slice_ends_ns = self._left_ns = 0

    def __enter__(self) -> "TimeSlices":
        self._lock.acquire()
        now_ns = time.monotonic_ns()
        if now_ns - self._left_ns > SLICE_NS:
            self._slice_ends_ns = now_ns + SLICE_NS  # nobody was here: the loop has had its turns
        try:
            self.yield_to_loop()
        except BaseException:
            self._lock.release()
            raise
        return self

    def yield_to_loop(self) -> None:
        """Let the loop look at its sockets, if the slice is over."""
        if time.monotonic_ns() > self._slice_ends_ns:
            gevent.sleep(TURN_S)
            self._slice_ends_ns = time.monotonic_ns() + SLICE_NS

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._left_ns = time.monotonic_ns()
        self._lock.release()
