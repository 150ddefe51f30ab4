"""Time slices: one greenlet at a time begins a request or reads what it received, with the loop's turn every ms.

Where answers end together, their users go on first, and what they got is read while the server thinks.
"""

import time
from types import TracebackType

import gevent
from gevent.lock import BoundedSemaphore

SLICE_NS = 1_000_000
MOST_BEGINNING_NS = 5_000_000  # half of what lies between two tokens of a fast server
CROWD_NS, LOOK_AGAIN_S = 5_000_000, 0.002
MOST_SLICES = 100  # no answer takes longer to interpret, but one that no model gave
# gevent.sleep(0) would not do: it is a callback, and gevent runs up to 50 of them, 50 ms of ours, before it looks at
# the sockets again. A timer, however short, comes after them.
TURN_S = 1e-6


def give_loop_turn() -> None:
    """In long work: let the loop look at its sockets once."""
    gevent.sleep(TURN_S)


class TimeSlices:
    """One reader at a time: without it 300 streams that end together would each take a slice before the loop's turn.

    An answer that takes long to interpret, longer than any model's does, goes on among such ones, one at a time, too.
    Who is to begin a request comes before all readers.
    """

    def __init__(self) -> None:
        self.lock, self.slow_lock = BoundedSemaphore(1), BoundedSemaphore(1)
        self.beginning = BoundedSemaphore(1)
        self.left_ns = 0
        self.slice_ends_ns = 0
        self.crowd_ends_ns = 0

    def is_crowded(self) -> bool:
        """Did requests have to wait for their turn to begin just now? Then more may follow."""
        return time.monotonic_ns() < self.crowd_ends_ns

    def take_beginning_turn(self) -> None:
        """Wait until a request may be begun, one after the other, so that the loop has its turns among many.

        In between they are begun for as long as the loop took for its turn: else, where it reads much, they would be
        held up by a multiple of what they take.
        """
        with self.beginning:
            if (now_ns := time.monotonic_ns()) > self.slice_ends_ns:
                if now_ns - self.left_ns <= SLICE_NS:
                    give_loop_turn()
                    self.crowd_ends_ns = time.monotonic_ns() + CROWD_NS
                turn_ns = (again_ns := time.monotonic_ns()) - now_ns
                self.slice_ends_ns = again_ns + min(max(SLICE_NS, turn_ns), MOST_BEGINNING_NS)
            self.left_ns = time.monotonic_ns()


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
        shared = self._shared
        if time.monotonic_ns() <= shared.slice_ends_ns and not shared.beginning.locked():
            return
        self._slices += 1
        if self._slices == MOST_SLICES:
            self._leave()
            shared.slow_lock.acquire()
            self._held = shared.slow_lock
        give_loop_turn()
        while shared.beginning.locked():
            give_loop_turn()
        shared.slice_ends_ns = time.monotonic_ns() + SLICE_NS

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._shared.left_ns = time.monotonic_ns()
        self._leave()

    def _leave(self) -> None:
        held, self._held = self._held, None
        if held:
            held.release()
