"""A locustfile: ours, and the run ends when each prompt of the payloads has been answered."""

from typing import Any

from locust import events

from locustfile import *  # noqa: F403 - as a user's own locustfile does
from metrics.record import Record

answered: set[str] = set()


@events.init.add_listener
def on_init(environment: Any, **_: Any) -> None:
    @environment.events.generation.add_listener
    def on_generation(record: Record, **_: Any) -> None:
        answered.add(record.identity.prompt_id)
        if len(answered) == len(environment.tokenswarm.settings.mix.prompts):
            environment.runner.quit()
