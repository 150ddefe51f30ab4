"""The run's life in each process, from Locust's events: check and preflight, begin; its end is in `run.closing`."""

import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import gevent
import psutil

from tokenswarm.folder.lines import cells
from tokenswarm.folder.row import Row
from tokenswarm.folder.run_folder import new_path, run_name
from tokenswarm.metrics.clock import onto_master, tracks
from tokenswarm.metrics.live_view import LiveView
from tokenswarm.run.clock_sync import ClockSync
from tokenswarm.run.closing import FINISH, Closing
from tokenswarm.run.cluster import Cluster
from tokenswarm.run.feature import Feature
from tokenswarm.run.folder_watch import watch
from tokenswarm.run.handover import Spooling
from tokenswarm.run.interrupt import hear_hangups, hear_interrupts
from tokenswarm.run.locust_options import spare_the_loop
from tokenswarm.run.preparation import Preparation
from tokenswarm.run.publisher import ACKNOWLEDGE, OURS, ROWS, Publisher
from tokenswarm.run.recorder import Recorder
from tokenswarm.run.shared import begin, shared_state
from tokenswarm.run.slo_gate import Gate
from tokenswarm.run.stages import resume
from tokenswarm.settings import fingerprint as likeness
from tokenswarm.settings.errors import UsageError
from tokenswarm.settings.option_types import OWN
from tokenswarm.settings.options import KEPT
from tokenswarm.settings.redaction import header_shown, learn_options, redact
from tokenswarm.settings.scraping import scrape_urls, without_query
from tokenswarm.settings.settings import Settings, settings
from tokenswarm.transport import kernel_stamps as stamps
from tokenswarm.transport.health import Health
from tokenswarm.transport.receiving import plain_socket
from tokenswarm.users.base import LLMUser
from tokenswarm.users.context import RunContext

MOST_OTHERS = 50  # names
LOCUSTS = ("num_users", "spawn_rate", "run_time", "stop_timeout", "processes")  # its options that a run is known by


class RunLifecycle:
    """What this suite does in one Locust process: on the master, on a worker, or alone (then both)."""

    def __init__(self, environment: Any, cluster: Cluster, features: Sequence[Feature] = ()) -> None:
        self.environment, self._features = environment, features
        self.options: Any = environment.parsed_options
        self.cluster = cluster
        self.preparation = Preparation(environment, cluster, features)
        self.health: Health | None = None
        self.run_context: RunContext | None = None
        self.recorder: Recorder | None = None
        self.findings: list[dict[str, Any]] = []
        self.verdicts: dict[str, str] = {}  # of the runs of this process, by their folder's name
        self.publisher = Publisher(environment, cluster, self.snapshot)
        self.clocks = ClockSync(cluster)
        self.live = LiveView()  # on the master, or alone
        self.trial, self.trials = (
            "",
            list[str](),
        )  # of a capacity search: that which runs, and what came of those before
        run_dir = OWN.get("run_dir", self.options.run_dir)
        self.spooling = Spooling(cluster, self.options, self.publisher, run_dir)
        self.ending = self._beginning = False
        self.gate: Gate | None = None
        self.watch: Callable[[list[Row]], None] | None = None  # of a capacity search: rows as they come
        self.before_closing: list[Callable[[], object]] = []  # of features: when all requests of a run have ended
        self._kernel_stamps = False
        self.others: Counter[str] = Counter()  # requests that are not ours, by method and name
        self._like = {"code": likeness.code()}  # as it is now: it may be edited while this process runs
        self._end = Closing(self)

    def listen(self) -> None:
        """Connect to Locust's events, and have the features do so after."""
        events, cluster = self.environment.events, self.cluster
        hear_interrupts()
        hear_hangups()
        events.generation.add_listener(self.publisher.on_generation)
        events.test_start.add_listener(self.on_test_start)
        events.spawning_complete.add_listener(self.on_spawning_complete)
        events.test_stopping.add_listener(self.on_test_stopping)
        events.test_stop.add_listener(self._end.on_test_stop)
        events.quitting.add_listener(self._end.on_quitting)
        self.clocks.listen(events)
        if not self.cluster.is_master:
            events.request.add_listener(self._on_request)
            spare_the_loop()
        if self.cluster.is_worker:
            events.report_to_master.add_listener(self.publisher.on_report_to_master)
            cluster.on(ACKNOWLEDGE, self.publisher.on_acknowledge)
            cluster.on(FINISH, self._end.on_finish, concurrent=True)
            self.spooling.start()
        if self.cluster.is_master:
            events.worker_report.add_listener(self.publisher.on_worker_report)
            cluster.on(ROWS, self.publisher.on_rows)
        for feature in self._features:
            feature.join(self)

    @property
    def asks(self) -> bool:
        """Is any of this run's classes one that asks an LLM?"""
        return any(issubclass(each, LLMUser) for each in self.environment.user_classes)

    def unlike(self) -> list[dict[str, Any]]:
        """Findings: workers that are not as this master is."""
        prepared = self.preparation.prepared
        return likeness.unlike(self.publisher.workers.values(), prepared.payloads if prepared else "")

    @property
    def server_kind(self) -> str:
        """What the server of this run is: "ollama", "openai", "" if nobody has asked it."""
        prepared = self.preparation.prepared
        return str(prepared.target["kind"]) if prepared else ""

    # Before a run

    @contextmanager
    def begin_alone(self) -> Iterator[None]:
        """While one run begins no other may: its key would come to the other's host. Raises UsageError."""
        if self.ending:
            raise UsageError("the last run is still being written down; start again in a few seconds")
        if self._beginning or (self.recorder and not self.cluster.is_running):
            raise UsageError("another run is just beginning; try again in a few seconds")
        self._beginning = True
        try:
            yield
            gevent.sleep(0)  # in which Locust begins it
        finally:
            self._beginning = False

    def end_processes(self) -> None:
        """End the workers that `--processes` forked: left to Locust, they wait a minute for a heartbeat."""
        if self.options.processes:
            for child in psutil.Process().children():
                child.terminate()

    # During a run

    def on_test_start(self, **_: Any) -> None:
        """A run begins in this process. The master comes first: it gives the run its name.

        What can still be wrong here (a disk that has filled up, a payload file that this worker does not have) ends the
        process: Locust would only log it, and load the server without keeping a row.
        """
        try:
            self._begin()
        except Exception as error:  # noqa: BLE001 - Locust would log it and go on, whatever it is
            what = str(error) if isinstance(error, (UsageError, OSError)) else repr(error)
            print(f"tokenswarm: error: {what}", file=sys.stderr)
            self.end_processes()
            sys.exit(2)

    def _begin(self) -> None:
        if self.cluster.is_worker:
            learn_options(self.options)
            if shared_state(self.options)["columns"] != likeness.columns():
                raise UsageError("the master's rows have other columns than this worker's; bring both to one commit")
            self.options.host = self.environment.host  # Locust hands the host over apart from the other options
            self.preparation.weigh()  # an open loop deals out by them
        else:
            self.preparation.restore()
            self._begin_folder()
        run_id = self.options.run_id
        self.others.clear()
        self.publisher.reset(run_id, self.spooling.begin(run_id) if self.cluster.is_worker else None)
        if not self.cluster.is_master:
            self._kernel_stamps = stamps.prime(plain_socket)
            checked: Settings = settings(self.options)
            self.health = Health(checked.warmup_s)
            self._like["payloads"] = likeness.prompts_digest(
                checked.mix.prompts, self.options.trace, checked.mix.making.system
            )
            self.run_context = self.environment.tokenswarm = RunContext(checked, self.cluster.number, self.health)
            self.run_context.all_started = self.cluster.is_worker and shared_state(self.options)["all_started"]
            resume(self.environment)

    def on_spawning_complete(self, **_: Any) -> None:
        """All users run (on workers: the master says so): the ramp-up is over, but for a stage that is one."""
        shared_state(self.options)["all_started"] = True  # a worker that joins later is told so by the order to spawn
        if self.run_context and not self.run_context.ramping:
            self.run_context.all_started = True

    def on_test_stopping(self, **_: Any) -> None:
        """The run is about to be stopped in this process: what ends from now on is the drain."""
        self.ending = self.recorder is not None
        if self.run_context:
            self.run_context.ending = self.run_context.health.ending = True

    def _begin_folder(self) -> None:
        options = self.options
        path = new_path(options.run_dir, run_name(redact(options.name), time.time()))
        options.run_id = path.name
        kept = {name: getattr(options, name, None) for name in (*LOCUSTS, *KEPT)}
        kept["header"] = [header_shown(header) for header in options.header]
        if options.scrape:
            kept["scrape"] = ",".join(map(without_query, scrape_urls(options.scrape)))
        prepared, self.findings = self.preparation.prepared, list(self.preparation.findings)
        circumstances = {
            "name": options.name,
            "options": kept,
            "seed": options.seed,
            "target": {"host": options.host, "model": options.model},
            **(prepared.circumstances() if prepared else {}),
            **{name: fact for feature in self._features for name, fact in feature.facts(options).items()},
            "user_classes": [c.__name__ for c in self.environment.user_classes],
            "preflight_findings": list(self.findings),
            "weights": {c.__name__: c.weight for c in self.environment.user_classes},
        }
        # The SLOs of a capacity search are those of each trial: the run as a whole goes beyond them on purpose.
        slos = "" if options.find_capacity else options.slo
        self.gate = Gate(self.environment, self.cluster, slos, options.slo_abort)
        self.watch, self.trial, self.trials = None, "", []
        self.recorder = Recorder(self.environment, path, circumstances, not options.csv_prefix, self.gate.judge)
        begin(options, self.recorder.circumstances)
        self.publisher.sink, self.publisher.keep = self.recorder.folder.append, self._keep
        self.publisher.seen = self._seen
        gevent.spawn(watch, self.environment, self.cluster, self.recorder.folder, self.publisher)

    def _keep(self, client_id: str) -> None:
        if self.recorder:
            self.recorder.folder.sync()
            done = self.publisher.finished | {client_id}
            self.recorder.tell(
                workers=[one for one in self.publisher.workers_as_run_json(set()) if one["client"] in done]
            )

    def _seen(self, rows: bytes) -> None:
        if self.recorder and self.gate:
            self.recorder.see(rows)
            self.gate.look()
            if self.watch:
                clocks = tracks(self.publisher.workers.values())
                named = [Row(row) for row in cells(rows)]
                for row in named:
                    onto_master(row, clocks)
                self.watch(named)

    def _on_request(self, request_type: str, name: str, context: Any = None, **_: Any) -> None:
        """A request has ended in this process: other users' are counted by their names."""
        what = f"{request_type} {name}"
        if context != OURS:
            self.others[what if what in self.others or len(self.others) < MOST_OTHERS else "others"] += 1

    def snapshot(self) -> dict[str, Any]:
        """What is known of this process: its number as a worker, its clock, its health."""
        seen = self.clocks.as_run_json() | (self.health.snapshot() if self.health else {})
        left = (
            {"left_models": self.run_context.left_models} if self.run_context and self.run_context.left_models else {}
        )
        source = "kernel" if self._kernel_stamps else "clock"
        others = {"others": dict(self.others)} if self.others else {}
        return {"worker": self.cluster.number, "clock_source": source, **self._like, **seen, **left, **others}
