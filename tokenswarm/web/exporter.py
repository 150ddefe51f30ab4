"""What Prometheus scrapes of the process that has the run folder: the run's sums, its users, how its workers do."""

import time
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import Any

import gevent
from gevent.lock import Semaphore
from gevent.pywsgi import WSGIServer
from prometheus_client import Metric as Family

from tokenswarm.metrics.clock import tracks
from tokenswarm.run.lifecycle import RunLifecycle
from tokenswarm.settings.errors import UsageError
from tokenswarm.settings.redaction import redact
from tokenswarm.web.doors import Door
from tokenswarm.web.exposition import Totals, family, written

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


def _breathe() -> None:
    gevent.sleep(0.001)  # sockets are read in between


class Exporter:
    """The figures of the newest run: they begin anew with each, as its run folder does."""

    def __init__(self, lifecycle: RunLifecycle) -> None:
        self._lifecycle = lifecycle
        self._totals: Totals | None = None
        self._one_at_a_time = Semaphore()

    def text(self) -> str:
        """All that there is now, as Prometheus reads it."""
        with self._one_at_a_time:
            run = self._lifecycle.publisher.run_id
            now = list(self._now(run))  # first: where it says that the run is over, all rows follow
            recorder = self._lifecycle.recorder
            folder = recorder.folder.path if recorder else Path(self._lifecycle.options.run_dir) / run
            path = folder / "requests.csv"
            if self._totals is None or self._totals.path != path:
                self._totals = Totals(path)
            if run and path.exists():
                self._totals.read_on(_breathe, tracks(self._lifecycle.publisher.workers.values()))
            return redact(written(chain(now, self._totals.families(time.time_ns())), _breathe))

    def _now(self, run: str) -> Iterator[Family]:
        lifecycle = self._lifecycle
        yield from family("users", "gauge", "Users that run now", [("", {}, lifecycle.cluster.users)])
        running = int(lifecycle.recorder is not None)
        yield from family("run_info", "gauge", "1 while the run goes on, 0 afterwards", [("", {"run": run}, running)])
        own = {} if lifecycle.cluster.is_master else {"local": lifecycle.snapshot()}
        workers = lifecycle.publisher.workers or own
        figures: dict[str, dict[str, float]] = {}
        for seen in workers.values():
            for name, value in seen.items():
                if isinstance(value, (int, float)) and name not in ("worker", "pid"):
                    figures.setdefault(name, {})[str(seen["worker"])] = value
        for name, by_worker in figures.items():
            samples = [("", {"worker": worker}, value) for worker, value in by_worker.items()]
            yield from family(f"worker_{name}", "gauge", f"{name} of a worker, as in run.json", samples)

    def serve(self, address: str) -> None:
        """Answer on a port of its own, /metrics only. Raises UsageError if it cannot be had."""
        host, _, port = address.rpartition(":")
        door = Door(host, self._lifecycle.options.allowed_hosts)

        def answer(request: dict[str, Any], start: Any) -> list[bytes]:
            if why_not := door.why_not(request["REQUEST_METHOD"], _headers(request)):
                start("403 Forbidden", [("Content-Type", "text/plain; charset=utf-8")])
                return [f"{why_not}\n".encode()]
            if request["PATH_INFO"] != "/metrics":
                start("404 Not Found", [])
                return []
            start("200 OK", [("Content-Type", CONTENT_TYPE)])
            return [self.text().encode()]

        try:
            WSGIServer((host or "127.0.0.1", int(port)), answer, log=None).start()
        except OSError as error:
            raise UsageError(f"--metrics-port {address}: {error.strerror}; give another one") from None


def _headers(request: dict[str, Any]) -> dict[str, str]:
    """The headers of a WSGI request."""
    named = {name: str(value) for name, value in request.items() if name.startswith("HTTP_")}
    return {name.removeprefix("HTTP_").replace("_", "-").title(): value for name, value in named.items()}
