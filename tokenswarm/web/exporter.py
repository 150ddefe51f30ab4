"""What Prometheus scrapes of the process that has the run folder: the run's sums, its users, how its workers do."""

import time
from collections import Counter
from collections.abc import Callable, Iterator
from itertools import chain
from pathlib import Path
from typing import Any

import gevent
from gevent.lock import Semaphore
from gevent.pywsgi import WSGIServer
from prometheus_client import Metric as Family

from tokenswarm.metrics.clock import tracks
from tokenswarm.metrics.live_view import Count, LiveView
from tokenswarm.run.lifecycle import RunLifecycle
from tokenswarm.run.progress import Progress, progress
from tokenswarm.settings.errors import UsageError
from tokenswarm.settings.redaction import redact
from tokenswarm.web.doors import Door
from tokenswarm.web.exposition import Labels, Sample, Totals, family, of_run, write_families

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
            self._totals.expect(self._lifecycle.live.groups())
            if run and path.exists():
                self._totals.read_on(_breathe, tracks(self._lifecycle.publisher.workers.values()))
            families = of_run(chain(now, self._totals.families(time.time_ns())), run, str(self._lifecycle.options.name))
            return redact(write_families(families, _breathe))

    def _now(self, run: str) -> Iterator[Family]:
        lifecycle = self._lifecycle
        yield from family("users", "gauge", "Users that run now", [("", {}, lifecycle.cluster.users)])
        running = int(lifecycle.recorder is not None)
        yield from family("run_info", "gauge", "1 while the run goes on, 0 afterwards", [("", {}, running)])
        yield from _of_now(progress(lifecycle), lifecycle.live)
        own = {} if lifecycle.cluster.is_master else {"local": lifecycle.snapshot()}
        workers = lifecycle.publisher.workers or own
        figures: dict[str, dict[str, float]] = {}
        for seen in workers.values():
            for name, value in seen.items():
                if isinstance(value, (int, float)) and name not in ("worker", "pid"):
                    figures.setdefault(name, {})[str(seen["worker"])] = value
        for name, by_worker in figures.items():
            parts = name.split("_")
            in_ms = "ms" in parts  # base units, as Prometheus wants them
            shown = "_".join([*(part for part in parts if part != "ms"), "seconds"]) if in_ms else name
            samples = [("", {"worker": worker}, value / (1e3 if in_ms else 1)) for worker, value in by_worker.items()]
            yield from family(f"worker_{shown}", "gauge", f"{name} of a worker, as in run.json", samples)

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


def _of_now(now: Progress, view: LiveView) -> Iterator[Family]:
    """Where the run is, and what the server does now."""
    if now.run:
        yield from family(
            "run_elapsed_seconds", "gauge", "How long the run has been going on", [("", {}, now.elapsed_s)]
        )
    if now.left_s is not None:
        yield from family("run_left_seconds", "gauge", "What is left of it", [("", {}, now.left_s)])
    if now.verdict:
        valid = int("INVALID" not in now.verdict)
        yield from family("run_valid", "gauge", "1 if the run that is over is VALID, 0 if not", [("", {}, valid)])
    levels = Counter(level for level, _ in now.findings)
    counted: list[Sample] = [("", {"level": level}, levels[level]) for level in ("remark", "warning", "invalid")]
    yield from family("findings", "gauge", "Findings for and against the run's validity so far, by level", counted)
    yield from family(
        "stage",
        "gauge",
        "The stage that runs (of --stages, or of users changed by hand), from 1; 0: none",
        [("", {}, now.stage)],
    )
    counts: list[tuple[Labels, Count, dict[str, Any]]] = [
        ({"endpoint": endpoint, "model": model}, view.so_far((endpoint, model)), view.recent((endpoint, model)))
        for endpoint, model in view.groups()
    ]
    for name, kind, words, value in _LIVE:
        yield from family(name, kind, words, [("", labels, value(count, recent)) for labels, count, recent in counts])


_LIVE: tuple[tuple[str, str, str, Callable[[Count, dict[str, Any]], float]], ...] = (
    ("asked_total", "counter", "Requests that were sent, or dropped in an open loop: the load asked",
     lambda count, _: count.sent + count.outcomes["dropped"]),
    ("answered_total", "counter", "Requests that ended ok: the load answered", lambda count, _: count.outcomes["ok"]),
    ("streams_running", "gauge", "Requests whose answer has begun and not ended", lambda _, now: now["running"]),
    ("streams_waiting", "gauge", "Requests sent of whose answer nothing has come", lambda _, now: now["waiting"]),
    ("oldest_wait_seconds", "gauge", "How long the oldest request without a first byte waits",
     lambda _, now: now["oldest_wait_s"]),
    ("silent_seconds", "gauge", "How long the most silent of the running streams has sent nothing",
     lambda _, now: now["silent_s"]),
    ("live_output_tokens_per_second", "gauge", "Output tokens made a second in the last 10 s, by chunks, as they come",
     lambda _, now: now["output_tokens_per_s"]),
)  # fmt: skip


def _headers(request: dict[str, Any]) -> dict[str, str]:
    """The headers of a WSGI request."""
    named = {name: str(value) for name, value in request.items() if name.startswith("HTTP_")}
    return {name.removeprefix("HTTP_").replace("_", "-").title(): value for name, value in named.items()}
