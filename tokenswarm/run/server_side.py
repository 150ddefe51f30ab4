"""The server's own side, looked at before the load, during it, and once after: `--scrape`, llama.cpp's slots, power.

Each source is looked at in a greenlet of its own, so that a slow one keeps none of the others waiting. What it says
goes into the run folder's server.csv; one that fails costs the run a remark, nothing else.
"""

import ssl
import time
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import gevent
from gevent.event import Event

from tokenswarm.folder.server_csv import append, sample
from tokenswarm.metrics.server_metrics import METRICS, POWER
from tokenswarm.metrics.text import cell
from tokenswarm.metrics.validity.rules import make_finding
from tokenswarm.preflight.waiting import step
from tokenswarm.run import busy_slots, power
from tokenswarm.run.recorder import Recorder
from tokenswarm.run.scraper import NoReading, Scraper, Source
from tokenswarm.settings.command_line import seconds_in
from tokenswarm.settings.errors import UsageError
from tokenswarm.settings.redaction import clean_line
from tokenswarm.settings.scraping import scrape_urls
from tokenswarm.settings.settings import Settings, settings, tls_context

if TYPE_CHECKING:
    from tokenswarm.run.lifecycle import RunLifecycle

NAME = "server side"
IDLE_EVERY_S = 0.5
HANGS_MS = 1000  # a look that failed after so long: the end of the run does not wait for another one
DO = "see that it is a Prometheus endpoint and can be reached from here; server.csv says when it failed"
Lines = list[tuple[Any, ...]]


@dataclass(slots=True)
class Watched:
    """A source, and how the looks at it went."""

    source: Source
    looks: int = 0
    failed: int = 0
    first_error: str = ""
    knows_power: bool = False
    hangs: bool = False  # did the newest look wait for nothing?

    def look(self) -> Lines:
        """One look, as lines of server.csv."""
        unix_s, began_s, name = time.time(), time.monotonic(), cell(clean_line(self.source.name))
        self.looks += 1
        try:
            found = self.source.look()
        except NoReading as why:
            self.hangs = _since_ms(began_s) > HANGS_MS
            self.failed, self.first_error = self.failed + 1, self.first_error or str(why)
            return [sample(unix_s, _since_ms(began_s), name, error=cell(clean_line(str(why))))]
        self.hangs = False
        self.knows_power |= any(METRICS[one.metric][0] in POWER for one in found)
        took_ms = _since_ms(began_s)
        return [sample(unix_s, took_ms, name, one.metric, cell(one.labels), one.value) for one in found]

    def remark_silence(self) -> dict[str, Any] | None:
        """A remark, if some looks had no answer."""
        if not self.failed:
            return None
        what = f"{self.failed} of {self.looks} looks at {self.source.name} told nothing, the first: {self.first_error}"
        return make_finding("server side", "remark", what, DO, self.failed, 0, "looks")


@dataclass(slots=True)
class Rest:
    """What was seen before the load: the sources, and the lines of an idle server from when to when."""

    watched: tuple[Watched, ...] = ()
    lines: Lines = field(default_factory=list)
    idle_unix_s: tuple[float, float] | None = None


def check(options: Any) -> None:
    """Do the options go together? Raises UsageError."""
    if options.scrape and not seconds_in(options.sample_every):
        raise UsageError("--sample-every 0s never looks at what --scrape names; leave one of them out")


def at_rest(options: Any, engine: str) -> Rest:
    """Look at an idle server for `--idle-time`, if anything tells of its power; else once.

    A llama.cpp is asked for its slots, too, if it tells them: it can be told not to.
    """
    if not seconds_in(options.sample_every):
        return Rest()
    checked = settings(options)
    watched = tuple(map(Watched, _sources(options, checked)))
    began_s, until_s = time.time(), time.monotonic() + seconds_in(options.idle_time)
    rest = Rest(watched, _all(watched))
    if engine == busy_slots.ENGINE:
        rest = _with_slots(rest, Watched(busy_slots.BusySlots(checked)))
    if until_s > time.monotonic() and any(one.knows_power for one in watched):
        with step("measuring the power of the idle server", f"--idle-time {options.idle_time}"):
            while time.monotonic() < until_s:
                gevent.sleep(min(IDLE_EVERY_S, until_s - time.monotonic()))
                rest.lines += _all([one for one in watched if one.knows_power])
        rest.idle_unix_s = began_s, time.time()
    for one in rest.watched:
        one.source.close()
    return rest


def _with_slots(rest: Rest, slots: Watched) -> Rest:
    lines = slots.look()
    if slots.failed:
        slots.source.close()
        return rest
    return Rest((*rest.watched, slots), rest.lines + lines)


def _sources(options: Any, checked: Settings) -> Iterable[Source]:
    for where in scrape_urls(options.scrape):
        tls: ssl.SSLContext | None = tls_context(options) if where.scheme == "https" else None
        yield Scraper(where, checked, tls)
    if power.is_here(checked.target.host):
        yield from power.local()


def _all(watched: Sequence[Watched]) -> Lines:
    """A look at each, at the same time."""
    looks = [gevent.spawn(one.look) for one in watched]
    gevent.joinall(looks)
    return [line for look in looks for line in look.value or ()]


class ServerSide:
    """Watches the sources during each run of the process that has the run folder."""

    def __init__(self, lifecycle: "RunLifecycle") -> None:
        self._lifecycle = lifecycle
        self._watched: tuple[Watched, ...] = ()
        self._recorder: Recorder | None = None
        self._looking: list[gevent.Greenlet] = []
        self._ended = Event()

    def listen(self) -> None:
        """Connect to Locust's events; after the lifecycle, which makes the run folder."""
        if not self._lifecycle.cluster.is_worker:
            self._lifecycle.environment.events.test_start.add_listener(self.on_test_start)
            self._lifecycle.before_closing.append(self.end)

    def on_test_start(self, **_: Any) -> None:
        """A run begins: what was seen before it comes first."""
        rest, recorder = self._lifecycle.preparation.found.get(NAME), self._lifecycle.recorder
        if not isinstance(rest, Rest) or not rest.watched or not recorder:
            return
        self._watched, self._recorder = rest.watched, recorder
        span = dict(zip(("idle_from_unix_s", "idle_to_unix_s"), rest.idle_unix_s or (), strict=False))
        recorder.tell(server_side={"sources": [clean_line(one.source.name) for one in rest.watched], **span})
        self._write(rest.lines)
        self._ended.clear()
        every_s = seconds_in(self._lifecycle.options.sample_every)
        self._looking = [gevent.spawn(self._watch, one, every_s) for one in rest.watched]

    def end(self) -> None:
        """All requests have ended: a last look, by which the counters cover them all; then the findings."""
        self._ended.set()
        gevent.joinall(self._looking)  # a look that is cut would leave its answer to the next one
        self._write(_all([one for one in self._watched if not one.hangs]))
        self._lifecycle.findings += filter(None, (one.remark_silence() for one in self._watched))
        for one in self._watched:
            one.source.close()
        self._watched, self._looking, self._recorder = (), [], None

    def _watch(self, one: Watched, every_s: float) -> None:
        due_s = time.monotonic()
        while True:
            self._write(one.look())
            due_s = max(due_s + every_s, time.monotonic())  # after a slow answer none is made up for
            if self._ended.wait(max(0.0, due_s - time.monotonic())):
                return

    def _write(self, lines: Lines) -> None:
        if self._recorder and lines:
            with suppress(OSError):  # a disk that is full; the folder may go to another
                append(self._recorder.folder.path, lines)


def _since_ms(began_s: float) -> float:
    return (time.monotonic() - began_s) * 1e3
