"""A worker's rows between the run and the master: where they are kept, how often they are sent, until when."""

import time
from contextlib import suppress
from typing import Any

import gevent

from tokenswarm.folder.spool import Outbox, spool_path
from tokenswarm.run.cluster import Cluster, NotSent
from tokenswarm.run.publisher import Publisher
from tokenswarm.run.shared import shared_state
from tokenswarm.settings.redaction import clean

SEND_EVERY_S, NOTE_EVERY_S = 0.5, 1.0
MASTER_GONE_S = 4.0  # without its word for so long, nobody is there to hand anything over to
WAIT_FOR_MASTER_S = 5.0


class Spooling:
    """One worker's part; the rows themselves are its `Publisher`'s."""

    def __init__(self, cluster: Cluster, options: Any, publisher: Publisher, run_dir: str) -> None:
        self._cluster, self._options, self._publisher = cluster, options, publisher
        self._run_dir = run_dir  # its own: with the run's options come the master's
        self._noted_s = 0.0
        self._health: dict[str, Any] = {}

    def start(self) -> None:
        """Send rows for as long as the process lives."""
        self._cluster.expect_master()
        gevent.spawn(self._work)

    def begin(self, run_id: str) -> Outbox:
        """A run begins: make its spool. Raises OSError."""
        self._health = {}
        outbox = Outbox(spool_path(self._run_dir, run_id, self._cluster.id))
        self._note(outbox)
        return outbox

    def end(self) -> None:
        """The process ends: give the master the time to say that it has everything, if it is there."""
        publisher = self._publisher
        until_s = time.monotonic() + WAIT_FOR_MASTER_S
        while not publisher.kept and publisher.run_id and time.monotonic() < until_s:
            if self._cluster.master_silent_s > MASTER_GONE_S:
                break
            gevent.sleep(0.02)
        if not publisher.kept:
            self._note(publisher.outbox)

    def _work(self) -> None:
        while True:
            gevent.sleep(SEND_EVERY_S)
            publisher = self._publisher
            if not publisher.run_id or publisher.kept:
                continue
            if publisher.final or publisher.outbox.made > publisher.outbox.acknowledged:
                with suppress(NotSent):
                    publisher.send_rows()
            if time.monotonic() > self._noted_s + NOTE_EVERY_S:
                self._note(publisher.outbox)

    def _note(self, outbox: Outbox) -> None:
        self._noted_s = time.monotonic()
        self._health |= self._publisher.health()  # after the end there is less of it
        run = shared_state(self._options)["facts"]
        outbox.note(clean({"client": self._cluster.id, "run": run, "health": self._health}))
