"""Ctrl-C where it does no harm."""

import signal

import gevent


def hear_interrupts() -> None:
    """Have the event loop take SIGINT, and raise KeyboardInterrupt in the main greenlet only, where Locust expects it.

    Python raises it wherever it is just then: in a user, which then ends without its clean-up; in the watcher of the
    socket to the workers, and the master hears none of them for seconds. Where it is ignored (nohup), it stays so.
    """
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        interrupt = gevent.get_hub().handle_system_error
        gevent.signal_handler(signal.SIGINT, interrupt, KeyboardInterrupt, KeyboardInterrupt())
