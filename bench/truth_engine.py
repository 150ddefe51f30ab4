"""The truth server's engine: decodes in steps, a token for each active stream in one pass, and logs each write.

Where there is a C compiler, the writes of a pass are one call of `burst.c`: a third of the time of a loop in Python.
"""

import asyncio
import time
from array import array
from collections import deque
from collections.abc import Sequence
from ctypes import c_char_p, c_int, c_int64
from dataclasses import dataclass
from itertools import count
from typing import TYPE_CHECKING

from bench.compiled import burst
from bench.truth_answers import Ended, Script
from bench.truth_log import Answered, Log

if TYPE_CHECKING:
    from bench.truth_connection import Connection


@dataclass(frozen=True, slots=True)
class Settings:
    """What the command line says."""

    step_s: float
    prefill_s: float
    output_tokens: int
    model: str
    keep_truth: bool


@dataclass(eq=False, slots=True)
class Answer:
    """One stream under way: `noted` is what is logged of it, `ready_s` when its prefill is over."""

    connection: "Connection"
    noted: Answered
    script: Script
    prompt_tokens: int
    asked_tokens: int
    ready_s: float
    ended: bool = False


class Engine:
    """The steps, and the streams that are in them."""

    def __init__(self, loop: asyncio.AbstractEventLoop, settings: Settings) -> None:
        self.loop, self.settings, self.log = loop, settings, Log()
        self._waiting: deque[Answer] = deque()
        self._active: list[Answer] = []
        self._due_s: float | None = None
        self.next_number = count(1).__next__
        self._burst = burst()

    def join(self, answer: Answer) -> None:
        """A request has been read: its answer begins, after the prefill."""
        if not self.settings.step_s:
            self._say_all(answer)
            return
        if answer.script.opening:
            answer.connection.write(answer.script.opening)
        self._waiting.append(answer)
        if self._due_s is None:
            self._schedule(answer.ready_s)

    def _schedule(self, due_s: float) -> None:
        self._due_s = due_s
        self.loop.call_at(due_s, self._step)

    def _step(self) -> None:
        """One pass: a token for each active stream; the final lines come after all the tokens."""
        began_s, due_s, waiting = self.loop.time(), self._due_s, self._waiting
        assert due_s is not None
        while waiting and waiting[0].ready_s <= max(began_s, due_s):
            self._active.append(waiting.popleft())
        active = [answer for answer in self._active if not answer.ended]
        had = self._say(active)
        last = [answer for answer, tokens in zip(active, had, strict=True) if tokens + 1 >= answer.asked_tokens]
        for answer in last:
            self._finish(answer)
        self._active = [answer for answer in active if not answer.ended] if last else active
        self.log.late_ns.append(int((began_s - due_s) * 1e9))
        self.log.pass_ns.append(int((self.loop.time() - began_s) * 1e9))
        if self._active:
            # An engine that is too slow gets slower; it does not make up for it with short steps.
            self._schedule(max(due_s + self.settings.step_s, self.loop.time()))
        elif waiting:
            self._schedule(max(waiting[0].ready_s, due_s + self.settings.step_s))
        else:
            self._due_s = None

    def _say(self, active: Sequence[Answer]) -> list[int]:
        """The next token of each stream; give how many each had before."""
        counts = [len(answer.noted.before_ns) for answer in active]
        pieces = [
            answer.script.tokens[said % len(answer.script.tokens)] if said else answer.script.first_token
            for answer, said in zip(active, counts, strict=True)
        ]
        if self._burst and all(answer.connection.direct >= 0 for answer in active):
            self._say_at_once(active, pieces)
        else:
            for answer, piece in zip(active, pieces, strict=True):
                answer.noted.before_ns.append(answer.connection.write(piece))
        return counts

    def _say_at_once(self, active: Sequence[Answer], pieces: list[bytes]) -> None:
        n, sizes = len(active), list(map(len, pieces))
        before_ns, took_ns, sent = (c_int64 * n)(), (c_int64 * n)(), (c_int * n)()
        sockets = (c_int * n)(*[answer.connection.direct for answer in active])
        self._burst(n, sockets, (c_char_p * n)(*pieces), (c_int * n)(*sizes), before_ns, took_ns, sent)
        for answer, ns in zip(active, before_ns, strict=True):
            answer.noted.before_ns.append(ns)
        self.log.send_ns.extend(array("q", bytes(took_ns)))
        if (taken := list(sent)) != sizes:
            for answer, piece, size in zip(active, pieces, taken, strict=True):
                if size < len(piece):
                    answer.connection.on_short(piece, size)

    def _say_all(self, answer: Answer) -> None:
        script, tokens = answer.script, answer.asked_tokens
        said = b"".join(script.tokens[n % len(script.tokens)] for n in range(tokens))
        ended = Ended(answer.prompt_tokens, tokens, 2_000_000, 500_000, 500_000)
        before_ns = self._conclude(answer, script.opening + script.first + said + script.final(ended))
        answer.noted.before_ns.extend([before_ns] * tokens)

    def _finish(self, answer: Answer) -> None:
        if answer.ended:
            return
        noted, now_ns = answer.noted, time.time_ns()
        prefill_ns = max(1000, noted.before_ns[0] - noted.arrived_ns)
        decode_ns = max(1000, noted.before_ns[-1] - noted.before_ns[0])
        total_ns = max(prefill_ns + decode_ns + 2_000_000, now_ns - noted.arrived_ns)
        ended = Ended(answer.prompt_tokens, len(noted.before_ns), total_ns, prefill_ns, decode_ns)
        self._conclude(answer, answer.script.final(ended))

    def _conclude(self, answer: Answer, data: bytes) -> int:
        """The answer's last write; the wall clock before it, ns."""
        before_ns = answer.connection.write(data)
        if not answer.ended:  # its client may have gone in that very moment
            answer.noted.last_before_ns = before_ns
            self._end(answer, complete=True)
        return before_ns

    def _end(self, answer: Answer, *, complete: bool) -> None:
        answer.ended, answer.noted.complete = True, complete
        self.log.ended += 1
        if self.settings.keep_truth:
            self.log.answers.append(answer.noted)
        answer.connection.on_answered()

    def drop(self, answer: Answer) -> None:
        """Its client has gone."""
        if not answer.ended:
            self._end(answer, complete=False)
