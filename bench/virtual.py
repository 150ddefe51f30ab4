"""The simulator's engine in virtual time: what a server of known settings does at a load, computed.

Pure arithmetic on the engine of simulator/engine/schedule.py: no sockets, no sleeping, thousands of requests a second.
"""

import heapq
import random
from dataclasses import dataclass, field
from itertools import count
from typing import Any

from tokenswarm.simulator.engine.schedule import Engine, Job, Timing
from tokenswarm.simulator.model.models import make_model
from tokenswarm.simulator.model.tokens import natural_length_tokens
from tokenswarm.simulator.settings import NS_PER_S, SimulatorSettings

MODEL = make_model("sim:latest")
ARRIVAL = -1  # in the place of a user, in an open loop


@dataclass(frozen=True, slots=True)
class Asks:
    """What is asked: prompt tokens from `least` to `most`, evenly; at most `max_tokens` out."""

    least: int
    most: int
    max_tokens: int


@dataclass(eq=False)
class _Heard:
    """One request's sink: when its tokens came."""

    world: "World"
    sent_ns: int
    tokens: int
    user: int
    shown: int  # tokens that have text
    first_ns: int = 0
    last_ns: int = 0

    def token(self, number: int, due_ns: int) -> None:
        """A token was generated."""
        if number == 1:
            self.first_ns = due_ns
        if number <= self.shown:
            self.last_ns = due_ns

    def finish(self, due_ns: int, timing: Timing) -> None:
        """All were."""
        self.world.end(self, due_ns, timing)


@dataclass(eq=False)
class World:
    """A server from `settings`, asked by a closed number of users or by arrivals."""

    settings: SimulatorSettings
    asks: Asks
    seed: int = 0
    now_ns: int = 0
    ended: list[dict[str, Any]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.engine = Engine(self.settings, lambda: self.now_ns)
        self.random = random.Random(f"virtual {self.seed}")
        self.in_flight = 0
        self.again = False  # do users ask again?
        self._order = count()
        self._heap: list[tuple[int, int, int]] = []
        self.send_at(0, ARRIVAL)  # which loads the model
        self.run_until(60 * NS_PER_S)
        self.ended.clear()

    def send_at(self, at_ns: int, user: int) -> None:
        """A request is sent then."""
        heapq.heappush(self._heap, (at_ns, next(self._order), user))

    def _send(self, user: int) -> None:
        s = self.settings
        natural = natural_length_tokens(self.random.getrandbits(60), s.output_tokens, s.output_cv)
        tokens = min(natural, self.asks.max_tokens)
        shown = tokens - 1 if natural <= self.asks.max_tokens else tokens
        heard = _Heard(self, self.now_ns, tokens, user, shown)
        prompt_tokens = self.random.randint(self.asks.least, self.asks.most)
        self.in_flight += 1
        self.engine.submit(Job(MODEL, "", prompt_tokens, tokens, heard))

    def end(self, heard: _Heard, due_ns: int, timing: Timing) -> None:
        """A request has ended: its row, as the columns of requests.csv."""
        self.in_flight -= 1
        e2e_ms = (due_ns - heard.sent_ns) / 1e6
        row = {
            "outcome": "ok",
            "phase": "steady",
            "user": heard.user,
            "sent_unix_ns": heard.sent_ns,
            "ended_unix_ns": due_ns,
            "ttft_ms": (heard.first_ns - heard.sent_ns) / 1e6,
            "tpot_ms": (heard.last_ns - heard.first_ns) / 1e6 / (heard.tokens - 1) if heard.tokens > 1 else None,
            "e2e_ms": e2e_ms,
            "response_ms": e2e_ms if heard.user == ARRIVAL else None,  # nobody is late here
        }
        self.ended.append(row)
        if self.again and heard.user != ARRIVAL:
            self.send_at(due_ns, heard.user)

    def run_until(self, until_ns: int) -> None:
        """Let time pass."""
        while True:
            due_ns = self.engine.next_due_ns()
            send_ns = self._heap[0][0] if self._heap else None
            at_ns = min((ns for ns in (due_ns, send_ns) if ns is not None), default=None)
            if at_ns is None or at_ns > until_ns:
                self.now_ns = until_ns
                return
            self.now_ns = max(self.now_ns, at_ns)
            if send_ns == at_ns:
                self._send(heapq.heappop(self._heap)[2])
            else:
                self.engine.advance()

    def closed(self, users: int, stagger_ns: int) -> None:
        """So many users begin, one after the other."""
        self.again = True
        for user in range(users):
            self.send_at(self.now_ns + stagger_ns * user // users, user)

    def arrivals(self, rate_per_s: float, span_s: float, cv: float = 1.0) -> None:
        """Poisson (cv 1), constant (0) or gamma arrivals at a rate, from now on for that long."""
        at_s = 0.0
        while True:
            at_s += (self.random.gammavariate(1 / cv**2, cv**2) if cv else 1.0) / rate_per_s
            if at_s > span_s:
                return
            self.send_at(self.now_ns + round(at_s * NS_PER_S), ARRIVAL)

    def drain(self) -> None:
        """No new requests; until all have ended."""
        self.again = False
        self._heap.clear()
        while self.in_flight:
            self.run_until(self.now_ns + NS_PER_S // 20)

    def taken(self) -> list[dict[str, Any]]:
        """The rows since the last time."""
        rows, self.ended = self.ended, []
        return rows
