"""What was really sent, and when: the totals of /sim/stats, and the truth log, one JSON line a request."""

import json
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, TextIO

End = Literal["complete", "cancelled", "fault"]

_FINE_US, _FINE_LIMIT_US = 10, 10_000
_FLUSH_S = 0.5


class Lateness:
    """A histogram of non-negative times: buckets of 10 µs below 10 ms, of 1 ms above, so its memory is bounded."""

    def __init__(self) -> None:
        self._counts: Counter[int] = Counter()
        self._max_ns = 0

    def add(self, late_ns: int) -> None:
        """Count one time, ns; an early one counts as 0."""
        if late_ns > self._max_ns:
            self._max_ns = late_ns
        late_us = max(0, late_ns) // 1000
        step_us = _FINE_US if late_us < _FINE_LIMIT_US else 1000
        self._counts[late_us // step_us * step_us] += 1

    def summary(self) -> dict[str, float | int | None]:
        """p50, p99 (lower edge of the bucket) and maximum, ms; `None` when nothing was counted."""
        total = sum(self._counts.values())
        if not total:
            return {"count": 0, "p50_ms": None, "p99_ms": None, "max_ms": None}
        found: list[float] = []
        seen = 0
        edges = sorted(self._counts)
        for share in (0.5, 0.99):
            while seen < share * total:
                edge = edges.pop(0)
                seen += self._counts[edge]
            found.append(edge / 1000)
        return {"count": total, "p50_ms": found[0], "p99_ms": found[1], "max_ms": round(self._max_ns / 1e6, 3)}


@dataclass
class LedgerEntry:
    """One generation request, as the truth log tells it; wall-clock ns. `text_chars` counts thinking and answer."""

    id: int
    path: str
    model: str
    user_agent: str | None
    request_id: str | None
    read_ns: int
    due_ns: list[int] = field(default_factory=list)
    chunks: list[str] = field(default_factory=list)  # each as JSON already: [before ns, after ns, bytes, tokens, kind]
    end: End = "cancelled"
    status: int = 0
    prompt_tokens: int = 0
    output_tokens: int = 0
    text_chars: int = 0


def _line(record: LedgerEntry) -> str:
    """A record as JSON. Its chunks are JSON since they were sent: to write all of them here would make others late."""
    due, chunks = ",".join(map(str, record.due_ns)), ",".join(record.chunks)
    rest = json.dumps({**vars(record), "due_ns": "@", "chunks": "@"}, separators=(",", ":"), ensure_ascii=False)
    return rest.replace('"due_ns":"@","chunks":"@"', f'"due_ns":[{due}],"chunks":[{chunks}]', 1) + "\n"


class Ledger:
    """Totals since the start, and the truth log if one is wanted. Memory does not grow with the requests."""

    def __init__(self, path: Path | None = None) -> None:
        """Open the log; OSError if it cannot be written."""
        self._file: TextIO | None = path.open("w", encoding="utf-8") if path is not None else None
        self._flushed_s = 0.0
        self._next_id = 0
        self.keeps_chunks = self._file is not None
        self.answered: Counter[tuple[str, int]] = Counter()
        self.ends: Counter[str] = Counter()
        self.output_tokens = self.prompt_tokens = self.chunks = self.buffered_chunks = 0
        self.vectors = 0
        self.ticks, self.lines = Lateness(), Lateness()

    def new_id(self) -> int:
        """The number of a request, from 1."""
        self._next_id += 1
        return self._next_id

    def count_served(self) -> int:
        """Answers so far."""
        return self.answered.total()

    def close_record(self, record: LedgerEntry) -> None:
        """Count a generation request that has ended, and log it."""
        self.ends[record.end if record.status < 400 or record.end == "fault" else "refused"] += 1
        self.output_tokens += record.output_tokens
        self.prompt_tokens += record.prompt_tokens
        if self._file is not None:
            self._file.write(_line(record))
            self.flush()

    def flush(self, *, force: bool = False) -> None:
        """Bring the log to the disk's cache, twice a second at most; the pacer calls this when nothing else does."""
        now_s = time.monotonic()
        if self._file is not None and (force or now_s - self._flushed_s >= _FLUSH_S):
            self._flushed_s = now_s
            self._file.flush()

    def close(self) -> None:
        """Close the log."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def stats(self, running: int, waiting: int, slips: int) -> dict[str, Any]:
        """The body of GET /sim/stats."""
        by_path: dict[str, dict[str, int]] = {}
        for (path, status), number in sorted(self.answered.items()):
            by_path.setdefault(path, {})[str(status)] = number
        return {
            "requests": by_path,
            "complete": self.ends["complete"],
            "cancelled": self.ends["cancelled"],
            "faults": self.ends["fault"],
            "refused": self.ends["refused"],
            "output_tokens": self.output_tokens,
            "prompt_tokens": self.prompt_tokens,
            "vectors": self.vectors,
            "chunks": self.chunks,
            "buffered_chunks": self.buffered_chunks,
            "tick_lateness": self.ticks.summary(),
            "chunk_lateness": self.lines.summary(),
            "schedule_slips": slips,
            "running": running,
            "waiting": waiting,
        }
