"""One Locust process without Locust's runner: its events, our options, a fake cluster, and our part of it."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from fake_cluster import FakeCluster
from locust.event import EventHook, Events
from locust.stats import RequestStats
from options import parsed

from tokenswarm.run import lifecycle as module
from tokenswarm.run.feature import Feature
from tokenswarm.run.lifecycle import RunLifecycle


@contextmanager
def process(
    cluster: FakeCluster, run_dir: Path, monkeypatch: Any, *arguments: str, features: Sequence[Feature] = ()
) -> Iterator[RunLifecycle]:
    """Its `RunLifecycle`, which has heard of Locust's events; signals are left alone."""
    for name in ("hear_interrupts", "hear_hangups", "spare_the_loop"):
        monkeypatch.setattr(module, name, lambda: None)
    given = ("--host", "http://127.0.0.1:9", "--model", "m", "--run-dir", str(run_dir), "--no-report")
    options = parsed(*given, *arguments)
    locusts = {
        "spawn_rate": 1,
        "stop_timeout": 0,
        "csv_prefix": "none",
        "headless": True,
        "user_classes": [],
    } | dict.fromkeys(("tags", "exclude_tags"))
    vars(options).update(locusts)
    events: Any = Events()
    events.generation = EventHook()
    environment = SimpleNamespace(
        events=events,
        parsed_options=options,
        user_classes=[],
        shape_class=None,
        host=options.host,
        stop_timeout=0,
        process_exit_code=None,
        stats=RequestStats(),
    )
    lifecycle = RunLifecycle(environment, cluster, features)
    lifecycle.listen()
    lifecycle.preparation.restore()
    try:
        yield lifecycle
    finally:
        if lifecycle.health:
            lifecycle.health.stop()
        lifecycle.publisher.sink = None


def begin(lifecycle: RunLifecycle) -> None:
    """A run begins, and all its users are there."""
    lifecycle.environment.events.test_start.fire(environment=lifecycle.environment)
    lifecycle.environment.events.spawning_complete.fire(user_count=1)


def end(lifecycle: RunLifecycle) -> None:
    """It ends, as Locust tells of it."""
    events = lifecycle.environment.events
    events.test_stopping.fire(environment=lifecycle.environment)
    events.test_stop.fire(environment=lifecycle.environment)
