"""What the users of one process share during one run."""

import itertools
import time
from collections import deque
from collections.abc import Callable
from dataclasses import replace
from typing import Any, NamedTuple, Protocol

import gevent

from tokenswarm.load.pacer import ClosedLoop, Pacer
from tokenswarm.load.tickets import Stock
from tokenswarm.metrics.record import Identity, Phase, Record
from tokenswarm.payloads.batch import batch
from tokenswarm.payloads.conversation import TurnKind
from tokenswarm.payloads.made_up import with_text
from tokenswarm.payloads.prompt import Prompt
from tokenswarm.payloads.seeded import fraction
from tokenswarm.settings.settings import Settings
from tokenswarm.transport.exchange import Exchange
from tokenswarm.transport.health import Health
from tokenswarm.transport.time_slices import LOOK_AGAIN_S, TimeSlices
from tokenswarm.users.waiting import take_ticket
from tokenswarm.wire.values import Answer, Api, Ask, Call, Transcript

# Answers of which the run's end may leave the rest unread, bytes; and how long it takes for all of them together, s.
SHORT_BYTES, CLOSING_S = 128 * 1024, 2.0
MOST_UNREAD_S = 0.1


class UnderWay:
    """A request that has not ended yet, and what the live counts (`run.live`) have seen of it."""

    __slots__ = ("api", "counted", "exchange", "model", "pieces", "told")

    def __init__(self, api: Api, model: str, exchange: Exchange) -> None:
        self.api, self.model, self.exchange = api, model, exchange
        self.pieces = 0  # of its body
        self.counted = self.told = False  # as sent; its TTFT


class Asker(Protocol):
    """What a way of asking (a conversation, `--depths`, `--same-prompts`) has of its `LLMUser`."""

    environment: Any
    run_context: "RunContext"
    answer: Answer

    def generate(
        self,
        prompt: Prompt | None = None,
        scheduled_ns: int | None = None,
        session: int | None = None,
        turn: int = 1,
        turn_kind: TurnKind = "user",
    ) -> Record: ...

    def converse(self, prompt: Prompt | None = None, scheduled_ns: int | None = None) -> Record: ...

    def speak(self, user_class: str, api: Api, ask: Ask, number: int) -> None: ...

    def rest(self, delay_s: float | None = None) -> None: ...


class Sending(NamedTuple):
    """A request, and what is seen of its answer."""

    identity: Identity
    exchange: Exchange
    prompt: Prompt
    ask: Ask
    call: Call
    phase: Phase


class Unread:
    """Answers of one process after which their users have gone on; they are read one after the other.

    While many users go on, reading waits a moment.
    """

    def __init__(self, slices: TimeSlices) -> None:
        self._slices = slices
        self._left: deque[tuple[float, Callable[[], None]]] = deque()
        self._reading: gevent.Greenlet | None = None

    def add(self, read: Callable[[], None]) -> None:
        """One more, to be read soon."""
        self._left.append((time.monotonic() + MOST_UNREAD_S, read))
        if not self._reading:
            self._reading = gevent.spawn(self._read_all)

    def _read_all(self) -> None:
        try:
            gevent.sleep(0)  # first the user goes on
            while self._left:
                due_s, read = self._left.popleft()
                while self._slices.is_crowded() and time.monotonic() < due_s:
                    gevent.sleep(LOOK_AGAIN_S)
                read()
        finally:  # also when one failed for a reason of its own
            self._reading = gevent.spawn(self._read_all) if self._left else None


class RunContext:
    """What the users of one process share during one run."""

    @staticmethod
    def of(environment: Any) -> "RunContext":
        """That of a Locust Environment. Raises RuntimeError where no listener of ours has heard of its beginning."""
        found: RunContext | None = getattr(environment, "tokenswarm", None)
        if found is None:
            raise RuntimeError(
                "this Environment has no run of ours: make it with events=locust.events and fire events.init before"
                " its users start (docs/your-own-locustfile.md)"
            )
        return found

    def __init__(self, settings: Settings, worker: int, health: Health) -> None:
        self.settings, self.worker, self.health = settings, worker, health
        self.slices = TimeSlices()
        self.unread = Unread(self.slices)
        self.next_sequence = itertools.count().__next__
        self.next_user = itertools.count().__next__
        self._next_conversation = itertools.count().__next__
        self.next_round = itertools.count().__next__  # of --same-prompts and --depths
        self.trace_headers: Callable[[int], tuple[tuple[str, str], ...]] = lambda _: ()  # by sequence; of --otel
        self.note: Callable[[int, Ask, Prompt, Transcript], None] | None = None  # of each answer that is read; likewise
        self.under_way: dict[int, UnderWay] = {}  # by the request's sequence
        self.all_started = self.ending = self.ramping = False
        self.stage: int | None = None  # of --stages
        self.left_models: list[str] = []  # that lifecycle users made and could not remove
        self.pacer: Pacer = ClosedLoop()
        self._tickets: dict[object, int] = {}
        self.prompts_once: Stock | None = None  # the turns of prompts that are asked once each
        self._cut_s: float | None = None  # when the run's end began to cut what was under way
        self._warm_from_ns = time.monotonic_ns() + int(settings.warmup_s * 1e9)

    def cut(self) -> None:
        """A request was cut, or its reading: if that is the run's end, it has begun."""
        if self.ending and self._cut_s is None:
            self._cut_s = time.monotonic()

    def pauses(self, transcript: Transcript, breathe: Callable[[], None]) -> Callable[[], bool]:
        """What a reader calls now and then: it lets the loop have its turn, and says whether there is time to go on.

        Short answers are always read. But no server can keep a run from ending by answers that take long to read.
        """
        short = transcript.body_bytes <= SHORT_BYTES

        def pause() -> bool:
            breathe()
            return short or self._cut_s is None or time.monotonic() - self._cut_s < CLOSING_S

        return pause

    def model(self, *place: object) -> str:
        """The model that is asked at a place of the run, by weight; "" where there is only one."""
        models = self.settings.models
        return models[int(fraction(self.settings.mix.seed, "model", *place) * len(models))] if len(models) > 1 else ""

    def pick(self, model: str = "", user: object = None) -> Prompt:
        """The next prompt of the mix, by a count of its own: how long a conversation took does not change the next.

        For that model, else for the one whose turn it is. Where each prompt is asked once, the user waits for its turn.
        """
        if self.prompts_once:
            number = self._tickets[user] = take_ticket(user, self.prompts_once)
            return self.settings.mix.ask_nth(number, model or self.model("prompt", number))
        number = self._next_conversation()
        return self.settings.mix.pick(self.worker, number, model or self.model(self.worker, number))

    def with_text(self, prompt: Prompt, number: int) -> Prompt:
        """The text of a trace's prompt, the same whichever worker asks it."""
        mix = self.settings.mix
        return with_text(replace(prompt, model=self.model("arrival", number)), mix.making, mix.seed, 0, number)

    def leave(self, user: object) -> None:
        """A user stops within a conversation: where each prompt is asked once, another one asks it anew."""
        if self.prompts_once and user in self._tickets:
            self.prompts_once.give_back(self._tickets.pop(user))

    def batch(self, model: str = "", user: object = None) -> Prompt:
        """The texts of the next `--batch-size` prompts of the mix."""
        if self.prompts_once:
            prompt = self.pick(model, user)
            return replace(prompt, inputs=prompt.inputs or (prompt.text,))
        number = self._next_conversation()
        model = model or self.model(self.worker, number)
        return batch(self.settings.mix, self.worker, number, self.settings.batch_size, model)

    def phase(self, user: object = None) -> Phase:
        """The phase of the run that a request of a user belongs to which begins now."""
        if time.monotonic_ns() < self._warm_from_ns:
            return "warm-up"
        return self.pacer.phase(user) or ("steady" if self.all_started else "ramp-up")
