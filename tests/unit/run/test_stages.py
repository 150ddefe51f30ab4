"""Stages of a closed loop: their language, and what workers hear of them."""

from types import SimpleNamespace
from typing import Any

import pytest
from fake_cluster import FakeCluster
from locust.event import Events

from tokenswarm.run.stages import enter, follow, parse, resume
from tokenswarm.settings.errors import UsageError


def test_the_language() -> None:
    holds = parse("1x60s, 2 x 1.5m,4×1h")
    assert [(s.from_users, s.users, s.span_s) for s in holds] == [(1, 1, 60), (2, 2, 90), (4, 4, 3600)]
    (ramp,) = parse("1..16x30s")
    assert [ramp.users_at(s) for s in (0, 10, 30, 99)] == [1, 6, 16, 16]


@pytest.mark.parametrize("text", ["", "1x60s,", "1x60s, 2y30s", "1x60", "0x60s", "1x0s", "x", "-1x5s"])
def test_what_is_no_stage_is_marked(text: str) -> None:
    with pytest.raises(UsageError, match=r"▸.*◂.*is no stage; write stages as"):
        parse(text)


def test_a_worker_that_joins_within_a_stage_hears_of_it_with_its_first_order() -> None:
    options = SimpleNamespace()
    master = SimpleNamespace(parsed_options=options, events=Events())
    follow(master, FakeCluster("master"))
    enter(master, 2, ramp=False, there=False)

    def joined() -> Any:
        run_context = SimpleNamespace(stage=None, ramping=True, all_started=False)
        resume(SimpleNamespace(parsed_options=options, tokenswarm=run_context))
        return run_context

    assert (joined().stage, joined().ramping, joined().all_started) == (2, False, False)
    master.events.spawning_complete.fire(user_count=4)
    assert joined().all_started
    enter(master, 3, ramp=True, there=True)
    master.events.spawning_complete.fire(user_count=5)
    assert (joined().stage, joined().ramping, joined().all_started) == (3, True, False)
    master.events.test_stop.fire(environment=master)
    assert joined().stage is None
