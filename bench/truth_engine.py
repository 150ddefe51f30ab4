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
from typing import Protocol

from bench.compiled import burst
from bench.truth_answers import Ended, Script
from bench.truth_log import Entry, Log


@dataclass(frozen=True, slots=True)
class Settings:
    """What the command line says."""

    step_s: float
    prefill_s: float
    output_tokens: int
    model: str
    keep_truth: bool


class Way(Protocol):
    """Where an answer goes; `direct` is its socket while data may be handed to the kernel past `write`, else -1."""

    @property
    def direct(self) -> int: ...

    def on_burst(self, data: bytes, sent: int) -> None:
        """So much of the data was taken by the kernel; -1: the client has gone."""
        ...

    def write(self, data: bytes) -> int:
        """Hand data to the kernel; give the wall clock right before, ns."""
        ...

    def on_answered(self) -> None:
        """The answer has ended, one way or the other."""
        ...


class Answer:
    """One stream under way."""

    __slots__ = ("connection", "ended", "entry", "prompt_tokens", "ready_s", "script")

    def __init__(self, connection: Way, entry: Entry, script: Script, prompt_tokens: int, ready_s: float):
        self.connection, self.entry, self.script = connection, entry, script
        self.prompt_tokens, self.ready_s = prompt_tokens, ready_s
        self.ended = False


class Engine:
    """The steps, and the streams that are in them."""

    def __init__(self, loop: asyncio.AbstractEventLoop, settings: Settings) -> None:
        self.loop, self.settings, self.log = loop, settings, Log()
        self._waiting: deque[Answer] = deque()
        self._active: list[Answer] = []
        self._due_s: float | None = None
        self._number = 0
        self._burst = burst()

    def next_number(self) -> int:
        """The number of the next answer."""
        self._number += 1
        return self._number

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
        said = self._say(active)
        last = [answer for answer, count in zip(active, said, strict=True) if count >= answer.entry.asked_tokens]
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
        """The next token of each stream; give how many each has by then."""
        counts = [len(answer.entry.before_ns) for answer in active]
        pieces = [
            answer.script.tokens[count % len(answer.script.tokens)] if count else answer.script.first_token
            for answer, count in zip(active, counts, strict=True)
        ]
        if self._burst and all(answer.connection.direct >= 0 for answer in active):
            self._say_at_once(active, pieces)
        else:
            for answer, piece in zip(active, pieces, strict=True):
                answer.entry.before_ns.append(answer.connection.write(piece))
        return [count + 1 for count in counts]

    def _say_at_once(self, active: Sequence[Answer], pieces: list[bytes]) -> None:
        n, sizes = len(active), list(map(len, pieces))
        before_ns, took_ns, sent = (c_int64 * n)(), (c_int64 * n)(), (c_int * n)()
        sockets = (c_int * n)(*[answer.connection.direct for answer in active])
        self._burst(n, sockets, (c_char_p * n)(*pieces), (c_int * n)(*sizes), before_ns, took_ns, sent)
        for answer, ns in zip(active, before_ns, strict=True):
            answer.entry.before_ns.append(ns)
        self.log.send_ns.extend(array("q", bytes(took_ns)))
        if (taken := list(sent)) != sizes:
            for answer, piece, size in zip(active, pieces, taken, strict=True):
                if size < len(piece):
                    answer.connection.on_burst(piece, size)

    def _say_all(self, answer: Answer) -> None:
        entry, script = answer.entry, answer.script
        tokens = b"".join(script.tokens[n % len(script.tokens)] for n in range(entry.asked_tokens))
        ended = Ended(answer.prompt_tokens, entry.asked_tokens, 2_000_000, 500_000, 500_000)
        before_ns = answer.connection.write(script.opening + script.first + tokens + script.final(ended))
        entry.before_ns.extend([before_ns] * entry.asked_tokens)
        if not answer.ended:
            entry.last_before_ns = before_ns
        self._end(answer, complete=True)

    def _finish(self, answer: Answer) -> None:
        if answer.ended:
            return
        entry = answer.entry
        now_ns, first_ns = time.time_ns(), entry.before_ns[0]
        prefill_ns = max(1000, first_ns - entry.arrived_ns)
        decode_ns = max(1000, entry.before_ns[-1] - first_ns)
        ended = Ended(
            answer.prompt_tokens,
            len(entry.before_ns),
            max(prefill_ns + decode_ns + 2_000_000, now_ns - entry.arrived_ns),
            prefill_ns,
            decode_ns,
        )
        before_ns = answer.connection.write(answer.script.final(ended))
        if not answer.ended:  # its client may have gone in that very moment
            entry.last_before_ns = before_ns
            self._end(answer, complete=True)

    def _end(self, answer: Answer, *, complete: bool) -> None:
        if not answer.ended:
            answer.ended, answer.entry.complete = True, complete
            self.log.ended += 1
            if self.settings.keep_truth:
                self.log.entries.append(answer.entry)
            answer.connection.on_answered()

    def drop(self, answer: Answer) -> None:
        """Its client has gone."""
        self._end(answer, complete=False)
