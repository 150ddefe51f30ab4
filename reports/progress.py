"""A line on stderr now and then while something takes long, so that nobody waits in silence."""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

FIRST_S, EVERY_S = 2.0, 5.0


class ReadingProgress:
    """Says where things stand, 2 s after it began and every 5 s from then on."""

    def __init__(self) -> None:
        self._next_s = time.monotonic() + FIRST_S

    def say(self, what: str) -> None:
        """One line, if it is time for one."""
        if (now_s := time.monotonic()) >= self._next_s:
            self._next_s = now_s + EVERY_S
            print(f"tokenswarm: {what}", file=sys.stderr, flush=True)


_HEARD: ContextVar[ReadingProgress | None] = ContextVar("progress", default=None)


@contextmanager
def show_progress() -> Iterator[None]:
    """Within it `progress` is heard; a program that only uses our functions stays silent."""
    token = _HEARD.set(ReadingProgress())
    try:
        yield
    finally:
        _HEARD.reset(token)


def progress(what: str) -> None:
    """What is being done now, with how much of it is done."""
    if heard := _HEARD.get():
        heard.say(what)
