"""The schedule: loads, slots, prefill, and one decode step at a time for all running slots, as real engines batch.

Pure: it reads the clock that it is given, and never sleeps. `advance` does what is due and says when to call again.
"""

import heapq
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import count

from tokenswarm.simulator.engine.job import Job as Job
from tokenswarm.simulator.engine.job import Sink as Sink
from tokenswarm.simulator.engine.job import Timing as Timing
from tokenswarm.simulator.engine.loader import Busy, Loader
from tokenswarm.simulator.engine.runner import Need, Runner
from tokenswarm.simulator.model.models import context_tokens, memory_bytes
from tokenswarm.simulator.settings import NS_PER_MS, NS_PER_S, SimulatorSettings

WARM_NS = NS_PER_MS  # what finding a loaded model takes: Ollama never says 0
_LEAST_EVAL_NS = 1_000  # Ollama's eval_duration of a single token
_SHARE_NS = 110 * NS_PER_MS  # what finding a loaded model by another of its names takes the first time
_LOST_NS = NS_PER_S  # behind by more than this the process was stopped: go on from now instead of a burst


@dataclass
class Engine:
    """N slots a loaded model with an endless FIFO before them, and the loader before that."""

    settings: SimulatorSettings
    clock: Callable[[], int]
    on_tick: Callable[[int], None] = lambda late_ns: None
    loader: Loader = field(init=False)
    slots: dict[Job, None] = field(default_factory=dict)  # running, prefilling ones too; a dict keeps their order
    slips: int = 0  # times the schedule was given up because the process had been stopped
    cached_tokens: int = 0  # prompt tokens that were not evaluated again

    def __post_init__(self) -> None:
        s = self.settings
        self.loader = Loader(s.keep_alive_ns, s.max_queue, s.cache_tokens, s.memory_bytes, s.max_loaded_models)
        self._load_ns = max(round(s.load_ms * NS_PER_MS), WARM_NS)
        self._step_ns = NS_PER_S / s.decode_tps
        self._decoding: dict[Job, None] = {}
        self._runners: dict[Job, Runner] = {}  # the loaded models that jobs hold
        self._events: list[tuple[int, int, Callable[[int], None]]] = []
        self._order = count()
        self._tick_ns: int | None = None
        self.accepted = 0  # jobs that are neither done nor cancelled
        self._accepted: Counter[str] = Counter()  # by model's weights

    def submit(self, job: Job) -> None:
        """Accept a job; Busy if too many wait for a load, or for a slot; TooBig if its model fits no memory."""
        s, blob = self.settings, job.model.weights
        job.arrived_ns = job.arrived_ns or self.clock()
        if s.max_waiting is not None and job.output_tokens and self._accepted[blob] >= s.parallel + s.max_waiting:
            raise Busy
        self._arrive(job)
        self.accepted += 1
        self._accepted[blob] += 1
        self._schedule()

    def cancel(self, job: Job) -> None:
        """The client is gone: free the slot and generate no more. Harmless on a job that is done."""
        if job.done:
            return
        if (runner := self._runners.get(job)) is None:
            self.loader.give_up(job)
        elif job in runner.queue:
            runner.queue.remove(job)
        self._leave(job)
        self._schedule()

    def unload(self, blob: str) -> None:
        """Drop a model as soon as nobody uses it."""
        self.loader.unload(blob, self.clock())

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

    def _need(self, job: Job) -> Need:
        tokens = context_tokens(job.model, job.context_tokens, self.settings.context_tokens)
        return Need(job.model, tokens, memory_bytes(job.model, tokens))

    def _arrive(self, job: Job) -> None:
        need = self._need(job)
        runner = self.loader.find(need, self.clock())
        if runner is None:
            self.loader.wait(job, need)
            return
        new = self._hold(job, runner)
        found_ns = min(_SHARE_NS, self._load_ns) if new else WARM_NS
        self._at(max(self.clock(), job.arrived_ns + found_ns), lambda due: self._ready(job))

    def _schedule(self) -> None:
        """Let the loader go on as far as it can without a wait."""
        while (step := self.loader.advance(self.clock())) is not None:
            if isinstance(step, Runner):
                ready_ns = self.clock() + self._load_ns
                self._at(ready_ns, lambda due, runner=step: self._loaded(runner))  # type: ignore[misc]
                return
            job, runner = step
            self._hold(job, runner)
            self._ready(job)

    def _loaded(self, runner: Runner) -> None:
        if self.loader.runners.get(runner.need.blob) is runner:  # else the load was broken off
            job = self.loader.end_load(runner, self.clock())
            self._hold(job, runner)
            self._ready(job)
            self._schedule()

    def _hold(self, job: Job, runner: Runner) -> bool:
        self._runners[job] = runner
        return self.loader.hold(runner, job.model.name, job.keep_alive_ns)

    def _ready(self, job: Job) -> None:
        if job.done:
            return
        job.ready_ns = self.clock()
        if not job.output_tokens and not job.embeds:
            self._finish(job, job.ready_ns)
            return
        if job.delay_ns:
            self._at(job.ready_ns + job.delay_ns, lambda due: self._enqueue(job))
        else:
            self._enqueue(job)

    def _enqueue(self, job: Job) -> None:
        if not job.done:
            runner = self._runners[job]
            runner.queue.append(job)
            self._fill_slots(runner)

    def _fill_slots(self, runner: Runner) -> None:
        while runner.queue and runner.busy < self.settings.parallel:
            job = runner.queue.popleft()
            runner.busy += 1
            self.slots[job] = None
            job.slot_ns = self.clock()
            if self.settings.prompt_cache and not job.embeds:
                job.cached_tokens = runner.prefixes.cached_tokens(job.prompt, job.prompt_tokens)
                self.cached_tokens += job.cached_tokens
            prefill_tokens = job.prompt_tokens - job.cached_tokens
            first_ns = job.slot_ns + max(1, round(prefill_tokens / self.settings.prefill_tps * NS_PER_S))
            self._at(first_ns, lambda due, job=job: self._first(job, due))  # type: ignore[misc]
            if job.on_slot:
                job.on_slot(job.slot_ns)

    def _first(self, job: Job, due: int) -> None:
        if job.done:
            return
        job.first_ns = job.last_ns = self.clock()
        if job.embeds:
            self._finish(job, due)
            return
        if self.settings.prompt_cache and job in self._runners:
            self._runners[job].prefixes.remember(job.prompt)
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
        timing = Timing(total_ns, job.ready_ns - job.arrived_ns, job.first_ns - job.slot_ns, eval_ns, job.cached_tokens)
        runner = self._runners.get(job)
        if runner is not None and job.known_after and self.settings.prompt_cache:
            runner.prefixes.remember(job.known_after)
        # The answer leaves before the next job starts, but the slot is free first: who asks again finds it so.
        self._leave(job, fill=False)
        job.sink.finish(due, timing)
        if runner is not None:
            self._fill_slots(runner)
        self._schedule()

    def _leave(self, job: Job, *, fill: bool = True) -> None:
        job.done = True
        self.accepted -= 1
        self._accepted[job.model.weights] -= 1
        self._decoding.pop(job, None)
        if not self._decoding:
            self._tick_ns = None
        runner = self._runners.pop(job, None)
        if runner is None:
            return
        if job in self.slots:
            del self.slots[job]
            runner.busy -= 1
        self.loader.release(runner, self.clock())
        if fill:
            self._fill_slots(runner)
