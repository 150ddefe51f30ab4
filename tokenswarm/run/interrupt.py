"""Signals where they do no harm."""

import os
import signal
import sys
from typing import Any

import gevent

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
INSISTED = 1  # the exit code of who left without an end


def hear_interrupts() -> None:
    """Have the event loop take SIGINT, and raise KeyboardInterrupt in the main greenlet only, where Locust expects it.

    Python raises it wherever it is just then: in a user, which then ends without its clean-up; in the watcher of the
    socket to the workers, and the master hears none of them for seconds. Where it is ignored (nohup), it stays so.
    """
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        interrupt = gevent.get_hub().handle_system_error
        gevent.signal_handler(signal.SIGINT, interrupt, KeyboardInterrupt, KeyboardInterrupt())


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
    """SIGHUP ends a run as SIGTERM does; under nohup it is ignored, as it was."""
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
        gevent.signal_handler(signal.SIGHUP, os.kill, os.getpid(), signal.SIGTERM)
