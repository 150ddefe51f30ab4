"""Signals where they do no harm."""

import os
import signal
import sys
import time
from types import FrameType
from typing import Any

import gevent

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
STUCK_S = 1.0
INSISTED = 1  # the exit code of who left without an end
heard_s: list[float] = []  # when a signal asked this process for its end, on the monotonic clock


def hear_interrupts() -> None:
    """On SIGINT raise KeyboardInterrupt in the main greenlet, where Locust expects it, in the loop's turn.

    Python raises it wherever it is just then: in a user, which then ends without its clean-up; in the watcher of the
    socket to the workers, and the master hears none of them for seconds. So it does only when asked again after a
    second in which the loop had no turn. Where SIGINT is ignored (nohup), it stays so.
    """
    hub, asked_s = gevent.get_hub(), list[float]()

    def in_main() -> None:
        asked_s.clear()
        hub.handle_system_error(KeyboardInterrupt, KeyboardInterrupt())

    def on_interrupt(number: int, frame: FrameType | None) -> None:
        _hear()
        if not asked_s:
            asked_s.append(time.monotonic())
            hub.loop.run_callback_threadsafe(gevent.spawn, in_main)
        elif time.monotonic() - asked_s[0] > STUCK_S:
            signal.default_int_handler(number, frame)

    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, on_interrupt)


def be_patient(at_what: str) -> None:
    """From now on signals do not break off what ends by itself, soon; whoever insists may leave without it."""
    asked = iter(range(1, 1000))

    def on_signal(_number: int, _frame: Any) -> None:
        if next(asked) > 2:
            os._exit(INSISTED)
        print(f"tokenswarm: {at_what}; a moment", file=sys.stderr)

    for number in SIGNALS:
        signal.signal(number, on_signal)


def hear_hangups() -> None:
    """SIGHUP ends a run as SIGTERM does, which Locust hears; under nohup it is ignored, as it was."""
    gevent.signal_handler(signal.SIGTERM, _hear)
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
        gevent.signal_handler(signal.SIGHUP, _hang_up)


def _hear() -> None:
    heard_s.append(time.monotonic())


def _hang_up() -> None:
    _hear()
    os.kill(os.getpid(), signal.SIGTERM)
