"""The shape of `--stages`, second by second, and what it tells the workers."""

from types import SimpleNamespace
from typing import Any

import pytest
from fake_cluster import FakeCluster
from locust.event import Events

from tokenswarm.run import shared
from tokenswarm.run.stages import STAGE, Stages, follow, parse


def shape(text: str, monkeypatch: pytest.MonkeyPatch) -> tuple[Stages, FakeCluster, Any]:
    """A master's shape, whose run lasts `environment.since_s`."""
    cluster = FakeCluster("master")
    environment = SimpleNamespace(parsed_options=SimpleNamespace(headless=False), since_s=0.0)
    made = Stages(environment, cluster, parse(text))
    monkeypatch.setattr(made, "get_run_time", lambda: environment.since_s)
    return made, cluster, environment


def test_each_stage_has_its_users_for_its_time_and_the_run_ends_after_the_last(monkeypatch: pytest.MonkeyPatch) -> None:
    made, _, environment = shape("2x10s,2..6x20s,6x10s", monkeypatch)
    users: list[int | None] = []
    for environment.since_s in (0, 9, 10, 20, 29.9, 30, 39, 40):
        ticked = made.tick()
        users.append(ticked and ticked[0])
    assert users == [2, 2, 2, 4, 6, 6, 6, None]


def test_workers_hear_of_each_stage_once_and_when_it_began_is_written_down(monkeypatch: pytest.MonkeyPatch) -> None:
    made, cluster, environment = shape("2x10s,2..6x20s,6x10s", monkeypatch)
    facts: dict[str, Any] = {"stages": [{}, {}, {}]}
    shared.begin(environment.parsed_options, facts)
    for environment.since_s in (0, 5, 10, 15, 30):
        cluster.users = {0: 0, 5: 2, 10: 2, 15: 3, 30: 6}[environment.since_s]
        made.tick()
    assert cluster.of(STAGE) == [
        {"stage": 1, "ramp": False, "there": False},
        {"stage": 2, "ramp": True, "there": False},
        {"stage": 3, "ramp": False, "there": True},  # the ramp has brought them
    ]
    assert [set(stage) for stage in facts["stages"]] == [set(), {"began_unix_s"}, {"began_unix_s"}]


def test_a_signal_ends_the_stages_and_a_new_run_begins_with_the_first(monkeypatch: pytest.MonkeyPatch) -> None:
    made, cluster, _ = shape("2x10s,4x10s", monkeypatch)
    made.tick()
    made.reset_time()
    made.tick()
    assert [told["stage"] for told in cluster.of(STAGE)] == [1, 1]
    made.end()
    assert made.tick() is None


def test_requests_of_a_worker_bear_the_stage_that_it_heard_of() -> None:
    cluster, run_context = FakeCluster("worker"), SimpleNamespace(stage=None, ramping=False, all_started=False)
    options = SimpleNamespace()
    environment = SimpleNamespace(parsed_options=options, events=Events(), tokenswarm=run_context)
    follow(environment, cluster)
    cluster.hear(STAGE, {"stage": 2, "ramp": True, "there": False})
    assert (run_context.stage, run_context.ramping, run_context.all_started) == (2, True, False)
    cluster.hear(STAGE, {"stage": 3, "ramp": False, "there": True})
    assert (run_context.stage, run_context.ramping, run_context.all_started) == (3, False, True)
