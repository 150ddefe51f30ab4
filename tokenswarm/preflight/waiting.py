"""What goes on before the load, said to whoever waits for it: on the terminal, and for the page."""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

import gevent

FIRST_S, NEXT_S = 1.0, 10.0

_steps: list[tuple[str, str, float]] = []  # what, how, since when; the innermost last


def describe_step() -> str:
    """What goes on now, and for how long; "" if nothing does."""
    if not _steps:
        return ""
    what, how, since_s = _steps[-1]
    return f"{what} ({how}{time.monotonic() - since_s:.0f} s)"


@contextmanager
def step(what: str, how: str = "") -> Iterator[None]:
    """While it goes on: said after a second, as most are over by then, and every ten from then on."""
    here = (what, f"{how}, " if how else "", time.monotonic())
    _steps.append(here)
    teller = gevent.spawn(_tell)
    try:
        yield
    finally:
        _steps.remove(here)
        teller.kill()


def _tell() -> None:
    gevent.sleep(FIRST_S)
    while True:
        print(f"tokenswarm: {describe_step()} …", file=sys.stderr, flush=True)
        gevent.sleep(NEXT_S)
