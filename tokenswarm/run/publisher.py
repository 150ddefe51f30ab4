"""Publishing records while the run goes on: to Locust's statistics, and as rows to wherever the run folder is."""

import sys
import time
from collections.abc import Callable, Sequence
from itertools import repeat
from typing import Any

from tokenswarm.folder.lines import line
from tokenswarm.folder.row import COLUMNS, Cell, row
from tokenswarm.folder.spool import Inbox, Outbox
from tokenswarm.metrics.catalogue import METRICS
from tokenswarm.metrics.checks.table import CHECKS
from tokenswarm.metrics.error_groups import ErrorGroups
from tokenswarm.metrics.record import Record
from tokenswarm.run.cluster import Cluster

KEY = "tokenswarm"
ROWS = "tokenswarm_rows"
ACKNOWLEDGE = "tokenswarm_acknowledge"
_FAULTS = tuple(check.name for check in CHECKS if check.shown)
OURS = {"tokenswarm": True}  # the context of our requests in Locust's event
AGAIN_S = 1.0  # after a write that failed
_IN_UI = tuple((metric.name, COLUMNS.index(metric.name)) for metric in METRICS if metric.ui)


class Failed(Exception):
    """What Locust shows of a request without outcome `ok`: its kind, one line in the failures; `error` is the text."""

    def __init__(self, kind: str, error: str) -> None:
        super().__init__(kind)
        self.error = error


def name(record: Record) -> str:
    """The generation's name in Locust's statistics."""
    return f"{record.identity.endpoint} {record.identity.model}".rstrip()


def to_locust(
    environment: Any, record: Record, cells: Sequence[Cell], response_bytes: int, errors: ErrorGroups
) -> None:
    """One `request` event per generation, and a row of its own per metric; `cells` are those of the record's row.

    The metrics go straight to their entries: a second `request` event would count as a generation in Aggregated.
    The response time is E2E; of a request that never left, the time spent trying. A cancelled one is no failure of
    the server: it shows in the report, not in Locust's failures. The warm-up is in no figure, so it is not in these.
    """
    if record.phase == "warm-up":
        return
    failed, named = None, name(record)
    if record.outcome not in ("ok", "cancelled"):
        failed = Failed(errors.of(record.outcome, record.error, record.identity.model), record.error)
    ended, began = record.ended_ns, record.sent_ns
    elapsed_ns = (record.connect_ns or 0) if ended is None or began is None else ended - began
    if record.outcome != "cancelled":
        environment.events.request.fire(
            request_type=record.identity.method,
            name=named,
            response_time=None if record.outcome == "dropped" else elapsed_ns / 1e6,
            response_length=response_bytes,
            exception=failed,
            context=OURS,
        )
    for metric, place in _IN_UI if record.outcome == "ok" else ():
        if (value := cells[place]) is not None:
            environment.stats.get(named, metric).log(value, 0)
    if wrong := sum(map(record.judged.failed.get, _FAULTS, repeat(0))):
        environment.stats.get(named, "checks failed").log(wrong, 0)


class Publisher:
    """Takes records where users run and rows where the run folder is; with workers these are two processes.

    Workers' rows ride in `data` of Locust's own reports to the master, and between those in messages of their own; the
    master says what it has.
    """

    def __init__(self, environment: Any, cluster: Cluster, health: Callable[[], dict[str, Any]]) -> None:
        self._environment, self._cluster = environment, cluster
        self.health = health
        self._inbox = Inbox()
        self._errors = ErrorGroups()
        self.outbox = Outbox()
        self.run_id = ""
        self.sink: Callable[[bytes, int], None] | None = None  # writes rows; with OSError, none of them
        self.seen: Callable[[bytes], None] = lambda _: None  # they were written
        self._again_s = self._stuck_since_s = 0.0
        self.keep: Callable[[str], None] | None = None  # has all of a worker on the disk, which forgets it then
        self.workers: dict[str, dict[str, Any]] = {}
        self.finished: set[str] = set()
        self._ended: set[tuple[str, str]] = set()
        self.final = False  # has the run ended on this worker?
        self.kept = False  # has the master all rows of this worker on its disk?

    def reset(self, run_id: str, outbox: Outbox | None = None) -> None:
        """A new run begins."""
        self.run_id = run_id
        self.outbox.close()
        self.outbox, self._inbox, self._errors = outbox or Outbox(), Inbox(), ErrorGroups()
        self.final = self.kept = False
        self.workers, self.finished = {}, set()

    def on_generation(self, record: Record, response_bytes: int = 0, **_: Any) -> None:
        """A request has ended in this process."""
        # The row first: a user's listener of Locust's events may wait, and be stopped there.
        cells = row(record)
        self.outbox.add(line(cells))
        if self.sink:
            self.write_own()
        to_locust(self._environment, record, cells, response_bytes, self._errors)

    # Alone

    def write_own(self) -> None:
        """Write down the rows of this process; what the disk does not take stays in memory for another time."""
        box = self.outbox
        while box.acknowledged < box.made:
            first, count, rows = box.take()
            if not self._write(rows, count):
                box.acknowledge(first, first + 1)  # as after a lost message: again from there
                break
            box.acknowledge(first + count, first)
            self.seen(rows)

    def _write(self, rows: bytes, count: int) -> bool:
        if not self.sink or time.monotonic() < self._again_s:
            return False
        try:
            self.sink(rows, count)
        except OSError as error:
            if not self._again_s:
                what = f"rows cannot be written to the run folder: {error}; free its disk: they are kept until then"
                print(f"tokenswarm: error: {what}", file=sys.stderr)
                self._stuck_since_s = time.monotonic()
            self._again_s = time.monotonic() + AGAIN_S
            return False
        self._again_s = 0.0
        return True

    @property
    def stuck_s(self) -> float:
        """How long no row could be written; 0 where they can be."""
        return time.monotonic() - self._stuck_since_s if self._again_s else 0.0

    # On workers

    def message(self) -> dict[str, Any]:
        """What the master is told: the rows that are to be sent next, and how many there have been."""
        first, count, rows = self.outbox.take()
        made = self.outbox.made
        final = self.final and first + count == made
        return {"run": self.run_id, "first": first, "count": count, "rows": rows, "made": made, "final": final}

    def on_report_to_master(self, client_id: str, data: dict[str, Any], **_: Any) -> None:
        """Locust is about to report: put ours in."""
        data[KEY] = {**self.message(), "health": self.health()}

    def send_rows(self) -> None:
        """Send what Locust's next report would hold."""
        self._cluster.send(ROWS, self.message())

    def on_acknowledge(self, said: Any, _: str) -> None:
        """The master says which rows it has."""
        if said["run"] != self.run_id or self.kept:
            return
        before = self.outbox.acknowledged
        self.outbox.acknowledge(said["up_to"], said["first"])
        if said["kept"]:
            self.kept = True
            self.outbox.remove()
        elif self.final and before < self.outbox.acknowledged and self.outbox.sent < self.outbox.made:
            self.send_rows()  # at once, as it takes them in; where its disk is full, they wait for their next turn

    def report(self) -> None:
        """Report to the master now, not when Locust would, with all rows there are (or as many as it may be sent)."""
        data = dict[str, Any]()
        self._environment.events.report_to_master.fire(client_id=self._cluster.id, data=data)
        self._cluster.send("stats", data)
        before = -1
        while before < self.outbox.sent < self.outbox.made:
            before = self.outbox.sent
            self.send_rows()

    def send_final(self) -> None:
        """The run is over on this worker: hand over what is left; only the first call does."""
        if not self.final:
            self.final = True
            self.report()

    # On the master

    def on_worker_report(self, client_id: str, data: dict[str, Any], **_: Any) -> None:
        """A worker's report: see `take`."""
        if KEY in data:
            self.take(client_id, data[KEY])

    def on_rows(self, sent: Any, worker: str) -> None:
        """A worker's rows between its reports: see `take`."""
        self.take(worker, sent)

    def take(self, client_id: str, sent: dict[str, Any]) -> None:
        """Write down the rows that are new; only then say that they are here, and of all of them that they are kept."""
        if not self.sink or sent["run"] != self.run_id:
            self._end_another(client_id, sent)
            return
        count, rows = self._inbox.new(client_id, sent["first"], sent["count"], sent["rows"])
        if count and self._write(rows, count):
            self._inbox.had(client_id, count)
            self.seen(rows)
        have = self._inbox.have(client_id)
        kept = bool(sent["final"]) and have == sent["made"]
        # After its end a worker goes on reporting, with nothing to say of its health any more.
        known = self.workers.get(client_id, {"worker": self._cluster.number_of(client_id)})
        told = {"client": client_id, "requests": have, "made": sent["made"]}
        self.workers[client_id] = {**known, **sent.get("health", {}), **told}
        if kept and client_id not in self.finished:
            if self.keep:
                self.keep(client_id)
            self.finished.add(client_id)
        answer = {"run": sent["run"], "up_to": have, "first": sent["first"], "kept": kept}
        self._cluster.send(ACKNOWLEDGE, answer, client_id)

    def _end_another(self, client_id: str, sent: dict[str, Any]) -> None:
        """A worker is still at a run that is over, or was a former master's: it has missed the end. Once."""
        missed = client_id, sent["run"]
        if sent["run"] and not sent["final"] and missed not in self._ended:
            self._ended.add(missed)
            self._cluster.send("stop", None, client_id)  # it joins anew then

    def workers_as_run_json(self, missing: set[str]) -> list[dict[str, Any]]:
        """The workers as run.json has them, at the end; `missing` did not hand over all their rows."""
        for client_id in missing - set(self.workers):
            index = self._cluster.number_of(client_id)
            self.workers[client_id] = {"worker": index, "client": client_id, "requests": 0, "made": 0}
        ended = [{**worker, "ended": client_id not in missing} for client_id, worker in self.workers.items()]
        return sorted(ended, key=lambda worker: int(worker["worker"]))
