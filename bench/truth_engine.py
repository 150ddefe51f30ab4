"""The truth server's engine: decodes in steps, a token for each active stream in one pass, and logs each write."""

import asyncio
import time
from collections import deque
from dataclasses import dataclass
from typing import Protocol

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
    """Where an answer goes."""

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
        last, gone = [], False
        for answer in self._active:
            if answer.ended:
                gone = True
                continue
            before_ns, script = answer.entry.before_ns, answer.script
            count = len(before_ns)
            token = script.tokens[count % len(script.tokens)]
            before_ns.append(answer.connection.write(token if count else script.first + token))
            if count + 1 >= answer.entry.asked_tokens:
                last.append(answer)
        for answer in last:
            self._finish(answer)
        if last or gone:
            self._active = [answer for answer in self._active if not answer.ended]
        self.log.late_ns.append(int((began_s - due_s) * 1e9))
        self.log.pass_ns.append(int((self.loop.time() - began_s) * 1e9))
        if self._active:
            # An engine that is too slow gets slower; it does not make up for it with short steps.
            self._schedule(max(due_s + self.settings.step_s, self.loop.time()))
        elif waiting:
            self._schedule(max(waiting[0].ready_s, due_s + self.settings.step_s))
        else:
            self._due_s = None

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
