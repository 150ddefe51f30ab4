"""Publishing records while the run goes on: to Locust's statistics, and as rows to wherever the run folder is."""

from collections.abc import Callable
from typing import Any

from metrics.catalogue import METRICS
from metrics.checks import CHECKS
from metrics.record import Record
from metrics.rows import Cell, row
from metrics.spool import Inbox, Outbox
from metrics.validity import finding

KEY = "tokenswarm"
ACKNOWLEDGE = "tokenswarm_acknowledge"
_FAULTS = tuple(check.name for check in CHECKS if check.shown)
_IN_UI = tuple(metric for metric in METRICS if metric.ui)


class Failed(Exception):
    """What Locust shows of a request without outcome `ok`; equal texts are one line in its failures."""


def name(record: Record) -> str:
    """The generation's name in Locust's statistics."""
    return f"{record.identity.endpoint} {record.identity.model}".rstrip()


def to_locust(environment: Any, record: Record, response_bytes: int) -> None:
    """One `request` event per generation, and a row of its own per metric.

    The metrics go straight to their entries: a second `request` event would count as a generation in Aggregated.
    The response time is E2E; of a request that never left, the time spent trying. A cancelled one is no failure of
    the server: it shows in the report, not in Locust's failures. The warm-up is in no figure, so it is not in these.
    """
    if record.phase == "warm-up":
        return
    failed = None
    if record.outcome != "ok":
        failed = Failed(f"{record.outcome}: {record.error}" if record.error else record.outcome)
    ended, began = record.ended_ns, record.sent_ns
    elapsed_ns = (record.connect_ns or 0) if ended is None or began is None else ended - began
    if record.outcome != "cancelled":
        environment.events.request.fire(
            request_type=record.identity.method,
            name=name(record),
            response_time=None if record.outcome == "dropped" else elapsed_ns / 1e6,
            response_length=response_bytes,
            exception=failed,
            context={},
        )
    for metric in _IN_UI:
        value = metric.of(record)
        if isinstance(value, (int, float)) and record.outcome == "ok":
            environment.stats.get(name(record), metric.name).log(value, 0)
    if wrong := sum(record.judged.failed.get(check, 0) for check in _FAULTS):
        environment.stats.get(name(record), "checks failed").log(wrong, 0)


class Publisher:
    """Takes records where users run and rows where the run folder is; with workers these are two processes.

    Workers' rows ride in `data` of Locust's own reports to the master, which acknowledges them.
    """

    def __init__(self, environment: Any, health: Callable[[], dict[str, Any]]) -> None:
        self._environment = environment
        self._health = health
        self._outbox = Outbox()
        self._inbox = Inbox()
        self._final = False
        self.run_id = ""
        self.sink: Callable[[list[list[Cell]]], None] | None = None
        self.workers: dict[str, dict[str, Any]] = {}
        self.finished: set[str] = set()

    def reset(self, run_id: str) -> None:
        """A new run begins."""
        self.run_id = run_id
        self._outbox, self._inbox, self._final = Outbox(), Inbox(), False
        self.workers, self.finished = {}, set()

    def on_generation(self, record: Record, response_bytes: int = 0, **_: Any) -> None:
        """A request has ended in this process."""
        # The row first: a user's listener of Locust's events may wait, and be stopped there.
        if self.sink:
            self.sink([row(record)])
        else:
            self._outbox.add(row(record))
        to_locust(self._environment, record, response_bytes)

    # On workers

    def on_report_to_master(self, client_id: str, data: dict[str, Any], **_: Any) -> None:
        """Locust is about to report: put in what the master does not have yet."""
        first, rows = self._outbox.pending()
        final = self._final and len(rows) == len(self._outbox)
        data[KEY] = {
            "run": self.run_id,
            "first": first,
            "rows": rows,
            "made": self._outbox.made,
            "health": self._health(),
            "final": final,
        }

    def on_acknowledge(self, environment: Any, msg: Any, **_: Any) -> None:
        """The master has rows: drop them."""
        if msg.data["run"] == self.run_id:
            self._outbox.acknowledge(msg.data["up_to"])

    def report(self) -> None:
        """Report to the master now, not when Locust would."""
        runner, data = self._environment.runner, dict[str, Any]()
        self._environment.events.report_to_master.fire(client_id=runner.client_id, data=data)
        runner.send_message("stats", data)

    def send_final(self) -> None:
        """The run is over on this worker: report until every row has been handed over; only the first call does."""
        if self._final:
            return
        self._final = True
        runner = self._environment.runner
        while True:
            data: dict[str, Any] = {}
            self._environment.events.report_to_master.fire(client_id=runner.client_id, data=data)
            runner.send_message("stats", data)
            sent = data[KEY]
            if sent["final"]:
                return
            # Messages keep their order, so the next batch may follow before the first is acknowledged.
            self._outbox.acknowledge(sent["first"] + len(sent["rows"]))

    # On the master

    def on_worker_report(self, client_id: str, data: dict[str, Any], **_: Any) -> None:
        """A worker's report: take the rows that are new, acknowledge them."""
        sent = data.get(KEY)
        if not sent or not self.sink or sent["run"] != self.run_id:
            return
        new, up_to = self._inbox.take(client_id, sent["first"], sent["rows"])
        if new:
            self.sink(new)
        if sent["rows"]:
            runner = self._environment.runner
            runner.send_message(ACKNOWLEDGE, {"run": sent["run"], "up_to": up_to}, client_id)
        # After its end a worker goes on reporting, with nothing to say of its health any more.
        known = self.workers.get(client_id, {})
        self.workers[client_id] = {**known, **sent["health"], "requests": up_to, "made": sent["made"]}
        if sent["final"]:
            self.finished.add(client_id)

    def lost(self, missing: set[str]) -> list[dict[str, Any]]:
        """Findings at the end of a run: workers that did not hand over, rows that never came."""
        found = []
        if missing:
            names = ", ".join(sorted(missing))
            what = f"{len(missing)} of the workers did not hand over their last rows, up to 3 s of them each: {names}"
            do = "see why they ended; the totals are too low"
            found.append(finding("workers", "invalid", what, do, len(missing), 0))
        if lost := sum(worker["made"] - worker["requests"] for worker in self.workers.values()):
            what = f"{lost} rows that workers said they had never came"
            found.append(finding("lost rows", "invalid", what, "the totals are too low by them", lost, 0))
        return found
