"""Room in memory for long answers: what all of a process's connections hold is bounded, whatever servers send.

Each answer may hold FREE_BYTES; what they hold beyond it is at most SHARED_BYTES together. Then those that would hold
more are no longer read from, so that their servers must wait, until others have ended and been interpreted; one of them
may always go on, up to the bound of one answer.
"""

from collections.abc import Callable

FREE_BYTES = 2 * 1024 * 1024
SHARED_BYTES = 48 * 1024 * 1024


class Holding:
    """What one long answer holds of the room; `stop` and `go_on` are of its reading."""

    __slots__ = ("_room", "bytes", "go_on", "stop")

    def __init__(self, room: "Room", stop: Callable[[], None], go_on: Callable[[], None]) -> None:
        self._room, self.bytes = room, 0
        self.stop, self.go_on = stop, go_on

    @property
    def waits(self) -> bool:
        """Is its reading stopped?"""
        return self._room.waits(self)

    def grow(self, more_bytes: int) -> None:
        """It holds more; its reading is stopped if that is too much."""
        self._room.grow(self, more_bytes)

    def end_reading(self) -> None:
        """No more will be read; but it is held until it has been interpreted."""
        self._room.end_reading(self)

    def give_back(self) -> None:
        """It is not held any more: others may go on."""
        self._room.leave(self)


class Room:
    """The shared room of a process. `held_back` counts how often an answer had to wait."""

    def __init__(self, shared_bytes: int = SHARED_BYTES) -> None:
        self._shared_bytes, self._taken_bytes = shared_bytes, 0
        self._going: set[Holding] = set()  # those that will give back what they hold without waiting for another
        self._waiting: list[Holding] = []
        self.held_back = 0

    def enter(self, stop: Callable[[], None], go_on: Callable[[], None]) -> Holding:
        """A share for an answer that grows beyond its free part."""
        share = Holding(self, stop, go_on)
        self._going.add(share)
        return share

    def grow(self, share: Holding, more_bytes: int) -> None:
        """See `Share.grow`."""
        share.bytes += more_bytes
        self._taken_bytes += more_bytes
        if self._taken_bytes > self._shared_bytes and len(self._going) > 1 and share in self._going:
            self._going.discard(share)
            self._waiting.append(share)
            self.held_back += 1
            share.stop()

    def waits(self, share: Holding) -> bool:
        """See `Share.waits`."""
        return share in self._waiting

    def end_reading(self, share: Holding) -> None:
        """See `Holding.end_reading`."""
        if share in self._waiting:
            self._waiting.remove(share)
            self._going.add(share)
        share.stop = share.go_on = _nothing

    def leave(self, share: Holding) -> None:
        """See `Share.give_back`."""
        self.end_reading(share)
        self._going.discard(share)
        self._taken_bytes -= share.bytes
        share.bytes = 0
        while self._waiting and (self._taken_bytes <= self._shared_bytes or not self._going):
            longest = max(self._waiting, key=lambda one: one.bytes)  # it has the shortest way to its end
            self._waiting.remove(longest)
            self._going.add(longest)
            longest.go_on()


def _nothing() -> None:
    pass


ROOM = Room()
