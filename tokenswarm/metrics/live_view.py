"""What a run does now: counts of seconds, by endpoint and model, summed over its workers. Pure.

A row exists when its request has ended; here an answer counts while it comes. Output tokens of what is under way are
chunks times the run's tokens a chunk. The warm-up counts like everything else.
"""

from collections import Counter, deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from tokenswarm.metrics.histogram import decode, encode, percentile_ms

MOST_CELLS = 600  # points of a chart: then two neighbours become one
RECENT_S = 10
SETTLED_S = 3  # by then the slowest worker's report of a second is there
PAUSE_EVERY = 10  # points, about a millisecond
SKETCHES = ("ttft", "itl", "tpot")
Whose = tuple[str, str]  # endpoint, model


@dataclass(slots=True)
class Count:
    """What was seen in some seconds.

    The first four are of their last moment: requests sent and not ended, those of them whose body has begun, how long
    the oldest of the others waits for its first byte, and how long the most silent of the begun has sent nothing, s.
    `output_tokens` were made in that time (an estimate by chunks), `counted_tokens` and `prompt_tokens` are the
    server's counts for the requests that ended in it, as are `tpot` and `itl` (buckets of `metrics.histogram`); TTFTs
    are of the first outputs that were seen in it. `eval_*` are the server's own durations; `queue_ns` is
    the ledger's queue, whoever tells it, and `queued_e2e_ns` the E2E of the requests that have one.
    """

    in_flight: int = 0
    begun: int = 0
    oldest_wait_s: float = 0.0
    silent_s: float = 0.0
    sent: int = 0
    output_tokens: float = 0.0
    counted_tokens: int = 0
    prompt_tokens: int = 0
    eval_tokens: int = 0
    eval_ns: int = 0
    queue_ns: int = 0
    queued_e2e_ns: int = 0
    outcomes: Counter[str] = field(default_factory=Counter)
    ttft: Counter[int] = field(default_factory=Counter)
    itl: Counter[int] = field(default_factory=Counter)
    tpot: Counter[int] = field(default_factory=Counter)

    def beside(self, other: "Count") -> None:
        """Add what another worker, endpoint or model had at that time."""
        self.in_flight += other.in_flight
        self.begun += other.begun
        self.oldest_wait_s = max(self.oldest_wait_s, other.oldest_wait_s)
        self.silent_s = max(self.silent_s, other.silent_s)
        self._sum(other)

    def then(self, other: "Count") -> None:
        """Add what came after; a wait shows as long as it grew."""
        self.in_flight, self.begun = other.in_flight, other.begun
        self.oldest_wait_s = max(self.oldest_wait_s, other.oldest_wait_s)
        self.silent_s = max(self.silent_s, other.silent_s)
        self._sum(other)

    def _sum(self, other: "Count") -> None:
        self.sent += other.sent
        self.output_tokens += other.output_tokens
        self.counted_tokens += other.counted_tokens
        self.prompt_tokens += other.prompt_tokens
        self.eval_tokens += other.eval_tokens
        self.eval_ns += other.eval_ns
        self.queue_ns += other.queue_ns
        self.queued_e2e_ns += other.queued_e2e_ns
        self.outcomes.update(other.outcomes)
        for name in SKETCHES:
            getattr(self, name).update(getattr(other, name))

    def as_message(self) -> dict[str, Any]:
        """As a worker sends it; what is nothing is left out."""
        sketches = {name: encode(getattr(self, name)) for name in SKETCHES}
        plain = {name: getattr(self, name) for name in _PLAIN}
        return {name: value for name, value in {**plain, **sketches, "outcomes": dict(self.outcomes)}.items() if value}

    @property
    def ended(self) -> int:
        """Requests that ended, in whatever way."""
        return self.outcomes.total()


_PLAIN = tuple(name for name in Count.__slots__ if name not in (*SKETCHES, "outcomes"))


def count_of(message: Mapping[str, Any]) -> Count:
    """A worker's message, read."""
    sketches: dict[str, Any] = {name: Counter(decode(message.get(name, ""))) for name in SKETCHES}
    given = {name: message[name] for name in _PLAIN if name in message}
    return Count(**{**given, **sketches, "outcomes": Counter(message.get("outcomes", {}))})


Counts = dict[Whose, Count]


def total(counts: Iterable[Count]) -> Count:
    """All of one time together."""
    made = Count()
    for count in counts:
        made.beside(count)
    return made


class LiveView:
    """One run's seconds, put together where the run folder is; a report that is lost is missing in one of them."""

    def __init__(self) -> None:
        self.begin("", 0.0)

    def begin(self, run: str, now_s: float) -> None:
        """A run begins."""
        self.run, self.began_s, self.step_s, self.users = run, now_s, 1, 0
        self.whole: Counts = {}
        self._cells: list[Counts] = []  # `step_s` each
        self._users: list[int] = []
        self._recent: deque[tuple[int, Counts]] = deque()  # second by second
        self._bases: dict[str, int] = {}
        self._latest: dict[str, tuple[int, Counts]] = {}
        self._points: dict[Whose | None, list[dict[str, Any]]] = {}

    def take(self, worker: str, number: int, counts: Counts, now_s: float, users: int = 0) -> None:
        """A worker's `number`-th second has come.

        It goes where its neighbours are, by the worker's own count: messages may be late, and then come together.
        """
        arrived = max(0, int(now_s - self.began_s) - 1)  # it has just ended
        second = self._bases.setdefault(worker, arrived - number) + number
        if abs(second - arrived) > SETTLED_S:
            self._bases[worker], second = arrived - number, arrived
        self.users = users
        self._latest[worker] = second, counts
        for whose, count in counts.items():
            self.whole.setdefault(whose, Count()).then(count)
        recent = next((cell for at, cell in self._recent if at == second), None)
        if recent is None:
            recent = {}
            self._recent.append((second, recent))
        while self._recent and self._recent[0][0] < arrived - RECENT_S - SETTLED_S:
            self._recent.popleft()
        at = second // self.step_s
        while at >= len(self._cells):
            self._cells.append({})
            self._users.append(users)
        self._users[at] = users
        for whose, count in counts.items():
            recent.setdefault(whose, Count()).beside(count)
        self._put(at, counts)
        while len(self._cells) > MOST_CELLS:
            self._coarsen()

    def _put(self, at: int, counts: Counts) -> None:
        cell, now = self._cells[at], self._now(counts.keys())
        for whose, count in counts.items():
            held = cell.setdefault(whose, Count())
            held.then(count)
            held.in_flight, held.begun = now[whose].in_flight, now[whose].begun

    def _now(self, whose: Iterable[Whose]) -> Counts:
        """What is under way: the latest of each worker that still reports."""
        newest = max((second for second, _ in self._latest.values()), default=0)
        heard = [counts for second, counts in self._latest.values() if second >= newest - SETTLED_S]
        return {each: total(counts[each] for counts in heard if each in counts) for each in whose}

    def _coarsen(self) -> None:
        """Two cells become one, and the charts have half as many points."""
        cells, users = self._cells, self._users
        for cell, following in zip(cells[::2], cells[1::2], strict=False):
            for whose, count in following.items():
                cell.setdefault(whose, Count()).then(count)
        self._cells, self._users, self.step_s = cells[::2], users[::2], 2 * self.step_s
        self._points = {}

    @property
    def seconds(self) -> int:
        """How long the run is, as far as anybody has told."""
        return len(self._cells) * self.step_s

    def groups(self) -> list[Whose]:
        """Endpoints and models of which something was seen."""
        return sorted(self.whole)

    def series(self, whose: Whose | None = None, pause: Callable[[], None] = lambda: None) -> list[dict[str, Any]]:
        """A chart's points, `step_s` apart: of all, or of one endpoint and model; at most MOST_CELLS.

        With a `pause` after every few of them, in which seconds may come.
        """
        while True:
            points = self._points.setdefault(whose, [])
            settled = max(0, len(self._cells) - 1 - -(-SETTLED_S // self.step_s))
            while len(points) < settled and self._points.get(whose) is points:
                points.append(self._point(len(points), whose))
                if len(points) % PAUSE_EVERY == 0:
                    pause()
            if self._points.get(whose) is points:
                return points + [self._point(at, whose) for at in range(len(points), len(self._cells))]

    def _point(self, at: int, whose: Whose | None) -> dict[str, Any]:
        cell = self._cells[at]
        count = total(cell.values()) if whose is None else cell.get(whose, Count())
        return {"t": (at + 1) * self.step_s, "users": self._users[at], **figures(count, self.step_s)}

    def recent(self, whose: Whose | None = None) -> dict[str, Any]:
        """The figures of the last seconds, and what is under way."""
        made, under_way = Count(), self.under_way(whose)
        # The newest second is not whole yet: not all workers have reported it.
        cells = [cell for _, cell in sorted(self._recent, key=lambda each: each[0])][:-1][-RECENT_S:]
        for cell in cells:
            made.then(total(cell.values()) if whose is None else cell.get(whose, Count()))
        return {**figures(made, max(1, len(cells))), **gauges(under_way)}

    def under_way(self, whose: Whose | None = None) -> Count:
        """What is under way now."""
        now = self._now(self.whole)
        return total(now.values()) if whose is None else now.get(whose, Count())

    def so_far(self, whose: Whose | None = None) -> Count:
        """The whole run's sums."""
        return total(self.whole.values()) if whose is None else self.whole.get(whose, Count())


def gauges(count: Count) -> dict[str, Any]:
    """What was under way."""
    return {
        "running": count.begun,
        "waiting": count.in_flight - count.begun,
        "oldest_wait_s": round(count.oldest_wait_s, 2),
        "silent_s": round(count.silent_s, 2),
    }


def figures(count: Count, seconds: float) -> dict[str, Any]:
    """A chart's figures of a span; None where there is nothing to be said."""
    dropped = count.outcomes["dropped"]
    return {
        **gauges(count),
        "output_tokens_per_s": round(count.output_tokens / seconds, 2),
        "prompt_tokens_per_s": round(count.prompt_tokens / seconds, 2),
        "asked_per_s": round((count.sent + dropped) / seconds, 3),
        "ok_per_s": round(count.outcomes["ok"] / seconds, 3),
        "failed_per_s": round((count.ended - count.outcomes["ok"] - count.outcomes["cancelled"]) / seconds, 3),
        **percentiles(count),
        **server(count),
    }


def percentiles(count: Count) -> dict[str, float | None]:
    """p50 and p95 of TTFT, ITL and TPOT, ms."""
    found = {}
    for name in SKETCHES:
        for percent in (50, 95):
            value = percentile_ms(getattr(count, name), percent)
            found[f"{name}_ms_p{percent}"] = None if value is None else float(f"{value:.4g}")
    return found


def server(count: Count) -> dict[str, float | None]:
    """The server's own side: its decode rate of a stream, and the share of their time that requests queued."""
    return {
        "decode_tokens_per_s": round(count.eval_tokens / count.eval_ns * 1e9, 2) if count.eval_ns else None,
        "queue_percent": round(100 * count.queue_ns / count.queued_e2e_ns, 1) if count.queued_e2e_ns else None,
    }
