"""Ollama's scheduler: which models are in memory, who waits for one, and which must go to make room.

Requests for a model that is loaded pass by at once. All others wait in one line, and only its first is looked at: it
waits for the end of a load, then for a model to become idle that must go, then for its own load.
"""

from collections import deque
from dataclasses import dataclass, field

from tokenswarm.simulator.engine.job import Job
from tokenswarm.simulator.engine.prefixes import Prefixes
from tokenswarm.simulator.engine.runner import Need, Runner


class Busy(Exception):
    """Too many requests wait: the client gets 503."""


class TooBig(Exception):
    """The model does not fit even alone; the text is Ollama's."""


@dataclass
class Loader:
    """The scheduler, on a clock of the caller's; times in ns, negative keep-alive = for ever, `None` = no limit."""

    keep_alive_ns: int
    max_queue: int
    cache_tokens: int
    memory_bytes: int | None = None
    max_models: int | None = None
    runners: dict[str, Runner] = field(default_factory=dict)  # by blob, that which is being loaded too
    line: deque[tuple[Job, Need]] = field(default_factory=deque)
    _leaving: Runner | None = None  # goes when it becomes idle, to make room for the first in line

    def find(self, need: Need, now_ns: int) -> Runner | None:
        """The runner that can serve a request without any load."""
        self._drop_expired(now_ns)
        runner = self.runners.get(need.blob)
        if runner is None or runner.loading or runner.need.context_tokens != need.context_tokens:
            return None
        return runner

    def wait(self, job: Job, need: Need) -> None:
        """Queue a request; Busy if full, TooBig if in vain.

        As in Ollama the limit does not count the first, which is being looked at: with 2, three are accepted.
        """
        if self.memory_bytes is not None and need.size_bytes > self.memory_bytes:
            more = f"({_gib(need.size_bytes)}) than is available ({_gib(self.memory_bytes)})"
            raise TooBig(f"model requires more system memory {more}")
        if len(self.line) > self.max_queue:
            raise Busy
        self.line.append((job, need))

    def give_up(self, job: Job) -> bool:
        """The client of a waiting job has gone: nothing is unloaded, and a load that was for it alone is broken off."""
        place = next((place for place, (waiting, _need) in enumerate(self.line) if waiting is job), None)
        if place is None:
            return False
        if place == 0:
            self._leaving = None
            loading = next((runner for runner in self.runners.values() if runner.loading), None)
            if loading is not None:
                del self.runners[loading.need.blob]
        del self.line[place]
        return True

    def advance(self, now_ns: int) -> tuple[Job, Runner] | Runner | None:
        """The next step for the first in line: (it, its loaded model), a model to load now, or nothing for now."""
        if not self.line or any(runner.loading for runner in self.runners.values()):
            return None
        job, need = self.line[0]
        while (runner := self.find(need, now_ns)) is None:
            if need.blob not in self.runners and self._fits(need):
                return self._begin(job, need)
            leaving = self._leaving or self.runners.get(need.blob) or self._least_wanted()
            if leaving.active:
                self._leaving = leaving
                return None
            self._drop(leaving)
        self._leaving = None
        self.line.popleft()
        return job, runner

    def end_load(self, runner: Runner, now_ns: int) -> Job:
        """A load has ended: the first in line, for which it was."""
        runner.loading = False
        runner.idle_from(now_ns)
        return self.line.popleft()[0]

    def hold(self, runner: Runner, name: str, keep_alive_ns: int | None) -> bool:
        """A request begins to use a runner, which keeps its keep-alive if the request has none.

        Whether it is the first of this name: the runner then has to be asked first whether it serves it.
        """
        runner.active += 1
        if keep_alive_ns is not None:
            runner.keep_alive_ns = keep_alive_ns
        new = name not in runner.names
        runner.names.add(name)
        return new

    def release(self, runner: Runner, now_ns: int) -> None:
        """A request no longer uses it."""
        runner.active -= 1
        if not runner.active:
            runner.idle_from(now_ns)

    def unload(self, blob: str, now_ns: int) -> None:
        """Drop a model as soon as nobody uses it; requests that run on it finish normally."""
        runner = self.runners.get(blob)
        if runner is not None and not runner.loading:
            runner.keep_alive_ns = 0
            if not runner.active:
                runner.idle_from(now_ns)

    def resident(self, now_ns: int) -> list[Runner]:
        """Loaded models, the latest to expire first, as /api/ps lists them; not what is being loaded."""
        self._drop_expired(now_ns)
        found = [runner for runner in self.runners.values() if not runner.loading]
        return sorted(found, key=lambda one: -(2**63 if one.expires_ns is None else one.expires_ns))

    def _begin(self, job: Job, need: Need) -> Runner:
        keep_alive_ns = self.keep_alive_ns if job.keep_alive_ns is None else job.keep_alive_ns
        runner = Runner(need, keep_alive_ns, Prefixes(self.cache_tokens), names={need.model.name})
        self.runners[need.blob] = runner
        return runner

    def _fits(self, need: Need) -> bool:
        if self.max_models is not None and len(self.runners) >= self.max_models:
            return False
        used = sum(runner.need.size_bytes for runner in self.runners.values())
        return self.memory_bytes is None or used + need.size_bytes <= self.memory_bytes

    def _least_wanted(self) -> Runner:
        """Who goes first: an idle one, then the shortest keep-alive (for ever is the longest), then the least used."""

        def key(runner: Runner) -> tuple[bool, float, int]:
            forever = runner.keep_alive_ns < 0
            return runner.active > 0, 2**63 if forever else runner.keep_alive_ns, runner.used_ns

        return min(self.runners.values(), key=key)

    def _drop(self, runner: Runner) -> None:
        del self.runners[runner.need.blob]
        if self._leaving is runner:
            self._leaving = None

    def _drop_expired(self, now_ns: int) -> None:
        for runner in [runner for runner in self.runners.values() if runner.is_expired(now_ns)]:
            self._drop(runner)


def _gib(size_bytes: int) -> str:
    return f"{size_bytes / 2**30:.1f} GiB"
