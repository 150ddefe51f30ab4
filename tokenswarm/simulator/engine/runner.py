"""A loaded model: Ollama runs one llama-server a loaded model, with slots, a queue and a prompt cache of its own."""

from collections import deque
from dataclasses import dataclass, field

from tokenswarm.simulator.engine.job import Job
from tokenswarm.simulator.engine.prefixes import Prefixes
from tokenswarm.simulator.model.models import Model


@dataclass(frozen=True)
class Need:
    """What a request needs to be in memory: a model's weights with a context of so many tokens."""

    model: Model
    context_tokens: int
    size_bytes: int  # weights and KV cache

    @property
    def blob(self) -> str:
        """The weights: models that share them share a runner."""
        return self.model.weights


@dataclass(eq=False)
class Runner:
    """One loaded model; `need` is that of the request it was loaded for, so /api/ps shows that request's name."""

    need: Need
    keep_alive_ns: int  # negative = for ever
    prefixes: Prefixes
    loading: bool = True
    active: int = 0  # requests that hold it: a model in use never expires
    used_ns: int = 0
    expires_ns: int | None = None  # `None` = never
    names: set[str] = field(default_factory=set)  # those that it has served
    queue: deque[Job] = field(default_factory=deque)  # endless, before the slots
    busy: int = 0  # slots

    def is_expired(self, now_ns: int) -> bool:
        """Whether it has been idle for longer than its keep-alive."""
        return not self.loading and not self.active and self.expires_ns is not None and now_ns >= self.expires_ns

    def idle_from(self, now_ns: int) -> None:
        """Nobody uses it from now on: its keep-alive begins."""
        self.used_ns = now_ns
        self.expires_ns = None if self.keep_alive_ns < 0 else now_ns + self.keep_alive_ns
