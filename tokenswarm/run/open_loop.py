"""The open loop of a run (`--arrivals`, `--trace`): shared out over the workers, begun when all users are there."""

import math
import time
from collections import deque
from collections.abc import Iterator, Sequence
from itertools import chain, dropwhile, islice, takewhile
from typing import Any, NamedTuple, TypeVar

import gevent

from tokenswarm.load import trace
from tokenswarm.load.arrivals import ArrivalsError, parse
from tokenswarm.load.dispatcher import NOTICE_NS, TOO_LATE_NS, Dispatcher
from tokenswarm.load.pacer import Due
from tokenswarm.metrics.record import Identity, Record
from tokenswarm.payloads.prompt import Prompt
from tokenswarm.run.clock_sync import ClockSync
from tokenswarm.run.cluster import Cluster
from tokenswarm.settings.command_line import seconds_in
from tokenswarm.settings.errors import UsageError
from tokenswarm.transport.time_slices import give_loop_turn
from tokenswarm.users.base import LLMUser
from tokenswarm.users.context import RunContext

SHARE, PATIENCE = "tokenswarm_share", "tokenswarm_patience"
MAX_IN_FLIGHT = 1000
LOOK_S = 0.25
# Locust counts a worker's heart down from 3, once a second, and misses it below 0: by then its share has run out.
HEARD_OF, HOLDS_NS = 2, 2_500_000_000
T = TypeVar("T")


class Offer(NamedTuple):
    """What an open loop offers: arrivals (s since its beginning, a trace's prompt), and when the last one is due."""

    arrivals: Iterator[tuple[float, Prompt | None]]
    last_s: float | None = None


def offer(options: Any, *, whole: bool = True) -> Offer | None:
    """The arrivals of `--arrivals` or `--trace`, None for a closed loop; a `whole` trace's end. Raises UsageError."""
    if options.trace:
        return Offer(_first(options, _trace_arrivals(options)), _last_s(options) if whole else None)
    try:
        process = parse(options.arrivals) if options.arrivals else None
    except ArrivalsError as error:
        raise UsageError(f"--arrivals: {error}") from None
    if not process:
        return None

    def times() -> Iterator[tuple[float, Prompt | None]]:
        return _first(options, _breathing((at_s, None) for at_s in process.times_s(options.seed)))

    return Offer(times(), deque(times(), maxlen=1)[0][0] if options.requests and whole else None)


def check(options: Any) -> None:
    """Do the options of an open loop go together? Users are then clients, so many as may be in flight, all at once.

    Raises UsageError, also on whatever is wrong anywhere in a trace.
    """
    if options.arrivals and options.trace:
        raise UsageError("--arrivals and --trace: both say when requests are due; give one of them")
    for name, given in (
        ("--speed", options.speed != 1),
        ("--trace-window", options.trace_window),
        ("--trace-scale-tokens", options.trace_scale_tokens != 1),
        ("--trace-time-unit", options.trace_time_unit),
    ):
        if given and not options.trace:
            raise UsageError(f"{name} is for a trace; give --trace, or leave it out")
    if options.trace and options.find_capacity:
        return  # which the search refuses, however long the trace
    if not offer(options):
        if options.max_in_flight:
            raise UsageError("--max-in-flight is for an open loop; give --arrivals too")
        return
    if options.max_in_flight and options.num_users and options.max_in_flight != options.num_users:
        raise UsageError(f"--max-in-flight {options.max_in_flight} and --users {options.num_users}: give one of them")
    if not options.num_users:
        options.num_users = options.max_in_flight or MAX_IN_FLIGHT
    # Nothing is due before the last client is there: a slow start would only be a silence.
    options.spawn_rate = options.num_users


def _trace_arrivals(options: Any) -> Iterator[tuple[float, Prompt]]:
    """The part of the trace that `--trace-window` names, its beginning at 0, faster by `--speed`."""
    from_s, to_s = window(options.trace_window)
    how = {"seed": options.seed, "scale": options.trace_scale_tokens, "unit": options.trace_time_unit}
    rows = _breathing(trace.arrivals(options.trace, **how))
    inside = takewhile(lambda row: row.at_s < to_s, dropwhile(lambda row: row.at_s < from_s, rows))
    return (((row.at_s - from_s) / options.speed, row.prompt) for row in inside)


def _first(options: Any, arrivals: Iterator[T]) -> Iterator[T]:
    """Those of them that `--requests` leaves."""
    return islice(arrivals, options.requests) if options.requests else arrivals


def _breathing(due: Iterator[T]) -> Iterator[T]:
    """Let the loop have its turn now and then, whose heart must beat every second.

    A million rows of a trace take a minute; and a worker that joins late walks through all that was due before.
    """
    for number, one in enumerate(due, start=1):
        if number % 200 == 0:
            give_loop_turn()
        yield one


def _last_s(options: Any) -> float:
    """When the trace's last request is due, having read it all."""
    try:
        last = deque(_first(options, _trace_arrivals(options)), maxlen=1)
    except trace.TraceError as error:
        raise UsageError(f"--trace {error}", f"--trace {options.trace}") from None
    if not last:
        raise UsageError(
            f"--trace-window {options.trace_window}: the trace has no request in it; choose another window"
        )
    return last[0][0]


def window(text: str) -> tuple[float, float]:
    """Beginning and end of `10m..20m`, s. Raises UsageError."""
    if not text:
        return 0.0, math.inf
    first, dots, last = text.partition("..")
    try:
        from_s = seconds_in(first.strip() or "0s")
        to_s = seconds_in(last.strip()) if last.strip() else math.inf
    except ValueError:
        dots = ""
    if not dots or to_s <= from_s:
        raise UsageError(f"--trace-window ▸{text}◂ is no window; write it like 10m..20m, ..5m or 30m..")
    return from_s, to_s


def of_form(options: Any, form: Any) -> dict[str, str]:
    """What Locust is to change in the web form: clients are there at once, as with the command line."""
    return {"spawn_rate": form.get("user_count") or "1"} if options.arrivals or options.trace else {}


def check_classes(options: Any, classes: Sequence[Any]) -> None:
    """Do all classes take arrivals? Raises UsageError: of any other there would be as many users as of clients."""
    own = ", ".join(c.__name__ for c in classes if not issubclass(c, LLMUser) and not c.fixed_count)
    if own and (options.arrivals or options.trace):
        option = "--arrivals" if options.arrivals else "--trace"
        raise UsageError(f"{option}: {own} has its own pace; name other classes, or give it a fixed_count")
    fixed = ", ".join(c.__name__ for c in classes if issubclass(c, LLMUser) and c.fixed_count)
    if fixed and (options.arrivals or options.trace):
        why = "whose requests come when they are due, not from so many users; leave fixed_count out, or give a weight"
        raise UsageError(f"{fixed} has a fixed_count in an open loop, {why}")


def places(worker: str, there: Sequence[tuple[str, tuple[str, ...]]]) -> dict[str, tuple[int, int]]:
    """Of each class that any worker has users of: which one of how many a worker is (-1: it has none).

    Locust gives few users to many workers as it comes: not each has one of every class.
    """
    found = {}
    for name in {name for _, classes in there for name in classes}:
        able = [one for one, classes in there if name in classes]
        found[name] = (able.index(worker) if worker in able else -1, len(able))
    return found


def end_when_answered(environment: Any, cluster: Cluster) -> None:
    """End the run, but leave the requests that are under way the time that they may take."""
    environment.stop_timeout = environment.stop_timeout or environment.parsed_options.request_timeout
    if cluster.is_master:
        cluster.send(PATIENCE, environment.stop_timeout)
    cluster.end()


class OpenLoop:
    """One process's part in it, from Locust's events; `RunLifecycle` must have heard of them first."""

    def __init__(self, environment: Any, cluster: Cluster, clocks: ClockSync) -> None:
        self._environment, self._cluster, self._clocks = environment, cluster, clocks
        self._dispatcher: Dispatcher | None = None
        self._sharing: gevent.Greenlet | None = None
        self._offer: Offer | None = None
        self._searches = False
        self._ender: gevent.Greenlet | None = None
        self._stop_timeout = environment.stop_timeout

    def listen(self) -> None:
        """Connect to Locust's events."""
        events = self._environment.events
        events.test_start.add_listener(self._on_test_start)
        events.spawning_complete.add_listener(self._on_spawning_complete)
        events.test_stopping.add_listener(self._on_end)
        if self._cluster.is_worker:
            self._cluster.on(SHARE, self._on_share)
            self._cluster.on(PATIENCE, self._on_patience)
            events.test_stop.add_listener(self._on_stopped)

    def _on_test_start(self, **_: Any) -> None:
        options = self._environment.parsed_options
        if not self._cluster.is_worker:
            self._environment.stop_timeout = self._stop_timeout  # the end of a trace has changed it
        self._offer, self._dispatcher = offer(options, whole=not self._cluster.is_worker), None
        self._searches = options.find_capacity
        if self._offer and not self._cluster.is_master:
            run_context: RunContext = self._environment.tokenswarm
            classes = [c for c in self._environment.user_classes if issubclass(c, LLMUser)]
            # The way to where the trace's window begins may be long: it is gone before any user is there.
            arrivals = chain(list(islice(self._offer.arrivals, 1)), self._offer.arrivals)
            self._dispatcher = run_context.pacer = Dispatcher(
                arrivals, options.seed, classes, self._drop, lambda: self._clocks.ahead_ns, run_context.with_text
            )

    def _on_spawning_complete(self, **_: Any) -> None:
        if not self._offer or self._sharing or self._cluster.is_worker or self._searches:
            return  # a capacity search begins and ends its trials itself
        started_ns = time.time_ns() + NOTICE_NS
        if self._offer.last_s is not None:
            # What has not been sent by then is dropped, whose rows are to be there.
            over_s = (NOTICE_NS + TOO_LATE_NS) / 1e9 + self._offer.last_s + LOOK_S
            self._ender = gevent.spawn_later(over_s, self._end_of_trace)
        if self._cluster.is_master:
            self._sharing = gevent.spawn(self._share_out, started_ns)
        elif self._dispatcher:
            self._sharing = self._dispatcher
            self._dispatcher.share(started_ns, started_ns, 0, 1)

    def _on_end(self, **_: Any) -> None:
        if self._sharing and self._cluster.is_master:
            self._sharing.kill(block=False)
        if self._dispatcher:
            self._dispatcher.stop()
        if self._ender and gevent.getcurrent() is not self._ender:
            self._ender.kill(block=False)
        self._sharing = self._ender = None

    def _on_stopped(self, **_: Any) -> None:
        """A worker tells that it is ready only after the stop timeout: that of a trace's end must not delay it."""
        self._environment.stop_timeout = self._stop_timeout

    def _end_of_trace(self) -> None:
        """The last request has been sent: the run ends when the last answers have come."""
        self._environment.stop_timeout = self._stop_timeout
        end_when_answered(self._environment, self._cluster)

    def _share_out(self, started_ns: int) -> None:
        """Tell each worker which arrivals are its own: for the next seconds, again and again while it is heard of.

        So one that is cut off, or stands still, does not send what others have been given meanwhile.
        """
        from_ns = started_ns
        known: tuple[tuple[str, tuple[str, ...]], ...] = ()
        until_ns: dict[str, int] = {}
        while True:
            up = [worker for worker in self._cluster.workers() if worker.loaded]
            there = tuple(sorted((worker.id, worker.classes) for worker in up))
            heard = {worker.id for worker in up if worker.heartbeat >= HEARD_OF}
            now_ns = time.time_ns()
            if there and there != known:
                # Who may not hear of the change goes on for as long as it was told.
                deaf_ns = [until_ns.get(name, 0) for name, _ in known if name not in heard]
                from_ns = max(started_ns, now_ns + NOTICE_NS, *deaf_ns) if known else started_ns
                known = there
            for index, (name, _) in enumerate(known):
                if name in heard:
                    until_ns[name] = max(started_ns, now_ns) + HOLDS_NS
                    share: dict[str, Any] = {"from_ns": from_ns, "index": index, "of": len(known)}
                    share |= {"started_ns": started_ns, "until_ns": until_ns[name], "places": places(name, known)}
                    self._cluster.send(SHARE, share, name)
            gevent.sleep(LOOK_S)

    def _on_share(self, share: Any, _: str) -> None:
        if self._dispatcher:
            self._dispatcher.share(**share)

    def _on_patience(self, stop_timeout_s: Any, _: str) -> None:
        self._environment.stop_timeout = stop_timeout_s

    def _drop(self, user_class: Any, due: Due, why: str) -> None:
        """An arrival that is not sent is counted, with when it was due."""
        run_context: RunContext = self._environment.tokenswarm
        asked = run_context.settings.ask
        who = Identity(
            run_context.worker,
            run_context.next_sequence(),
            user_class.__name__,
            user_class.api.PATH,
            run_context.model("arrival", due.number) or asked.model,
            "",
            asked.max_tokens or 0,
            stage=run_context.stage,
            arrival=due.number,
        )
        error = f"{why}: {run_context.health.in_flight} in flight on this worker"
        record = Record(who, "dropped", error, scheduled_ns=due.ns, streamed=False, phase=run_context.phase())
        self._environment.events.generation.fire(record=record, response_bytes=0)
