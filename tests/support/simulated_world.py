"""An engine on a clock that only moves when told: 1 ms a prompt token, 20 ms a step."""

from dataclasses import dataclass, field
from typing import Any

from tokenswarm.simulator.engine.schedule import Engine, Job, Timing
from tokenswarm.simulator.model.models import Model
from tokenswarm.simulator.settings import NS_PER_MS as MS
from tokenswarm.simulator.settings import SimulatorSettings

PLAIN = SimulatorSettings(parallel=1, slowdown=0, prefill_tps=1000, decode_tps=50, load_ms=0, keep_alive_ns=10_000 * MS)


@dataclass
class World:
    """An engine, its clock, and the time of everything that it said, ms."""

    settings: SimulatorSettings = PLAIN
    now_ns: int = 0
    said: dict[str, list[float]] = field(default_factory=dict)
    timings: dict[str, Timing] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.engine = Engine(self.settings, lambda: self.now_ns)

    def job(self, name: str, prompt: int = 10, output: int = 3, model: str | Model = "m", **fields: Any) -> Job:
        named = Model(model) if isinstance(model, str) else model
        job = Job(named, fields.pop("text", name), prompt, output, _Listener(self, name), **fields)
        self.engine.submit(job)
        return job

    def run(self, until_ms: float = 10**6) -> None:
        """Let time pass, from event to event."""
        while (due := self.engine.next_due_ns()) is not None and due <= until_ms * MS:
            self.now_ns = max(self.now_ns, due)
            self.engine.advance()
        if until_ms < 10**6:
            self.now_ns = round(until_ms * MS)

    def resident(self, at_ms: float | None = None) -> list[str]:
        """The models that /api/ps would show."""
        now_ns = self.now_ns if at_ms is None else round(at_ms * MS)
        return [runner.need.model.name for runner in self.engine.loader.resident(now_ns)]


@dataclass
class _Listener:
    world: World
    name: str

    def token(self, number: int, due_ns: int) -> None:
        self.world.said.setdefault(self.name, []).append(due_ns / MS)

    def finish(self, due_ns: int, timing: Timing) -> None:
        self.world.timings[self.name] = timing


def warm(settings: SimulatorSettings = PLAIN) -> World:
    """A world in which the model is loaded; its clock stands at 1,000 ms."""
    world = World(settings)
    world.job("load", output=0)
    world.run(1000)
    world.timings.clear()
    return world
