"""What the truth server logs while it serves: compact, turned into JSON only when someone asks."""

import time
from array import array
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any


@dataclass
class Answered:
    """One streamed generation, as it went out; all times are the wall clock's, ns.

    `number` is the answer's (its id on /v1 is `chatcmpl-<number>`), `request_id` the request's X-Request-Id;
    `arrived_ns` the kernel's stamp of the request's arrival (on loopback: when it was sent); `before_ns` right before
    each write of a chunk with output, a token each; `last_before_ns` right before the answer's last write, None if it
    was cut.
    """

    number: int
    request_id: str | None
    arrived_ns: int
    before_ns: list[int] = field(default_factory=list)
    last_before_ns: int | None = None
    complete: bool = False
    peer_port: int = 0


def _p99(values: Sequence[int]) -> int:
    return sorted(values)[int(len(values) * 0.99)] if values else 0


@dataclass
class Log:
    """All that is logged until it is taken.

    `late_ns`: a pass's start less its due time; `pass_ns`: how long it took; `send_ns`: how long a send of a token
    took, which is how uncertain the truth is; `blocked`: writes that had to wait for the client to read; `ended`:
    answers that have ended, also those that are not kept.
    """

    answers: list[Answered] = field(default_factory=list)
    late_ns: "array[int]" = field(default_factory=partial(array, "q"))
    pass_ns: "array[int]" = field(default_factory=partial(array, "q"))
    send_ns: "array[int]" = field(default_factory=partial(array, "q"))
    blocked: int = 0
    ended: int = 0
    began_cpu_s: float = field(default_factory=time.process_time)

    def row(self) -> dict[str, Any]:
        """As JSON has it: `{"server": facts, "answers": [one a generation that ended, …]}`."""
        facts: dict[str, float] = {
            "cpu_s": time.process_time() - self.began_cpu_s,
            "ended": self.ended,
            "blocked": self.blocked,
            "late_p99_ms": _p99(self.late_ns) / 1e6,
            "pass_p99_ms": _p99(self.pass_ns) / 1e6,
            "send_p99_us": _p99(self.send_ns) / 1e3,
        }
        return {"server": facts, "answers": [vars(answer) for answer in self.answers]}
