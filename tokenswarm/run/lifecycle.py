"""The run's life in each process, from Locust's events: check and preflight, begin; its end is in `run.closing`."""

import sys
import time
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from typing import Any

import gevent
import psutil
from locust.runners import STATE_RUNNING, STATE_SPAWNING, MasterRunner, WorkerRunner

from tokenswarm.capacity import options as searching
from tokenswarm.folder.lines import cells
from tokenswarm.folder.row import COLUMNS
from tokenswarm.folder.run_folder import new_path, run_name
from tokenswarm.metrics.clock import onto_master, tracks
from tokenswarm.preflight.prepare import Prepared, prepare
from tokenswarm.run.clock_sync import ClockSync
from tokenswarm.run.closing import FINISH, Closing
from tokenswarm.run.folder_watch import watch
from tokenswarm.run.handover import Spooling
from tokenswarm.run.interrupt import hear_hangups, hear_interrupts
from tokenswarm.run.locust_options import check_tags
from tokenswarm.run.origin import Own, home, keep_at_home
from tokenswarm.run.publisher import ACKNOWLEDGE, ROWS, Publisher
from tokenswarm.run.recorder import Recorder
from tokenswarm.run.slo_gate import Gate
from tokenswarm.run.stages import as_run_json, resume, shape
from tokenswarm.run.worker_token import check_key
from tokenswarm.settings import fingerprint as likeness
from tokenswarm.settings import form, open_files
from tokenswarm.settings import secrets as secret
from tokenswarm.settings.errors import UsageError
from tokenswarm.settings.option_types import OWN
from tokenswarm.settings.options import KEPT, OURS
from tokenswarm.settings.redaction import header_shown, learn, learn_options, redact
from tokenswarm.settings.settings import Settings, settings
from tokenswarm.settings.weights import weigh
from tokenswarm.transport import kernel_stamps as stamps
from tokenswarm.transport.exchange import plain_socket
from tokenswarm.transport.health import Health, spare_the_loop
from tokenswarm.users.base import LLMUser
from tokenswarm.users.context import RunContext

CHOSEN = ("host", "layout", "model", "api_key", "header", "scale")
LOCUSTS = ("num_users", "spawn_rate", "run_time", "stop_timeout", "processes")  # its options that a run is known by


class RunLifecycle:
    """What this suite does in one Locust process: on the master, on a worker, or alone (then both)."""

    def __init__(self, environment: Any) -> None:
        self.environment = environment
        self.options: Any = environment.parsed_options
        self.is_worker = isinstance(environment.runner, WorkerRunner)
        self.is_master = isinstance(environment.runner, MasterRunner)
        self.health: Health | None = None
        self.run_context: RunContext | None = None
        self.recorder: Recorder | None = None
        self.findings: list[dict[str, Any]] = []
        self.verdicts: dict[str, str] = {}  # of the runs of this process, by their folder's name
        self.publisher = Publisher(environment, self.snapshot)
        self.clocks = ClockSync(environment)
        self._classes, self._own_shape = tuple(environment.user_classes), environment.shape_class
        learn_options(self.options)
        self._own = Own(self.options.host, secret.api_key(self.options), self.options.header)
        self._home = ""  # as the page shows it after a run
        learn(self._own.api_key)
        self._own_weights: dict[Any, float] = {}
        self._given = {name: getattr(self.options, name) for name in OURS}
        self.spooling = Spooling(environment, self.publisher, OWN.get("run_dir", self.options.run_dir))
        self._chosen: dict[str, str | None] = {}
        self.ending = self._beginning = False
        self._prepared: Prepared | None = None
        self.gate: Gate | None = None
        self.watch: Callable[[list[dict[str, str]]], None] | None = None  # of a capacity search: rows as they come
        self._kernel_stamps = False
        self._like = {"code": likeness.code()}  # as it is now: it may be edited while this process runs
        self._end = Closing(self)

    def listen(self) -> None:
        """Connect to Locust's events."""
        events, runner = self.environment.events, self.environment.runner
        hear_interrupts()
        hear_hangups()
        events.generation.add_listener(self.publisher.on_generation)
        events.test_start.add_listener(self.on_test_start)
        events.spawning_complete.add_listener(self.on_spawning_complete)
        events.test_stopping.add_listener(self.on_test_stopping)
        events.test_stop.add_listener(self._end.on_test_stop)
        events.quitting.add_listener(self._end.on_quitting)
        self.clocks.listen()
        if not self.is_master:
            spare_the_loop()
        if self.is_worker:
            events.report_to_master.add_listener(self.publisher.on_report_to_master)
            runner.register_message(ACKNOWLEDGE, self.publisher.on_acknowledge)
            runner.register_message(FINISH, self._end.on_finish, concurrent=True)
            self.spooling.start()
        if self.is_master:
            events.worker_report.add_listener(self.publisher.on_worker_report)
            runner.register_message(ROWS, self.publisher.on_rows)

    @property
    def asks(self) -> bool:
        """Is any of this run's classes one that asks an LLM?"""
        return any(issubclass(each, LLMUser) for each in self.environment.user_classes)

    def unlike(self) -> list[dict[str, Any]]:
        """Findings: workers that are not as this master is."""
        return likeness.unlike(self.publisher.workers.values(), self._prepared.payloads if self._prepared else "")

    @property
    def server_kind(self) -> str:
        """What the server of this run is: "ollama", "openai", "" if nobody has asked it."""
        return str(self._prepared.target["kind"]) if self._prepared else ""

    # Before a run

    def prepare(self, classes_named: list[str] | None = None) -> None:
        """Check the options, ask the server, choose the classes. Raises UsageError; no load was sent then."""
        options = self.options
        check_tags(options, self._classes)
        withheld = keep_at_home(options, self._own)
        check_key(self.environment)
        self._prepared = prepared = prepare(options, self._classes, classes_named or options.user_classes or [])
        # Without it a timer that is set now, as Locust's of --run-time, would count from before what took long there.
        gevent.get_hub().loop.update_now()
        self.environment.user_classes = list(prepared.classes)
        self.environment.shape_class = shape(self.environment, self._own_shape)
        weigh(prepared.classes, options.weights, self._own_weights)
        self.environment.host = options.host
        if home(options.host, self._own):
            self._home = options.host
        # What the options become here must reach the workers, whatever a form puts over them.
        self._chosen = {name: getattr(options, name) for name in CHOSEN}
        if options.stages:
            self._chosen["num_users"] = None
        self.findings = [*prepared.findings, *withheld]

    @property
    def running(self) -> bool:
        """Does a run go on?"""
        return self.environment.runner.state in (STATE_RUNNING, STATE_SPAWNING)

    @contextmanager
    def beginning(self) -> Iterator[None]:
        """While one run begins no other may: its key would come to the other's host. Raises UsageError."""
        if self.ending:
            raise UsageError("the last run is still being written down; start again in a few seconds")
        if self._beginning or (self.recorder and not self.running):
            raise UsageError("another run is just beginning; try again in a few seconds")
        self._beginning = True
        try:
            yield
            gevent.sleep(0)  # in which Locust begins it
        finally:
            self._beginning = False

    def prepare_from_form(self, sent: Any, shown: Collection[str]) -> dict[str, str]:
        """The same for a run that begins in the web form; what Locust is to change in it. Raises UsageError.

        `shown` are the options that the form has.
        """
        numbers = form.check(sent, shown)
        if self.running:
            return numbers
        options, given = self.options, {**self._given, "host": self._own.host}
        fields = form.as_given(dict(sent.items()) | numbers, given, self._home)
        # What the form leaves out is not that of the run before; nor is a key that was given for another host.
        vars(options).update({**given, "api_key": ""})
        options.run_time = fields.get("run_time") or None
        options.num_users, options.max_in_flight = None, 0  # the form's own number goes to Locust
        form.fill(options, fields)
        form.check_files(options, self._given)
        begins = searching.of_form(options, sent)
        picked = sent.getlist("user_classes")
        # The class picker begins with all of them ticked, which names none.
        self.prepare(picked if len(picked) < len(self._classes) else None)
        users = fields.get("user_count") or ""
        open_files.check_users(options, int(users) if users.isdecimal() else 1)
        # The clients of an open loop are there at once, as with the command line.
        open_loop = options.arrivals or options.trace
        return numbers | ({"spawn_rate": fields.get("user_count") or "1"} if open_loop else begins)

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
        if self.is_worker:
            learn_options(self.options)
            if getattr(self.options, "columns", "") != likeness.columns():
                raise UsageError("the master's rows have other columns than this worker's; bring both to one commit")
            self.options.host = self.environment.host  # Locust hands the host over apart from the other options
            weigh(self._classes, self.options.weights, self._own_weights)  # an open loop deals out by them
        else:
            # Between the check of a web form and here, Locust has put what the form held over what was chosen.
            vars(self.options).update(self._chosen)
            self.environment.host = self.options.host
            self._begin_folder()
        self.publisher.reset(self.options.run_id, self.spooling.begin() if self.is_worker else None)
        if not self.is_master:
            self._kernel_stamps = stamps.prime(plain_socket)
            checked: Settings = settings(self.options)
            self.health = Health(checked.warmup_s)
            self._like["payloads"] = likeness.prompts_digest(checked.mix.prompts, self.options.trace)
            worker = max(0, self.environment.runner.worker_index)
            self.run_context = self.environment.tokenswarm = RunContext(checked, worker, self.health)
            self.run_context.all_started = self.is_worker and self.options.all_started
            resume(self.environment)

    def on_spawning_complete(self, **_: Any) -> None:
        """All users run (on workers: the master says so): the ramp-up is over, but for a stage that is one."""
        self.options.all_started = True  # a worker that joins later is told so by the order to spawn
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
        options.run_id, options.all_started, options.columns = path.name, False, likeness.columns()
        kept = {name: getattr(options, name, None) for name in (*LOCUSTS, *KEPT)}
        kept["header"] = [header_shown(header) for header in options.header]
        prepared = self._prepared
        circumstances = {
            "name": options.name,
            "options": kept,
            "seed": options.seed,
            "target": {"host": options.host, "model": options.model},
            **(prepared.circumstances() if prepared else {}),
            **as_run_json(options),
            "user_classes": [c.__name__ for c in self.environment.user_classes],
            "preflight_findings": list(self.findings),
            "weights": {c.__name__: c.weight for c in self.environment.user_classes},
        }
        # The SLOs of a capacity search are those of each trial: the run as a whole goes beyond them on purpose.
        self.gate = Gate(self.environment, "" if options.find_capacity else options.slo, options.slo_abort)
        self.watch = None
        self.recorder = Recorder(self.environment, path, circumstances, not options.csv_prefix, self.gate.judge)
        self.options.run_facts = self.recorder.circumstances  # each worker keeps them beside its rows
        self.publisher.sink, self.publisher.keep = self.recorder.folder.append, self._keep
        self.publisher.seen = self._seen
        gevent.spawn(watch, self.environment, self.recorder.folder, self.publisher)

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
                named = [dict(zip(COLUMNS, row, strict=True)) for row in cells(rows)]
                for row in named:
                    onto_master(row, clocks)
                self.watch(named)

    def snapshot(self) -> dict[str, Any]:
        """What is known of this process: its number as a worker, its clock, its health."""
        index = max(0, self.environment.runner.worker_index)
        seen = self.clocks.as_run_json() | (self.health.snapshot() if self.health else {})
        left = (
            {"left_models": self.run_context.left_models} if self.run_context and self.run_context.left_models else {}
        )
        source = "kernel" if self._kernel_stamps else "clock"
        return {"worker": index, "clock_source": source, **self._like, **seen, **left}
