"""One answer on its way: the engine says when, the dialect says what, this writes it and stamps what was written.

`send` of ASGI is driven straight from the engine's step. No task wakes for a token: with 200 streams that would be
10,000 task switches a second, and each stream's token would wait for all others' switches before it.
"""

import time
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any, Protocol

from tokenswarm.simulator.api.request import GenerationRequest
from tokenswarm.simulator.engine.schedule import Engine, Job, Timing
from tokenswarm.simulator.model import faults
from tokenswarm.simulator.model.plan import Kind, Plan, PlannedLine
from tokenswarm.simulator.model.tokens import context_ids, text_of_ids
from tokenswarm.simulator.settings import NS_PER_S
from tokenswarm.simulator.transport import HoldingTransport
from tokenswarm.simulator.truth import Ledger, LedgerEntry

BUFFER_BYTES = 2048  # Go tells the length of what fits its buffer, and sends the rest in chunks
HEADS_IN_SLOT = "llama.cpp"  # it sends a stream's headers when a slot takes the request, its role with the first token
# What leaves at one time: one chunk, or several.
Events = bytes | tuple[bytes, ...]


class ReplyDialect(Protocol):
    """How one API words an answer; see `ollama.Native` and `openai.OpenAI`."""

    stream_type: bytes
    whole_type: bytes

    def write_opening(self) -> tuple[bytes, Kind] | None: ...
    def line(self, line: PlannedLine, wall_ns: int) -> Events: ...
    def final(self, timing: Timing, wall_ns: int) -> Events: ...
    def whole(self, timing: Timing, wall_ns: int) -> bytes: ...
    def write_loaded(self, wall_ns: int) -> bytes: ...
    def write_broken(self, message: str) -> Events: ...
    def garbage(self) -> bytes: ...
    def write_failed(self, message: str) -> bytes: ...


def run_now(sending: Coroutine[Any, Any, None]) -> None:
    """Run a coroutine that never waits to its end (see `protocol`: the transport is never full); else RuntimeError."""
    try:
        sending.send(None)
    except StopIteration:
        return
    sending.close()
    raise RuntimeError("send waited: the transport's limit was reached")


Headers = list[tuple[bytes, bytes]]


@dataclass(frozen=True)
class HttpExchange:
    """One HTTP exchange: ASGI's send, the transport below it, and the ledger that counts it."""

    path: str
    send: Callable[[dict[str, Any]], Coroutine[Any, Any, None]]
    transport: HoldingTransport
    ledger: Ledger
    is_go: bool = True

    def start(self, status: int, content_type: bytes, *more: tuple[bytes, bytes]) -> None:
        """Hand over the response's head."""
        self.ledger.answered[self.path, status] += 1
        head: Headers = [*([(b"content-type", content_type)] if content_type else []), *more]
        run_now(self.send({"type": "http.response.start", "status": status, "headers": head}))

    def body(self, body: bytes, *, last: bool) -> None:
        """Hand over a piece of the body: a chunk of its own unless the length was told."""
        run_now(self.send({"type": "http.response.body", "body": body, "more_body": not last}))

    def whole(self, status: int, content_type: bytes, body: bytes, *more: tuple[bytes, bytes]) -> tuple[int, int]:
        """Answer with one body, head and all in one write; wall-clock ns before and after it.

        Its length is told, but not by Go's server where it is long.
        """
        length = () if self.is_go and len(body) > BUFFER_BYTES else ((b"content-length", b"%d" % len(body)),)
        self.transport.hold()
        self.start(status, content_type, *length, *more)
        self.body(body, last=True)
        before_ns = time.time_ns()
        self.transport.release()
        return before_ns, time.time_ns()

    def chunk(self, status: int, content_type: bytes, body: bytes, *more: tuple[bytes, bytes]) -> None:
        """Answer with one chunk, as a stream that ends at once."""
        self.transport.hold()
        self.start(status, content_type, *more)
        self.body(body, last=True)
        self.transport.release()


def _known_after(ask: GenerationRequest, plan: Plan) -> str:
    """What the model has read and said at the end, as the next turn will have it."""
    if ask.api != "generate":
        return f"{ask.prompt}\x1eassistant\x1f{plan.join('thinking')}{plan.join('text')}"
    if ask.raw or ask.only_loads:
        return ""
    return text_of_ids(context_ids(plan.tape_start, ask.prompt_tokens + plan.first_run_tokens + plan.counted_tokens))


class Reply:
    """The engine's sink for one generation request."""

    def __init__(
        self,
        ask: GenerationRequest,
        plan: Plan,
        dialect: ReplyDialect,
        exchange: HttpExchange,
        record: LedgerEntry,
        engine: Engine,
        wall_minus_clock_ns: int,
    ) -> None:
        self._ask, self._plan, self._dialect, self._exchange = ask, plan, dialect, exchange
        self._record, self._engine, self._offset_ns = record, engine, wall_minus_clock_ns
        self._ledger, self._transport = exchange.ledger, exchange.transport
        self._lines = iter(plan.lines)
        self._next = next(self._lines, None)
        self._told_tokens = 0
        self._started = False
        fault = ask.model.fault
        strikes = fault.ends or fault.stalls or fault.garbage or fault.no_done_line
        self._strikes_at = faults.middle_token(plan.output_tokens) if strikes else 0
        if plan.undone and not fault.no_done_line:
            self._strikes_at = plan.output_tokens
        stall_ns = round(engine.settings.stall_s * NS_PER_S)
        self.job = Job(
            ask.model,
            text_of_ids(ask.context) + ask.prompt,
            ask.prompt_tokens,
            0 if ask.only_loads else plan.output_tokens,
            self,
            ask.keep_alive_ns,
            stall_ns if fault.slow_headers else 0,
            known_after=_known_after(ask, plan),
            arrived_ns=record.read_ns - wall_minus_clock_ns,
            context_tokens=ask.context_tokens,
            on_slot=self._head if ask.stream and engine.settings.engine == HEADS_IN_SLOT else None,
        )
        self._stall_ns = stall_ns
        self._held: tuple[bytes, Kind] | None = None  # an opening that goes with the first token

    def open(self) -> None:
        """The request was accepted: say what the API says before the first token."""
        opening = self._dialect.write_opening() if self._ask.stream else None
        if self.job.on_slot:
            self._held = opening
        elif opening is not None:
            body, kind = opening
            self._write(body, 0, kind, self._record.read_ns)

    def _head(self, slot_ns: int) -> None:
        """A slot has taken the request: the response's head, and nothing else before its first token."""
        self._write(b"", 0, "headers", slot_ns + self._offset_ns)

    def token(self, number: int, due_ns: int) -> None:
        """The engine has generated a token: write the line that ends with it, if there is one."""
        self._record.output_tokens = number
        if number == self._strikes_at and self._strike(due_ns + self._offset_ns):
            return
        line = self._next
        if line is None or line.at_token != number:
            return
        self._next = next(self._lines, None)
        if self._held:
            (body, kind), self._held = self._held, None
            self._write(body, 0, kind, due_ns + self._offset_ns)
        if self._ask.stream:
            self._told_tokens += line.tokens
            self._record.text_chars += len(line.text)
            self._write(self._dialect.line(line, time.time_ns()), line.tokens, line.kind, due_ns + self._offset_ns)

    def finish(self, due_ns: int, timing: Timing) -> None:
        """The engine is through: write the end, or the whole answer."""
        due_wall_ns, record = due_ns + self._offset_ns, self._record
        record.end = "complete"
        if self._ask.only_loads:
            self.answer_load(due_wall_ns)
        elif not self._ask.stream:
            self._write_whole(self._dialect.whole(timing, time.time_ns()), due_wall_ns)
        elif self._plan.error is not None:
            record.end = "fault"
            self._write(self._dialect.write_broken(self._plan.error), 0, "final", due_wall_ns, last=True)
        else:
            record.text_chars += len(self._plan.last_text)
            body = self._dialect.final(timing, time.time_ns())
            self._write(body, record.output_tokens - self._told_tokens, "final", due_wall_ns, last=True)

    def answer_load(self, due_wall_ns: int) -> None:
        """Answer an empty request."""
        body = self._dialect.write_loaded(time.time_ns())
        self._record.status, self._record.end = 200, "complete"
        stamps = self._exchange.whole(200, self._dialect.whole_type, body)
        self._note(*stamps, len(body), 0, "final", due_wall_ns)

    def break_off(self) -> None:
        """The server goes down: the connection ends without the body's end."""
        self._engine.cancel(self.job)
        self._transport.abort()

    def _strike(self, due_wall_ns: int) -> bool:
        """Do what goes wrong in the middle of a stream; whether that was its end."""
        fault = self._ask.model.fault
        if fault.stalls:
            self._engine.pause(self.job, self._stall_ns)
            return False
        if not self._ask.stream:
            return False  # all others show in the whole answer
        if fault.garbage:
            self._write(self._dialect.garbage(), 0, "empty", due_wall_ns)
            return False
        self._record.end = "fault"
        if fault.ends == "reset":
            self._transport.reset()
        elif fault.ends == "error":
            self._write(self._dialect.write_broken(faults.DIED), 0, "final", due_wall_ns, last=True)
        else:
            self._write(b"", 0, "final", due_wall_ns, last=True)
        self._engine.cancel(self.job)
        return True

    def _write(self, body: Events, tokens: int, kind: Kind, due_wall_ns: int, *, last: bool = False) -> None:
        """Write one chunk of a stream, the response's head with the first one."""
        exchange = self._exchange
        if isinstance(body, tuple):
            for piece in body[:-1]:
                self._write(piece, 0, kind, due_wall_ns)
            body = body[-1]
        if self._started:
            before_ns = time.time_ns()
            exchange.body(body, last=last)
        else:
            self._started, self._record.status = True, 200
            self._transport.hold()
            exchange.start(200, self._dialect.stream_type)
            exchange.body(body, last=last)
            before_ns = time.time_ns()
            self._transport.release()
        self._note(before_ns, time.time_ns(), len(body), tokens, kind, due_wall_ns)

    def _note(self, before_ns: int, after_ns: int, size: int, tokens: int, kind: Kind, due_wall_ns: int) -> None:
        ledger, record = self._ledger, self._record
        if size:
            ledger.chunks += 1
        if kind != "headers":
            ledger.lines.add(before_ns - due_wall_ns)
        if self._transport.get_write_buffer_size():
            ledger.buffered_chunks += 1  # the kernel has not taken all of it: this stamp is too early
        if ledger.keeps_chunks:
            record.due_ns.append(due_wall_ns)
            record.chunks.append(f'[{before_ns},{after_ns},{size},{tokens},"{kind}"]')

    def _write_whole(self, body: bytes, due_wall_ns: int) -> None:
        """Write an answer that is not streamed, with what its fault makes of it."""
        fault, record, exchange = self._ask.model.fault, self._record, self._exchange
        status, kind = 200, self._dialect.whole_type
        record.text_chars = len(self._plan.join("text")) + len(self._plan.join("thinking"))
        error = faults.DIED if fault.ends == "error" else self._plan.error
        if fault.ends or fault.garbage or self._plan.undone or error:
            record.end = "fault"
        if error:
            status, body, record.text_chars = 500, self._dialect.write_failed(error), 0
        elif fault.garbage:
            body = self._dialect.garbage()
        elif fault.ends == "truncate":
            body = body[: len(body) // 2]
        record.status = status
        if fault.ends == "reset":
            exchange.start(status, kind, (b"content-length", b"%d" % len(body)))
            exchange.body(body[: len(body) // 2], last=False)
            self._transport.reset()
            return
        stamps = exchange.whole(status, kind, body)
        self._note(*stamps, len(body), record.output_tokens, "final", due_wall_ns)
