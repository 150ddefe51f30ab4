"""The sampler: what an Ollama has in memory while a run goes on, every few seconds, into the run folder's server.csv.

A line a model in memory and look, one with an empty model where there is none, one with an error where the server did
not say. Its requests are in no row and no figure; the server is asked over one connection, /api/ps and /api/version.
"""

import time
from contextlib import suppress
from typing import Any

import gevent

from tokenswarm.folder.server_csv import append
from tokenswarm.metrics.text import cell
from tokenswarm.metrics.validity.rules import make_finding
from tokenswarm.run.lifecycle import RunLifecycle
from tokenswarm.run.recorder import Recorder
from tokenswarm.settings.command_line import seconds_in
from tokenswarm.settings.redaction import clean_line
from tokenswarm.settings.settings import Settings, settings
from tokenswarm.transport.control import Unanswered, text_in
from tokenswarm.transport.listing import LoadedModel, ModelListing, full_name

PATIENCE_S = 5.0
MOST_MODELS = 100  # in the lines of one look


class MemoryLooks:
    """What the looks of one run have in common: versions, and how often a model of the run came and went."""

    def __init__(self, models: tuple[str, ...]) -> None:
        self._models = {full_name(model) for model in models}
        self._before: set[str] | None = None
        self._versions: list[str] = []
        self.loads = self.unloads = 0

    def look(self, version: str, models: set[str]) -> None:
        """One look that the server answered."""
        if version not in self._versions:
            self._versions.append(version)
        here = models & self._models
        if self._before is not None:
            self.loads += len(here - self._before)
            self.unloads += len(self._before - here)
        self._before = here

    def findings(self) -> list[dict[str, Any]]:
        """Remarks on the run."""
        found = []
        if self.loads or self.unloads:
            what = f"/api/ps saw the run's models go from memory {self.unloads} times, and come {self.loads} times"
            do = "see the section about the models in memory; keep_alive, or room for all models, keeps them loaded"
            found.append(make_finding("model memory", "remark", what, do, self.loads + self.unloads, 0, "changes"))
        if len(self._versions) > 1:
            what = f"the server's version changed during the run: {' → '.join(self._versions)}"
            found.append(make_finding("server version", "remark", what, "compare runs of one version only"))
        return found


class Sampler:
    """Watches the server of each run of the process that has the run folder."""

    def __init__(self, environment: Any, lifecycle: RunLifecycle) -> None:
        self._environment, self._lifecycle = environment, lifecycle
        self._greenlet: gevent.Greenlet | None = None
        self._seen = MemoryLooks(())

    def listen(self) -> None:
        """Connect to Locust's events; after the swarm, which makes the run folder."""
        if self._lifecycle.cluster.is_worker:
            return
        self._environment.events.test_start.add_listener(self.on_test_start)
        self._environment.events.test_stopping.add_listener(self.on_test_stopping)

    def on_test_start(self, **_: Any) -> None:
        """A run begins."""
        options, recorder = self._lifecycle.options, self._lifecycle.recorder
        every_s = seconds_in(options.sample_every)
        if recorder and every_s and self._lifecycle.server_kind == "ollama":
            checked = settings(options)
            self._seen = MemoryLooks(checked.models)
            self._greenlet = gevent.spawn(self._watch, recorder, checked, every_s)

    def on_test_stopping(self, **_: Any) -> None:
        """The run is about to end: what was seen goes into its findings."""
        if self._greenlet:
            self._greenlet.kill()
            self._greenlet = None
            self._lifecycle.findings += self._seen.findings()

    def _watch(self, recorder: Recorder, checked: Settings, every_s: float) -> None:
        listing = ModelListing(checked, PATIENCE_S)
        due_s = time.monotonic()
        try:
            while True:
                lines = _look(listing, self._seen)
                with suppress(OSError):  # a disk that is full; the folder may go to another
                    append(recorder.folder.path, lines)
                due_s = max(due_s + every_s, time.monotonic())  # after a slow answer none is made up for
                gevent.sleep(due_s - time.monotonic())
        finally:
            listing.close()


def _look(listing: ModelListing, seen: MemoryLooks) -> list[tuple[Any, ...]]:
    """One look, as lines of server.csv."""
    unix_s, began_s = round(time.time(), 3), time.monotonic()
    try:
        loaded = listing.read_loaded()[:MOST_MODELS]
        version = clean_line(text_in(listing.get("/api/version"), "version") or "")
    except Unanswered as error:
        return [(unix_s, _since_ms(began_s), "", "", "", "", "", "", cell_text(str(error)))]
    seen.look(version, {one.model for one in loaded})
    took_ms = _since_ms(began_s)
    if not loaded:
        return [(unix_s, took_ms, cell(version), "", "", "", "", "", "")]
    return [
        (unix_s, took_ms, cell(version), cell_text(m.model), *sizes(m), cell_text(m.expires_at), "") for m in loaded
    ]


def sizes(m: LoadedModel) -> tuple[int | None, int | None, int | None]:
    """What stands in the columns of sizes."""
    return m.size_bytes, m.size_vram_bytes, m.context_length


def cell_text(said: str) -> str:
    """What a server said, as a cell."""
    return cell(clean_line(said))


def _since_ms(began_s: float) -> float:
    return round((time.monotonic() - began_s) * 1e3, 3)
