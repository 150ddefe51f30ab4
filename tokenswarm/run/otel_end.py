"""What `--otel` costs where no collector answers: one line in the log, and a few seconds at the end at most."""

import atexit
import logging
import os
import re
from collections.abc import Iterable
from typing import Any

import gevent

from tokenswarm.settings.redaction import clean_line

PATIENCE_S = 3.0
EXPORTERS, SDK = "opentelemetry.exporter", "opentelemetry.sdk"
GOES_ON = "the run goes on, and its rows are whole"
_log = logging.getLogger("tokenswarm")


class Complaints(logging.Handler):
    """In the place of what the exporters say at each of their tries: one line, the first time."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.told = False

    def emit(self, record: logging.LogRecord) -> None:
        """An exporter has not got rid of what it had."""
        if not self.told:
            self.told = True
            _log.warning("--otel: the collector did not answer (%s); %s", _reason(record.getMessage()), GOES_ON)

    def listen(self) -> None:
        """Hear what the exporters say from now on, and let nobody else."""
        said = logging.getLogger(EXPORTERS)
        said.propagate, said.handlers = False, [self]
        logging.getLogger(SDK).setLevel(logging.WARNING)


def _reason(message: str) -> str:
    found = re.findall(r"\[Errno -?\d+\] ([\w ]+)", message)
    return clean_line(found[-1] if found else message)[:200]


def patience_s() -> float:
    """How long the end of the process waits for the collector: as long as the user says that an export may take."""
    try:
        return float(os.environ["OTEL_EXPORTER_OTLP_TIMEOUT"])
    except (KeyError, ValueError):
        return PATIENCE_S


def shut_down(providers: Iterable[Any], complaints: Complaints) -> None:
    """Send what is left, all signals at the same time; the SDK would take 10 s and more for each, one by one."""
    there = [one for one in providers if hasattr(one, "shutdown")]
    for one in there:
        atexit.unregister(one.shutdown)
    hub = gevent.get_hub()
    hub.NOT_ERROR = (*hub.NOT_ERROR, KeyError)  # so end the SDK's threads in a worker that was forked after their start
    closing = [gevent.spawn(one.shutdown) for one in there]
    gevent.joinall(closing, timeout=patience_s())
    if not all(one.dead for one in closing):
        gevent.killall(closing, block=False)
        if not complaints.told:
            _log.warning("--otel: the collector did not answer in %g s: what was left is not sent", patience_s())
