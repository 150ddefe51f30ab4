"""One request in the engine, and who hears of it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from tokenswarm.simulator.model.models import Model


@dataclass(frozen=True)
class Timing:
    """Where the time of one request went, ns, with Ollama's meanings."""

    total_ns: int  # since the request was read: includes the waits for the load and for a slot
    load_ns: int  # until the model was there
    prompt_ns: int
    eval_ns: int  # first to last token: one interval fewer than tokens
    cached_tokens: int = 0  # prompt tokens that were not evaluated again


class Sink(Protocol):
    """Who hears of a job. `due_ns` is the planned time, on the engine's clock."""

    def token(self, number: int, due_ns: int) -> None:
        """Token `number`, from 1, was generated."""

    def finish(self, due_ns: int, timing: Timing) -> None:
        """The last token was generated (or, for a job of 0 tokens, the model is loaded, or the prompt embedded)."""


@dataclass(eq=False)
class Job:
    """One request; with 0 output tokens it only loads the model, or embeds its prompt."""

    model: Model
    prompt: str  # all that the model reads: what it begins with may be cached
    prompt_tokens: int
    output_tokens: int
    sink: Sink
    keep_alive_ns: int | None = None
    delay_ns: int = 0  # dead time between the load and the queue: no field of Ollama's tells of it
    context_tokens: int | None = None  # the num_ctx that it asks for; `None` = the model's or the server's
    embeds: bool = False
    on_slot: Callable[[int], None] | None = None  # called when a slot takes it, with the time on the engine's clock
    known_after: str = ""  # what the model has read and said at the end
    arrived_ns: int = 0
    ready_ns: int = 0
    slot_ns: int = 0
    first_ns: int = 0
    last_ns: int = 0
    produced: int = 0
    cached_tokens: int = 0
    not_before_ns: int = 0
    done: bool = False
