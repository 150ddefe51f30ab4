"""A locustfile: ours, but the prompts are asked in their order, and the run ends when each has been answered."""

import itertools
from typing import Any

from locust import events

from locustfile import *  # noqa: F403 - as a user's own locustfile does
from tokenswarm.metrics.record import Record
from tokenswarm.payloads.mix import Mix
from tokenswarm.payloads.prompt import Prompt

answered: set[str] = set()
turn = itertools.count()


def in_order(mix: Mix, *_: object) -> Prompt:
    """The next prompt."""
    return mix.prompts[next(turn) % len(mix.prompts)]


Mix.pick = in_order  # type: ignore[method-assign]


@events.init.add_listener
def on_init(environment: Any, **_: Any) -> None:
    @environment.events.generation.add_listener
    def on_generation(record: Record, **_: Any) -> None:
        answered.add(record.identity.prompt_id)
        if len(answered) == len(environment.tokenswarm.settings.mix.prompts):
            environment.runner.quit()
