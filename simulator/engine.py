"""The schedule: load queue, slots, prefill, and one decode step at a time for all running slots, as real engines batch.

Pure: it reads the clock that it is given, and never sleeps. `advance` does what is due and says when to call again.
"""

import heapq
from collections import OrderedDict, deque
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import count
from typing import Protocol

from simulator.loader import Busy, Loader
from simulator.settings import NS_PER_MS, NS_PER_S, Settings

WARM_NS = NS_PER_MS  # what finding a loaded model takes: Ollama never says 0
_LEAST_EVAL_NS = 1_000  # Ollama's eval_duration of a single token
_CACHED_PROMPTS = 4096
_LOST_NS = NS_PER_S  # behind by more than this the process was stopped: go on from now instead of a burst


@dataclass(frozen=True)
class Timing:
    """Where the time of one request went, ns, with Ollama's meanings."""

    total_ns: int  # since the request was read: includes the waits for the load and for a slot
    load_ns: int  # until the model was there
    prompt_ns: int
    eval_ns: int  # first to last token: one interval fewer than tokens


class Sink(Protocol):
    """Who hears of a job. `due_ns` is the planned time, on the engine's clock."""

    def token(self, number: int, due_ns: int) -> None:
        """Token `number`, from 1, was generated."""

    def finished(self, due_ns: int, timing: Timing) -> None:
        """The last token was generated (or, for a job of 0 tokens, the model is loaded)."""


@dataclass(eq=False)
class Job:
    """One request in the engine; with 0 output tokens it only loads the model."""

    model: str
    prompt_key: int
    prompt_tokens: int
    output_tokens: int
    sink: Sink
    keep_alive_ns: int | None = None
    delay_ns: int = 0  # dead time between the load and the queue: no field of Ollama's tells of it
    context_tokens: int | None = None  # the num_ctx that it asks for; `None` = as it is loaded, or the default
    arrived_ns: int = 0
    ready_ns: int = 0
    slot_ns: int = 0
    first_ns: int = 0
    last_ns: int = 0
    produced: int = 0
    not_before_ns: int = 0
    holds_model: bool = False
    done: bool = False


@dataclass
class Engine:
    """N slots with an endless FIFO before them, and the loader before that."""

    settings: Settings
    clock: Callable[[], int]
    on_tick: Callable[[int], None] = lambda late_ns: None
    loader: Loader = field(init=False)
    slots: dict[Job, None] = field(default_factory=dict)  # running, prefilling ones too; a dict keeps their order
    queue: deque[Job] = field(default_factory=deque)
    slips: int = 0  # times the schedule was given up because the process had been stopped

    def __post_init__(self) -> None:
        s = self.settings
        self.loader = Loader(round(s.load_ms * NS_PER_MS), s.keep_alive_ns, s.max_queue)
        self._step_ns = NS_PER_S / s.decode_tps
        self._decoding: dict[Job, None] = {}
        self._loading: dict[str, list[Job]] = {}
        self._events: list[tuple[int, int, Callable[[int], None]]] = []
        self._order = count()
        self._tick_ns: int | None = None
        self._cached: OrderedDict[tuple[str, int], None] = OrderedDict()
        self.accepted = 0  # jobs that are neither done nor cancelled

    def submit(self, job: Job) -> None:
        """Accept a job; Busy if too many wait for a load, or for a slot."""
        s = self.settings
        job.arrived_ns = job.arrived_ns or self.clock()
        if s.max_waiting is not None and job.output_tokens and self.accepted >= s.parallel + s.max_waiting:
            raise Busy
        self._arrive(job)
        self.accepted += 1

    def cancel(self, job: Job) -> None:
        """The client is gone: free the slot and generate no more. Harmless on a job that is done."""
        if job.done:
            return
        waiters = self._loading.get(job.model, [])
        if job in waiters:
            waiters.remove(job)
            self.loader.waiting -= 1
        elif job in self.queue:
            self.queue.remove(job)
        self._leave(job)

    def pause(self, job: Job, for_ns: int) -> None:
        """Let a running job keep its slot but decode nothing for a while."""
        job.not_before_ns = self.clock() + for_ns

    def next_due_ns(self) -> int | None:
        """When `advance` has something to do, on the engine's clock; `None` = when a job comes."""
        event = self._events[0][0] if self._events else None
        if self._tick_ns is None or event is None:
            return event if self._tick_ns is None else self._tick_ns
        return min(event, self._tick_ns)

    def advance(self) -> int | None:
        """Do what is due in the order in which it was due, up to one step; when to call again, as `next_due_ns`.

        One step only: when steps take longer than they should, requests must still be read between them.
        """
        while (due := self.next_due_ns()) is not None and due <= self.clock():
            if self._tick_ns == due:
                self._tick(due)
                return self.next_due_ns()
            heapq.heappop(self._events)[2](due)
        return due

    def step_ns(self) -> int:
        """One decode step with the slots that are busy now."""
        return round(self._step_ns * (1 + self.settings.slowdown * max(0, len(self.slots) - 1)))

    def _at(self, due_ns: int, what: Callable[[int], None]) -> None:
        heapq.heappush(self._events, (due_ns, next(self._order), what))

    def _arrive(self, job: Job) -> None:
        if self.loader.is_loaded(job.model, self.clock()):
            self._hold(job)
            self._at(max(self.clock(), job.arrived_ns + WARM_NS), lambda due: self._ready(job))
            return
        self._drop_prompts(job.model)
        to_load = self.loader.wait_for(job.model)
        self._loading.setdefault(job.model, []).append(job)
        if to_load is not None:
            self._load(to_load)

    def _load(self, model: str) -> None:
        self._at(self.clock() + max(self.loader.load_ns, WARM_NS), lambda due: self._loaded(model))

    def _loaded(self, model: str) -> None:
        following = self.loader.loaded(model, self.clock())
        for job in self._loading.pop(model, []):
            self.loader.waiting -= 1
            self._hold(job)
            self._ready(job)
        if following is not None:
            self._load(following)

    def _hold(self, job: Job) -> None:
        self.loader.hold(job.model)
        job.holds_model = True

    def _ready(self, job: Job) -> None:
        if job.done:
            return
        job.ready_ns = self.clock()
        if not job.output_tokens:
            self._finish(job, job.ready_ns)
            return
        if job.delay_ns:
            self._at(job.ready_ns + job.delay_ns, lambda due: self._enqueue(job))
        else:
            self._enqueue(job)

    def _enqueue(self, job: Job) -> None:
        if not job.done:
            self.queue.append(job)
            self._fill_slots()

    def _fill_slots(self) -> None:
        while self.queue and len(self.slots) < self.settings.parallel:
            job = self.queue.popleft()
            self.slots[job] = None
            job.slot_ns = self.clock()
            cached = self.settings.prompt_cache and (job.model, job.prompt_key) in self._cached
            prefill_tokens = 1 if cached else job.prompt_tokens
            first_ns = job.slot_ns + max(1, round(prefill_tokens / self.settings.prefill_tps * NS_PER_S))
            self._at(first_ns, lambda due, job=job: self._first(job, due))  # type: ignore[misc]

    def _first(self, job: Job, due: int) -> None:
        if job.done:
            return
        self._cached[job.model, job.prompt_key] = None
        self._cached.move_to_end((job.model, job.prompt_key))
        if len(self._cached) > _CACHED_PROMPTS:
            self._cached.popitem(last=False)
        job.first_ns = self.clock()
        # It rides the common ticks from here on, the first of them half a step away at least: on the average its first
        # interval is one step, and no two tokens fall together.
        job.not_before_ns = due + self.step_ns() // 2
        self._decoding[job] = None
        if self._tick_ns is None:
            self._tick_ns = due + self.step_ns()
        self._generate(job, due, job.first_ns)

    def _tick(self, due: int) -> None:
        now = self.clock()
        self.on_tick(now - due)
        for job in list(self._decoding):
            if job.not_before_ns <= due and not job.done:
                self._generate(job, due, now)
        if now - due > _LOST_NS:
            self.slips += 1
            due = now
        self._tick_ns = due + self.step_ns() if self._decoding else None

    def _generate(self, job: Job, due: int, now: int) -> None:
        job.produced += 1
        job.last_ns = now
        job.sink.token(job.produced, due)
        if job.produced >= job.output_tokens and not job.done:
            self._finish(job, due)

    def _finish(self, job: Job, due: int) -> None:
        eval_ns = max(_LEAST_EVAL_NS, job.last_ns - job.first_ns)
        total_ns = self.clock() - job.arrived_ns
        timing = Timing(total_ns, job.ready_ns - job.arrived_ns, job.first_ns - job.slot_ns, eval_ns)
        # The answer leaves before the next job starts, but the slot is free first: who asks again finds it so.
        self._leave(job, fill=False)
        job.sink.finished(due, timing)
        self._fill_slots()

    def _leave(self, job: Job, *, fill: bool = True) -> None:
        job.done = True
        self.accepted -= 1
        self.slots.pop(job, None)
        self._decoding.pop(job, None)
        if job.holds_model:
            self.loader.release(job.model, self.clock(), job.keep_alive_ns)
        if not self._decoding:
            self._tick_ns = None
        if fill:
            self._fill_slots()

    def _drop_prompts(self, model: str) -> None:
        """A model that was unloaded has forgotten its prompts."""
        for key in [key for key in self._cached if key[0] == model]:
            del self._cached[key]
