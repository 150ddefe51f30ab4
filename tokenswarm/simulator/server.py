"""What all endpoints share: one simulated server's settings, models, engine and ledger."""

import asyncio
import time
from typing import Any

from tokenswarm.simulator.api.reply import Reply
from tokenswarm.simulator.engine.pacer import EngineTimer
from tokenswarm.simulator.engine.schedule import Engine
from tokenswarm.simulator.model import models
from tokenswarm.simulator.settings import SimulatorSettings
from tokenswarm.simulator.truth import Ledger, LedgerEntry


class Server:
    """The state of one server. Its clock is the monotonic one."""

    def __init__(self, settings: SimulatorSettings) -> None:
        """Set up; OSError if the truth log cannot be written."""
        self.settings = settings
        self.ledger = Ledger(settings.truth)
        self.engine = Engine(settings, time.monotonic_ns, self.ledger.ticks.add)
        self.models = models.catalogue(settings.models, settings.context_tokens)
        self.pacer = EngineTimer(self.engine, self.ledger)
        self.model_changes = self.lost_deletes = 0  # since the start
        self.unfinished: set[asyncio.Task[None]] = set()  # goes on whether or not its client waits
        self.blobs: set[str] = set()
        self.live: dict[Reply, LedgerEntry] = {}

    def put(self, model: models.Model) -> None:
        """Have a model from now on."""
        self.models[model.name] = model
        self.model_changes += 1

    def drop(self, name: str) -> bool:
        """Have a model no longer; was it there?"""
        there = self.models.pop(name, None) is not None
        self.model_changes += there
        return there

    def close(self) -> None:
        """Break off all streams as a server that is killed does, and close the truth log."""
        for reply, record in list(self.live.items()):
            reply.break_off()
            self.ledger.close_record(record)
        self.live.clear()
        self.ledger.close()

    def stats(self) -> dict[str, Any]:
        """Totals since the start."""
        waiting = self.engine.accepted - len(self.engine.slots)
        told = self.ledger.stats(len(self.engine.slots), waiting, self.engine.slips)
        return told | {"cached_prompt_tokens": self.engine.cached_tokens}
