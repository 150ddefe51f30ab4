"""Time slices: one greenlet at a time interprets what it received, with the loop's turn every millisecond."""

import time
from types import TracebackType

import gevent
from gevent.lock import BoundedSemaphore

SLICE_NS = 1_000_000
MOST_SLICES = 100  # no answer takes longer to interpret, but one that no model gave
# gevent.sleep(0) would not do: it is a callback, and gevent runs up to 50 of them, 50 ms of ours, before it looks at
# the sockets again. A timer, however short, comes after them.
TURN_S = 1e-6


class TimeSlices:
    """One reader at a time: without it 300 streams that end together would each take a slice before the loop's turn.

    An answer that takes long to interpret, longer than any model's does, goes on among such ones, one at a time, too.
    """

    def __init__(self) -> None:
        self.lock, self.slow_lock = BoundedSemaphore(1), BoundedSemaphore(1)
        self.left_ns = 0
        self.slice_ends_ns = 0


class ReadingTurn:
    """One reader's; a context manager; inside, `yield_to_loop` now and then."""

    def __init__(self, slices: TimeSlices) -> None:
        self._shared = slices
        self._held: BoundedSemaphore | None = None
        self._slices = 0

    def __enter__(self) -> "ReadingTurn":
        slices = self._shared
        slices.lock.acquire()
        self._held = slices.lock
        now_ns = time.monotonic_ns()
        if now_ns - slices.left_ns > SLICE_NS:
            slices.slice_ends_ns = now_ns + SLICE_NS  # nobody was here: the loop has had its turns
        try:
            self.yield_to_loop()
        except BaseException:
            self._leave()
            raise
        return self

    def yield_to_loop(self) -> None:
        """Let the loop look at its sockets, if the slice is over."""
        if time.monotonic_ns() <= self._shared.slice_ends_ns:
            return
        self._slices += 1
        if self._slices == MOST_SLICES:
            self._leave()
            self._shared.slow_lock.acquire()
            self._held = self._shared.slow_lock
        gevent.sleep(TURN_S)
        self._shared.slice_ends_ns = time.monotonic_ns() + SLICE_NS

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._shared.left_ns = time.monotonic_ns()
        self._leave()

    def _leave(self) -> None:
        held, self._held = self._held, None
        if held:
            held.release()
