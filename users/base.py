"""LLMUser: a Locust User that asks one API, one request after the other, and tells what it saw."""

import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Any

import gevent
from locust import User, task

from tokenswarm.metrics.interpret import interpret
from tokenswarm.metrics.load_state import Memory
from tokenswarm.metrics.record import Identity, Record
from tokenswarm.payloads.conversation import TurnKind
from tokenswarm.payloads.mix import nonce
from tokenswarm.payloads.prompt import Prompt, unique
from tokenswarm.payloads.seeded import fraction
from tokenswarm.settings.redaction import clean_record
from tokenswarm.transport.connection import Transport
from tokenswarm.transport.exchange import Exchange
from tokenswarm.transport.http1 import request_bytes
from tokenswarm.transport.room import ROOM
from tokenswarm.transport.time_slices import ReadingTurn
from tokenswarm.users import request_fields as asking
from tokenswarm.users.answer_checks import AnswerChecker, AnswerFacts, Sent
from tokenswarm.users.context import RunContext, Sending, UnderWay
from tokenswarm.users.conversation import hold
from tokenswarm.users.depths import ask_at_a_depth
from tokenswarm.users.going_on import TAKEN_FOR_GRANTED, GoingOn
from tokenswarm.users.same_prompts import ask_in_turns
from tokenswarm.users.waiting import never_pause, others_hear_of, rest, stops_at_once, take_turn
from tokenswarm.wire import apis, embeddings
from tokenswarm.wire.values import Answer, Api, Ask, Transcript


class LLMUser(User):
    """Asks `api` in a closed loop: the next request goes out when the last answer has been read.

    A locustfile of one's own can subclass it, set `wait_time` and `options` (request fields for all its requests), and
    call `generate` or `converse` with prompts of its own; with `@task`s of its own it has only those, which may call
    `ask` for a prompt of the corpus. The wait time is also that between the turns of a
    conversation. In an open loop each conversation, and each request that belongs to none, waits for an arrival.
    """

    abstract = True
    only_named = False  # does it run only where it is named on the command line or picked in the form?
    api: Api
    options: Mapping[str, object] = MappingProxyType({})
    answer = Answer()  # to the last request
    own_model = ""  # of a user who asks only one; else each conversation's model is drawn by weight
    _memory: Memory | None = None  # what /api/ps listed before the next request, where a user asks
    _arrival: int | None = None  # of an open loop, whose first request comes next
    _arrived = False  # is what is asked now one arrival's?
    _asks_as = ""  # the class whose API it is, where a user asks through several
    _prompt_round: int | None = None  # of --same-prompts
    _latest: Exchange | None = None

    def __init_subclass__(cls, **kwargs: Any) -> None:
        """A class with tasks of its own has only those: the corpus's would be mixed into them unasked."""
        super().__init_subclass__(**kwargs)
        inherited = {id(one) for base in cls.__bases__ for one in getattr(base, "tasks", ())}
        if any(id(one) not in inherited for one in cls.tasks):
            cls.tasks = [one for one in cls.tasks if one is not LLMUser.ask]

    def on_start(self) -> None:
        """Connect this user with the run's settings; the connection itself opens with the first request."""
        self.run_context = RunContext.of(self.environment)
        s = self.run_context.settings
        self._number, self._pauses = self.run_context.next_user(), 0
        self._ask: Ask = asking.ask_of(type(self), s)
        self._judge = AnswerChecker(s.expect)
        inherited = all(getattr(type(self), name) is getattr(LLMUser, name) for name in TAKEN_FOR_GRANTED)
        # Tasks of one's own may call `ask` and look at the answer; listeners may end the user, or the run.
        own = any(one is not LLMUser.ask for one in self.tasks)
        own |= others_hear_of(self.environment.events.generation) or others_hear_of(self.environment.events.request)
        self.going_on = GoingOn(self, possible=inherited and not own)
        if self.run_context.pacer.scheduled:
            never_pause(self)
        self.transport = Transport(s.target.host, s.target.port, s.timeouts, s.tls, s.new_connection)

    def on_stop(self) -> None:
        """Close the connection."""
        self.transport.close()

    def stop(self, force: bool = False) -> bool:
        """Locust's own; but who wakes from a pause in this very moment does not begin a request, which would be cut."""
        return bool(super().stop(force or stops_at_once(self)))

    @task
    def ask(self) -> None:
        """One conversation with the next prompt of the mix, mostly of one turn, and a pause if it failed."""
        pacer = self.run_context.pacer
        if pacer.scheduled and (due := take_turn(self, pacer)):
            self._arrival, self._arrived = due.number, True
            try:
                self.converse(due.prompt, due.ns)
            finally:
                self._arrived = False
            return
        s = self.run_context.settings
        if self.going_on.possible:
            self.going_on.ask()
            return
        record = ask_in_turns(self) if s.same_prompts else ask_at_a_depth(self) if s.depths else self.converse()
        if record.outcome != "ok" and s.pause_after_error_s:
            gevent.sleep(s.pause_after_error_s)

    def converse(self, prompt: Prompt | None = None, scheduled_ns: int | None = None) -> Record:
        """Hold a whole conversation, all a prompt's turns (`users.conversation`); give the last request's Record."""
        return hold(self, prompt or self.run_context.pick(self.own_model, self), scheduled_ns)

    def speak(self, user_class: str, api: Api, ask: Ask, number: int) -> None:
        """Ask through another class's API from now on, with its options; `number` is the prompt's."""
        self._asks_as, self.api, self._ask, self._prompt_round = user_class, api, ask, number

    def wait_time(self) -> float:
        """The user's next pause by `--think-time`, s, the same in every run with the seed; without it none."""
        run_context, thinks = self.run_context, self.run_context.settings.think_time
        if thinks is None:
            return 0.0
        self._pauses += 1
        return thinks.draw(
            fraction(run_context.settings.mix.seed, "pause", run_context.worker, self._number, self._pauses)
        )

    def rest(self, delay_s: float | None = None) -> None:
        """Pause between two turns, for that long or for the wait time; like Locust's own wait, it ends with the run."""
        rest(self, self.wait_time() if delay_s is None else delay_s)

    def generate(
        self,
        prompt: Prompt | None = None,
        scheduled_ns: int | None = None,
        session: int | None = None,
        turn: int = 1,
        turn_kind: TurnKind = "user",
    ) -> Record:
        """Send one request, wait for its answer, read it, fire the `generation` event; give the Record.

        Without a prompt the mix chooses. What was said is in `self.answer`. Also a request that the end of the run cuts
        leaves its Record. `session`, `turn` and `turn_kind` are those of `Identity`.
        """
        return self.read_and_tell(self.send(prompt, scheduled_ns, session, turn, turn_kind))

    def send(
        self,
        prompt: Prompt | None = None,
        scheduled_ns: int | None = None,
        session: int | None = None,
        turn: int = 1,
        turn_kind: TurnKind = "user",
    ) -> Sending:
        """Send one request and wait for its answer's end. What is cut is read before the cut goes on."""
        run_context, s = self.run_context, self.run_context.settings
        if scheduled_ns is None and (due := take_turn(self, run_context.pacer, session is None and not self._arrived)):
            self._arrival, prompt, scheduled_ns = due.number, prompt or due.prompt, due.ns  # a task of one's own
        sequence = run_context.next_sequence()
        prompt = prompt or run_context.pick(self.own_model, self)
        if session is None:  # else the conversation goes on with its model
            model = self.own_model or prompt.model or run_context.model(run_context.worker, "request", sequence)
            if model and model != self._ask.model:
                self._ask = replace(self._ask, model=model)
        if s.unique_prompts and "context" not in prompt.fields:
            # The session's own mark: within it the server's cache works as in real life. A context holds it already.
            marked = sequence if session is None else session
            prompt = unique(prompt, nonce(s.mix.seed, run_context.worker, marked, s.run_id))
        call = self.api.build(prompt, self._ask)
        texts = embeddings.texts(prompt) if self.api in apis.EMBEDDING else ()
        request_id = (("X-Request-Id", f"{s.run_id}-{run_context.worker}-{sequence}"),)
        request = request_bytes(call, s.target, request_id + run_context.trace_headers(sequence) + s.headers)
        identity = Identity(
            worker=run_context.worker,
            sequence=sequence,
            user_class=self._asks_as or type(self).__name__,
            endpoint=self.api.PATH,
            model=self._ask.model,
            prompt_id=prompt.id,
            max_tokens=None if texts else self._ask.limit(prompt) or 0,
            session=session,
            turn=turn,
            turn_kind=turn_kind,
            turns_left=len(prompt.then),
            batch_size=len(texts) or None,
            memory=self._memory,
            stage=run_context.stage,
            arrival=self._arrival,
            round=self._prompt_round,
        )
        self._arrival = None
        self._latest = exchange = Exchange(scheduled_ns, s.max_answer_bytes, self.api, ROOM)
        sending = Sending(identity, exchange, prompt, self._ask, call, run_context.phase(self))
        run_context.health.in_flight += 1
        run_context.under_way[sequence] = UnderWay(self.api, self._ask.model, exchange)
        try:
            self.transport.run(exchange, request)
        except BaseException:
            # Also what the end of the run cuts takes its turn: a thousand that were read at once would keep the loop
            # from the others, whose last chunks would seem to have come together.
            self.read_and_tell(sending)
            raise
        return sending

    def read_and_tell(self, sending: Sending) -> Record:
        """Read the answer, in slices of time, fire the `generation` event; give the Record."""
        run_context, exchange = self.run_context, sending.exchange
        try:
            if exchange.failure and exchange.failure.kind == "cancelled":
                run_context.cut()
            transcript = exchange.transcript()
            try:
                with ReadingTurn(run_context.slices) as turn:
                    record = self._read(sending, transcript, turn.yield_to_loop)
            except BaseException:
                # Cut again, or while it waited for its turn: its row must be there when they are collected.
                run_context.cut()
                record = self._read(sending, transcript, lambda: None)
                self._tell(record, transcript)
                raise
            self._tell(record, transcript)
        finally:
            exchange.let_go()
            del run_context.under_way[sending.identity.sequence]
            run_context.health.in_flight -= 1
        return record

    def _read(self, sending: Sending, transcript: Transcript, breathe: Callable[[], None]) -> Record:
        """Interpret an answer that has ended, in slices of a millisecond, with the loop's turn between them."""
        s, pause = self.run_context.settings, self.run_context.pauses(transcript, breathe)
        identity, exchange, prompt, ask, call, phase = sending
        builder, verdict = interpret(
            self.api,
            transcript,
            stream=ask.stream,
            texts=identity.batch_size or None,
            prompted=any(message.content or message.images for message in prompt.messages),
            pause=pause,
        )
        self.answer = builder.answer()
        if note := self.run_context.note:
            note(identity.sequence, ask, prompt, transcript)
        said = embeddings.texts(prompt) if identity.batch_size else [message.content for message in prompt.messages]
        asked = Sent(prompt, ask, call, identity, "\n\n".join(said))
        clean = transcript.complete and transcript.failure is None
        seen = AnswerFacts(self.answer, verdict.outcome, builder.finish_reason, builder.usage, clean, builder.doubt)
        record = builder.record(
            identity,
            transcript,
            *verdict,
            prompt_text=asked.text if s.keep_text else None,
            phase="drain" if self.run_context.ending and phase != "warm-up" else phase,
            judged=self._judge.judge(asked, seen, pause),
            interpreted_ns=self._gone_on_ns(exchange) if self._goes_on_at_once(transcript, prompt) else None,
        )
        return clean_record(record, pause)

    def _gone_on_ns(self, exchange: Exchange) -> int:
        """When its user could go on: by now, if the next request has not left already."""
        latest = self._latest
        return latest.sent_ns if latest and latest is not exchange and latest.sent_ns else time.time_ns()

    def _goes_on_at_once(self, transcript: Transcript, prompt: Prompt) -> bool:
        """Does a late end of this request make the next one later? (A wait time or a schedule takes it in.)"""
        if not transcript.complete:  # it was waited for the body's end
            return False
        if transcript.scheduled_ns is not None or self.run_context.ending or (prompt.then and prompt.then[0].delay_s):
            return False
        return type(self).wait_time is LLMUser.wait_time and self.run_context.settings.think_time is None

    def _tell(self, record: Record, transcript: Transcript) -> None:
        events: Any = self.environment.events
        events.generation.fire(record=record, response_bytes=transcript.body_bytes)
