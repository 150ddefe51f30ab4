"""What the truth server logs while it serves: compact arrays, turned into JSON only when someone asks.

`Log.take` gives, and forgets, `{"server": facts, "requests": [one a generation that ended, …]}`. A request holds

    number         of the answer; its id on /v1 is `chatcmpl-<number>`
    request_id     the request's X-Request-Id header, or null
    path, peer_port
    arrived_ns     the kernel's stamp of the request's arrival (on loopback: when it was sent), wall clock
    before_ns      right before each write of a chunk with output (a token each), wall clock
    last_before_ns right before the last write of the answer; null if it was cut
    asked_tokens, tokens, complete
"""

import time
from array import array
from typing import Any


class Entry:
    """One streamed generation, as it went out."""

    __slots__ = (
        "arrived_ns",
        "asked_tokens",
        "before_ns",
        "complete",
        "last_before_ns",
        "number",
        "path",
        "peer_port",
        "request_id",
    )

    def __init__(
        self, number: int, request_id: str | None, path: str, peer_port: int, arrived_ns: int, asked_tokens: int
    ) -> None:
        self.number, self.request_id, self.path, self.peer_port = number, request_id, path, peer_port
        self.arrived_ns, self.asked_tokens = arrived_ns, asked_tokens
        self.before_ns = array("q")
        self.last_before_ns: int | None = None
        self.complete = False

    def row(self) -> dict[str, Any]:
        """The entry as JSON has it."""
        row = {name: getattr(self, name) for name in self.__slots__}
        return {**row, "before_ns": self.before_ns.tolist(), "tokens": len(self.before_ns)}


def _spread(values: "array[int]", unit_ns: float, unit: str, name: str) -> dict[str, float]:
    ordered = sorted(values)
    last = len(ordered) - 1
    ranks = {"p50": int(len(ordered) * 0.5), "p99": int(len(ordered) * 0.99), "max": last}
    return {f"{name}_{rank}_{unit}": ordered[min(at, last)] / unit_ns if ordered else 0.0 for rank, at in ranks.items()}


class Log:
    """All that is logged since it was last taken.

    `late_ns`: a pass's start less its due time; `pass_ns`: how long it took; `send_ns`: how long a send of a token
    took, which is how uncertain the truth is; `blocked`: writes that had to wait for the client to read; `ended`:
    answers that have ended, also those of which no entry is kept.
    """

    def __init__(self) -> None:
        self.entries: list[Entry] = []
        self.late_ns, self.pass_ns, self.send_ns = array("q"), array("q"), array("q")
        self.blocked = self.unstamped = self.ended = 0
        self._wall_s, self._cpu_s = time.monotonic(), time.process_time()

    def take(self) -> dict[str, Any]:
        """Everything, which is forgotten then."""
        facts: dict[str, float] = {
            "wall_s": time.monotonic() - self._wall_s,
            "cpu_s": time.process_time() - self._cpu_s,
            "steps": len(self.late_ns),
            "ended": self.ended,
            "tokens": sum(len(entry.before_ns) for entry in self.entries),
            "blocked": self.blocked,
            "unstamped": self.unstamped,
            **_spread(self.late_ns, 1e6, "ms", "late"),
            **_spread(self.pass_ns, 1e6, "ms", "pass"),
            **_spread(self.send_ns, 1e3, "us", "send"),
        }
        requests = [entry.row() for entry in self.entries]
        self.__init__()  # type: ignore[misc]
        return {"server": facts, "requests": requests}
