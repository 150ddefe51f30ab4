"""`python -m bench.lean_workers`: workers that make no load, and send the master what workers would send.

They speak Locust's own protocol by Locust's own sockets, sealed where there is a token, and hand over rows by our own
`Publisher`: what is cut short is how a row comes about (rows of a real run, numbered anew), and Locust's statistics are
those of three seconds of such rows, each time the same. At the end a line of JSON: what this process used itself, and
how long the master took to answer a question that each asked every second (ms), and how many seconds' worth of rows a
worker had at most that the master had not acknowledged.
"""

import argparse
import csv
import json
import os
import time
from itertools import count
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from gevent import monkey

monkey.patch_all()

import gevent  # noqa: E402 - patched first, as Locust itself does
from locust import __version__  # noqa: E402
from locust.event import EventHook  # noqa: E402
from locust.exception import RPCError  # noqa: E402
from locust.rpc import Message, rpc  # noqa: E402
from locust.stats import RequestStats, setup_distributed_stats_event_listeners  # noqa: E402

from bench.percentiles import spread  # noqa: E402
from tokenswarm.folder.spool import Outbox  # noqa: E402
from tokenswarm.metrics.catalogue import METRICS  # noqa: E402
from tokenswarm.run import curve as sealed  # noqa: E402
from tokenswarm.run.clock_sync import ANSWER, ASK  # noqa: E402
from tokenswarm.run.closing import FINISH  # noqa: E402
from tokenswarm.run.handover import SEND_EVERY_S  # noqa: E402
from tokenswarm.run.publisher import ACKNOWLEDGE, Publisher  # noqa: E402
from tokenswarm.settings import secrets as secret  # noqa: E402

REPORT_EVERY_S, MAKE_EVERY_S, JOIN_AGAIN_S = 3.0, 0.05, 5.0
HEALTH = {
    "clock_source": "kernel",
    "host": "lean",
    "pid": 1,
    "cpus": 1,
    "cpu_percent_mean": 10.0,
    "loop_lag_ms_p99": 1.0,
}


class Lean:
    """One worker."""

    def __init__(self, port: int, number: int, rows: list[bytes], per_s: float, stats: dict[str, Any]) -> None:
        self.id = f"lean_{number}"
        self._rows, self._per_s, self._stats, self._number = rows, per_s, stats, number
        self._client = rpc.Client("127.0.0.1", port, self.id)
        events = SimpleNamespace(report_to_master=EventHook())
        as_cluster: Any = self  # `id` and `send` are all that a Publisher of a worker asks for
        self._environment = SimpleNamespace(events=events)
        self._publisher = Publisher(self._environment, as_cluster, lambda: {"worker": number, **HEALTH})
        events.report_to_master.add_listener(self._publisher.on_report_to_master)
        events.report_to_master.add_listener(lambda client_id, data: data.update(self._of_locust()))
        self._state, self._making, self._joined = "ready", False, False
        self.pings_ms: list[float] = []
        self.behind_s = 0.0
        self.over = False

    def send(self, kind: str, data: Any = None, client_id: str | None = None) -> None:
        """One message to the master."""
        self._client.send(Message(kind, data, self.id))

    def run(self) -> None:
        """Join, and do as the master says until it says quit."""
        for each in (self._join, self._beat, self._report, self._send_rows, self._make):
            gevent.spawn(each)
        while not self.over:
            try:
                self._handle(self._client.recv())
            except RPCError:
                break
        self.over = True

    def _join(self) -> None:
        while not self._joined:
            self.send("client_ready", __version__)
            gevent.sleep(JOIN_AGAIN_S)

    def _handle(self, message: Message) -> None:
        publisher = self._publisher
        if message.type == "spawn":
            self.send("spawning")
            if not self._making:
                publisher.reset(message.data["parsed_options"]["run_id"], Outbox())
                self._making, self._state = True, "running"
            users = message.data["user_classes_count"]
            self.send("spawning_complete", {"user_classes_count": users, "user_count": sum(users.values())})
        elif message.type == ACKNOWLEDGE:
            publisher.on_acknowledge(message.data, "master")
        elif message.type == ANSWER:
            self.pings_ms.append((time.monotonic_ns() - message.data["asked_ns"]) / 1e6)
        elif message.type in (FINISH, "stop"):
            self._making = False
            publisher.send_final()
            if message.type == "stop":
                self.send("client_stopped")
        elif message.type == "ack":
            self._joined = True
        elif message.type == "quit":
            self.over = True

    def _make(self) -> None:
        templates, due, began_s = self._rows, 0.0, 0.0
        outbox_of, numbers = self._publisher, count()
        while not self.over:
            gevent.sleep(MAKE_EVERY_S)
            if not self._making:
                began_s = 0.0
                continue
            began_s = began_s or time.monotonic()
            outbox = outbox_of.outbox
            due = (time.monotonic() - began_s) * self._per_s
            while outbox.made < due:
                number = next(numbers)
                outbox.add(b"%d,%d,%b" % (self._number, number, templates[number % len(templates)]))

    def _beat(self) -> None:
        while not self.over:
            told = {"state": self._state, "current_cpu_usage": 10, "current_memory_usage": 10**8}
            self.send("heartbeat", told)
            self.send(ASK, {"asked_ns": time.monotonic_ns()})
            gevent.sleep(1)

    def _report(self) -> None:
        gevent.sleep(REPORT_EVERY_S * (self._number % 10) / 10)  # real workers do not report in step, either
        while not self.over:
            data: dict[str, Any] = {}
            self._environment.events.report_to_master.fire(client_id=self.id, data=data)
            self.send("stats", data)
            gevent.sleep(REPORT_EVERY_S)

    def _send_rows(self) -> None:
        while not self.over:
            gevent.sleep(SEND_EVERY_S)
            publisher = self._publisher
            outbox = publisher.outbox
            if self._making:
                self.behind_s = max(self.behind_s, (outbox.made - outbox.acknowledged) / self._per_s)
            if publisher.run_id and not publisher.kept and outbox.made > outbox.acknowledged:
                publisher.send_rows()

    def _of_locust(self) -> dict[str, Any]:
        """Locust's own part of a report, its counts by second those of now."""
        second, users = int(time.time()), {"user_classes_count": {"OllamaChatUser": 1}, "user_count": 1}
        if not self._making:
            return {"stats": [], "stats_total": self._stats["none"], "errors": {}, **users}
        for entry in (*self._stats["stats"], self._stats["stats_total"]):
            entry["num_reqs_per_sec"] = {second - 1: entry["num_requests"]}
        return {"stats": self._stats["stats"], "stats_total": self._stats["stats_total"], "errors": {}, **users}


def statistics(rows: list[dict[str, str]], number: int) -> dict[str, Any]:
    """Locust's report of so many rows, and that of none."""
    stats, events = RequestStats(), SimpleNamespace(report_to_master=EventHook(), worker_report=EventHook())
    setup_distributed_stats_event_listeners(events, stats)
    none: dict[str, Any] = {}
    events.report_to_master.fire(client_id="", data=none)
    shown = [metric.name for metric in METRICS if metric.ui]
    for at in range(number):
        row = rows[at % len(rows)]
        name = f"{row['endpoint']} {row['model']}"
        stats.log_request("POST", name, float(row["e2e_ms"] or 0), 10_000)
        for metric in shown:
            if row[metric]:
                stats.get(name, metric).log(float(row[metric]), 0)
    data: dict[str, Any] = {}
    events.report_to_master.fire(client_id="", data=data)
    return {**data, "none": none["stats_total"]}


def main() -> None:
    """Be some workers until the master says quit."""
    parser = argparse.ArgumentParser(prog="bench.lean_workers", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--workers", type=int, required=True)
    parser.add_argument("--rows-per-s", type=float, required=True, help="of each worker")
    parser.add_argument("--rows", type=Path, required=True, help="a requests.csv to take rows from")
    given = parser.parse_args()
    if token := os.environ.get(secret.TOKEN):
        sealed.Seal.keys = sealed.keys(token)
    sealed.install()
    with given.rows.open(newline="", encoding="utf-8") as file:
        named = list(csv.DictReader(file))
    tails = [line.split(b",", 2)[2] for line in given.rows.read_bytes().splitlines(keepends=True)[1:]]
    stats = statistics(named, round(given.rows_per_s * REPORT_EVERY_S))
    workers = [Lean(given.port, at, tails, given.rows_per_s, stats) for at in range(given.workers)]
    began_s, began_cpu_s = time.monotonic(), time.process_time()
    gevent.joinall([gevent.spawn(worker.run) for worker in workers])
    pings = [ms for worker in workers for ms in worker.pings_ms]
    cpu_s, wall_s = time.process_time() - began_cpu_s, time.monotonic() - began_s
    took, behind_s = spread(pings), max(worker.behind_s for worker in workers)
    told = {"cpu_s": cpu_s, "wall_s": wall_s, "behind_s": behind_s}
    print(json.dumps({**told, "answer_ms": [took.p50, took.p99, took.max]}))


if __name__ == "__main__":
    main()
