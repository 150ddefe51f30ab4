"""Stages of a closed loop: how many users, for how long, one stage after the other."""

import re
import signal
import time
from dataclasses import asdict, dataclass
from typing import Any

import gevent
from locust import LoadTestShape

from tokenswarm.run.cluster import Cluster
from tokenswarm.run.shared import StageNow, shared_state
from tokenswarm.settings.errors import UsageError
from tokenswarm.users.context import RunContext

STAGE, RAMP = "tokenswarm_stage", "tokenswarm_ramp"
USAGE = "write stages as 1x60s, 2x60s, or 1..16x5m for a ramp"
_STAGE = re.compile(r"(\d+)(?:\s*\.\.\s*(\d+))?\s*[x×*]\s*(\d+(?:\.\d+)?)(s|m|h)")
_SECONDS = {"s": 1.0, "m": 60.0, "h": 3600.0}


@dataclass(frozen=True, slots=True)
class Stage:
    """`users` of them over `span_s`; a ramp grows (or shrinks) to that from `from_users`, evenly."""

    text: str
    from_users: int
    users: int
    span_s: float

    @property
    def ramp(self) -> bool:
        """Does the number of users change within the stage?"""
        return self.from_users != self.users

    def users_at(self, since_s: float) -> int:
        """So many of them that long after its beginning."""
        share = min(1.0, since_s / self.span_s)
        return round(self.from_users + (self.users - self.from_users) * share)


def parse(text: str) -> tuple[Stage, ...]:
    """Read `--stages`. Raises UsageError, with the offending place between ▸ and ◂."""
    stages, at = [], 0
    for part in text.split(","):
        found = _STAGE.fullmatch(part.strip())
        if not found or not float(found[3]) or not max(int(found[1]), int(found[2] or 0)):
            marked = f"{text[:at]}▸{part}◂{text[at + len(part) :]}"
            raise UsageError(f"--stages: {' '.join(marked.split())}: is no stage; {USAGE}")
        first = int(found[1])
        last = int(found[2]) if found[2] else first
        stages.append(Stage("".join(part.split()), first, last, float(found[3]) * _SECONDS[found[4]]))
        at += len(part) + 1
    return tuple(stages)


def check(options: Any) -> None:
    """Do the stages go with the other options? Raises UsageError."""
    if not options.stages:
        return
    parse(options.stages)
    others = (("--arrivals", options.arrivals), ("--trace", options.trace))
    for name, given in (*others, ("--users", options.num_users), ("--run-time", options.run_time)):
        if given:
            raise UsageError(f"{name} and --stages, which say how many users there are, how long; give one of the two")


def most_users(options: Any) -> int | None:
    """How many there will be at most."""
    return max(max(each.users, each.from_users) for each in parse(options.stages)) if options.stages else None


class Stages(LoadTestShape):
    """Locust's shape of the stages; tells all processes in which one they are."""

    abstract = False
    use_common_options = True  # else the form that comes after a run could not be filled in for one without stages

    def __init__(self, environment: Any, cluster: Cluster, stages: tuple[Stage, ...]) -> None:
        super().__init__()
        self._cluster = cluster
        self._stages, self._now, self._ended = stages, 0, False
        self._environment = environment
        if environment.parsed_options.headless:
            # Locust then waits for a shape before it listens to SIGTERM, which would leave no run behind, and its
            # workers alive.
            gevent.signal_handler(signal.SIGTERM, self.end)

    def end(self) -> None:
        """No further stage, and the run is over within a second."""
        self._ended = True

    def reset_time(self) -> None:
        """A run begins."""
        super().reset_time()
        self._now = 0

    def tick(self) -> tuple[int, float] | None:
        """Users and spawn rate now; None when the last stage is over. Holds are reached within a second."""
        if self._ended:
            return None
        since_s = self.get_run_time()
        for number, stage in enumerate(self._stages, start=1):
            if since_s < stage.span_s:
                if number != self._now:
                    self._now = number
                    # After a ramp all users may be there already: Locust will have nothing to start, nor to tell of.
                    there = self._cluster.users == stage.users
                    self._note(number)
                    self._tell({"stage": number, "ramp": stage.ramp, "there": there})
                users = stage.users_at(since_s)
                return users, max(1.0, float(users), float(self._stages[max(0, number - 2)].users))
            since_s -= stage.span_s
        return None

    def _note(self, number: int) -> None:
        """When a stage began, into run.json; of the first one its first request tells, as the run begins after it."""
        facts = shared_state(self._environment.parsed_options)["facts"].get("stages", [])
        if 1 < number <= len(facts):
            facts[number - 1]["began_unix_s"] = time.time()

    def _tell(self, message: dict[str, Any]) -> None:
        if self._cluster.is_master:
            self._cluster.send(STAGE, message)
        enter(self._environment, **message)


def enter(environment: Any, stage: int, ramp: bool, there: bool) -> None:
    """A stage begins in this process: until all its users are there, and all through a ramp, it is not steady."""
    shared_state(environment.parsed_options)["stage"] = StageNow(stage, ramp, there)
    resume(environment)


def _all_there(environment: Any) -> None:
    now = shared_state(environment.parsed_options)
    stage, ramp, _ = now["stage"]
    now["stage"] = StageNow(stage, ramp, not ramp)


def _forget(environment: Any) -> None:
    shared_state(environment.parsed_options)["stage"] = StageNow()


def resume(environment: Any) -> None:
    """A run begins in this process, and its first stage may have begun just before."""
    run_context: RunContext | None = getattr(environment, "tokenswarm", None)
    stage, ramp, there = shared_state(environment.parsed_options)["stage"]
    if run_context and stage:
        run_context.stage, run_context.ramping, run_context.all_started = stage, ramp, there and not ramp


def shape(environment: Any, cluster: Cluster, own: LoadTestShape | None) -> LoadTestShape | None:
    """The shape that Locust is to follow: that of `--stages`, else the locustfile's own. Raises UsageError."""
    stages = environment.parsed_options.stages
    if not stages and own:
        _watch(own, environment, cluster)
    return Stages(environment, cluster, parse(stages)) if stages else own


def _watch(own: Any, environment: Any, cluster: Cluster) -> None:
    """Have a shape of the locustfile tell all processes of its ramps: until the users are there it is not steady."""
    if getattr(own, "tokenswarm_watched", False):
        return
    tick, before = own.tick, [0]

    def tick_watched() -> Any:
        said = tick()
        users = said[0] if said else before[0]
        if users != before[0]:
            before[0] = users
            if users != cluster.users:
                if cluster.is_master:
                    cluster.send(RAMP)
                ramp(environment)
        return said

    own.tick, own.tokenswarm_watched = tick_watched, True


def ramp(environment: Any) -> None:
    """Users begin to come or go in this process."""
    shared_state(environment.parsed_options)["all_started"] = False
    run_context: RunContext | None = getattr(environment, "tokenswarm", None)
    if run_context:
        run_context.all_started = False


def follow(environment: Any, cluster: Cluster) -> None:
    """Have a worker hear of the stages, and each process forget them when the run is over."""
    environment.events.spawning_complete.add_listener(lambda **_: _all_there(environment))
    environment.events.test_stop.add_listener(lambda **_: _forget(environment))
    if cluster.is_worker:
        cluster.on(STAGE, lambda message, _: enter(environment, **message))
        cluster.on(RAMP, lambda *_: ramp(environment))


def as_run_json(options: Any) -> dict[str, Any]:
    """The stages as run.json has them."""
    return {"stages": [asdict(stage) for stage in parse(options.stages)] if options.stages else []}
