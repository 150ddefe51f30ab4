"""LLMUser: a Locust User that asks one API, one request after the other, and tells what it saw."""

import itertools
import time
from typing import Any

import gevent
from locust import User, constant, task

from metrics.record import Identity, Phase, Record
from metrics.tally import Tally
from payloads.mix import nonce
from payloads.prompt import Prompt, unique
from users.exchange import Exchange
from users.health import Health
from users.http1 import request_bytes
from users.lane import Lane
from users.settings import Settings
from users.transport import Transport
from wire import reading
from wire.values import Answer, Api, Chunk, Transcript


class Work:
    """What the users of one process share during one run."""

    def __init__(self, settings: Settings, worker: int, health: Health) -> None:
        self.settings, self.worker, self.health = settings, worker, health
        self.lane = Lane()
        self.next_sequence = itertools.count().__next__
        self.all_started = self.ending = False
        self._warm_from_ns = time.monotonic_ns() + int(settings.warmup_s * 1e9)

    def phase(self) -> Phase:
        """The phase of the run that a request belongs to which begins now."""
        if time.monotonic_ns() < self._warm_from_ns:
            return "warm-up"
        return "steady" if self.all_started else "ramp-up"


class LLMUser(User):
    """Asks `api` in a closed loop: the next request goes out when the last answer has been read.

    A locustfile of one's own can subclass it, set `wait_time`, and call `generate` with prompts of its own.
    """

    abstract = True
    api: Api
    wait_time = constant(0)
    answer = Answer()  # to the last request

    def on_start(self) -> None:
        """Connect this user with the run's settings; the connection itself opens with the first request."""
        self.work: Work = self.environment.tokenswarm
        s = self.work.settings
        self.transport = Transport(s.target.host, s.target.port, s.timeouts, s.tls, s.new_connection)

    def on_stop(self) -> None:
        """Close the connection."""
        self.transport.close()

    @task
    def ask(self) -> None:
        """One request with the next prompt of the mix, and a pause if it failed."""
        record = self.generate()
        if record.outcome != "ok" and self.work.settings.pause_after_error_s:
            gevent.sleep(self.work.settings.pause_after_error_s)

    def generate(
        self,
        prompt: Prompt | None = None,
        scheduled_ns: int | None = None,
        session: int | None = None,
        turn: int = 1,
    ) -> Record:
        """Send one request, wait for its answer, read it, fire the `generation` event; give the Record.

        Without a prompt the mix chooses. What was said is in `self.answer`. Also a request that the end of the run cuts
        leaves its Record. `session` and `turn` are those of `Identity`.
        """
        work, s = self.work, self.work.settings
        sequence = work.next_sequence()
        prompt = prompt or s.mix.pick(work.worker, sequence)
        if s.unique_prompts:
            prompt = unique(prompt, nonce(s.mix.seed, work.worker, sequence, s.run_id))
        call = self.api.build(prompt, s.ask)
        request_id = (("X-Request-Id", f"{s.run_id}-{work.worker}-{sequence}"),)
        request = request_bytes(call, s.target.authority, s.target.base_path, request_id + s.headers)
        identity = Identity(
            worker=work.worker,
            sequence=sequence,
            user_class=type(self).__name__,
            endpoint=self.api.PATH,
            model=s.ask.model,
            prompt_id=prompt.id,
            max_tokens=prompt.max_tokens or s.ask.max_tokens,
            session=session,
            turn=turn,
        )
        exchange, phase = Exchange(scheduled_ns), work.phase()
        work.health.in_flight += 1
        try:
            try:
                self.transport.run(exchange, request)
            finally:
                # Also what the end of the run cuts takes its turn: a thousand that were read at once would keep the
                # loop from the others, whose last chunks would seem to have come together.
                record = self._read_and_tell(identity, exchange, prompt, phase)
        finally:
            work.health.in_flight -= 1
        return record

    def _read_and_tell(self, identity: Identity, exchange: Exchange, prompt: Prompt, phase: Phase) -> Record:
        transcript = exchange.transcript()
        try:
            with self.work.lane:
                record = self._read(identity, transcript, prompt, phase, yielding=True)
        except BaseException:
            # Cut again, or while it waited for its turn: its row must be there when they are collected.
            record = self._read(identity, transcript, prompt, phase, yielding=False)
            self._tell(record, transcript)
            raise
        self._tell(record, transcript)
        return record

    def _read(
        self, identity: Identity, transcript: Transcript, prompt: Prompt, phase: Phase, *, yielding: bool
    ) -> Record:
        """Interpret an answer that has ended, in slices of a millisecond, with the loop's turn between them."""
        api, s = self.api, self.work.settings
        streamed = s.ask.stream and transcript.streamed
        tally = Tally(streamed=streamed, late_stamps=transcript.late_stamps)
        try:
            for count, chunk in enumerate(reading.chunks(api, transcript)):
                tally.add(chunk)
                if yielding and count % 16 == 15:
                    self.work.lane.breathe()
        except Exception as fault:  # noqa: BLE001 - whatever a server thinks of, its request keeps its row
            tally.failed = Chunk(0, broken=f"unreadable: {fault!r}")
        outcome, error = reading.verdict(api, transcript, tally.done, tally.finish_reason, tally.failed)
        self.answer = tally.answer()
        asked = "\n\n".join(message.content for message in prompt.messages) if s.keep_text else None
        return tally.record(
            identity,
            transcript,
            outcome,
            error,
            prompt_text=asked,
            phase="drain" if self.work.ending and phase != "warm-up" else phase,
            interpreted_ns=time.time_ns() if self._goes_on_at_once(transcript) else None,
        )

    def _goes_on_at_once(self, transcript: Transcript) -> bool:
        """Does a late end of this request make the next one later? (A wait time or a schedule takes it in.)"""
        return type(self).wait_time is LLMUser.wait_time and transcript.scheduled_ns is None and not self.work.ending

    def _tell(self, record: Record, transcript: Transcript) -> None:
        events: Any = self.environment.events
        events.generation.fire(record=record, response_bytes=sum(len(data) for _, data in transcript.pieces))
