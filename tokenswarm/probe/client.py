"""The asker: sends requests to one server, one or many at once, over our own transport, and reads what came."""

import itertools
import random
import secrets
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import gevent

from tokenswarm.metrics.interpret import interpret
from tokenswarm.payloads.mix import nonce
from tokenswarm.payloads.prompt import Message, Prompt, unique
from tokenswarm.payloads.request_fields import LM_CHAT
from tokenswarm.probe.estimates import ProbeAnswer
from tokenswarm.run.busy_slots import busy
from tokenswarm.run.scraper import NoReading
from tokenswarm.settings.settings import Settings
from tokenswarm.transport.connection import Transport
from tokenswarm.transport.control import ControlClient, Unanswered, question
from tokenswarm.transport.exchange import Exchange
from tokenswarm.transport.http1 import request_bytes
from tokenswarm.wire.values import Api, Ask, Call, Transcript, Usage

# Words of three letters: with the blank four characters, and a token each in every vocabulary we know of.
WORDS = "the and you are not but his out was one day get has him how man new now old see two way who boy did its let"
MOST_BYTES = 1024 * 1024  # of one of the probe's answers, which are short, but many at once
LOOK_S, QUIET_S, PATIENCE_S = 0.02, 0.3, 20.0
LEAST_S, TIMES, SECOND_NS = 10.0, 10, 1e9  # a lost request is waited for so long at least, in s and in longest answers
LOST = "lost"  # an outcome of the probe's own


class ProbeClient:
    """Asks one model at one server by one API. Counts what it costs: `requests`, `prompt_tokens`, `output_tokens`.

    A request that takes far longer than those before it is `lost` (a server can lose one of those that were hung up):
    it is given up long before the run's own time-outs.
    """

    def __init__(self, settings: Settings, api: Api, ask: Ask) -> None:
        self.api, self.model = api, ask.model
        self.load = {"model": ask.model, "options": dict(ask.options)}  # what a request says that only loads
        self._settings, self._ask = settings, ask
        self._transports: list[Transport] = []
        self._client = ControlClient(settings, settings.timeouts.total_s)
        self._run, self._numbers = secrets.token_hex(4), itertools.count()
        self.requests = self.prompt_tokens = self.output_tokens = self.lost = 0
        self._longest_s: float | None = None  # that an answer took

    def close(self) -> None:
        """Drop all connections."""
        for transport in self._transports:
            transport.close()
        self._client.close()

    def prompt(self, tokens: int = 1) -> Prompt:
        """A prompt that was never asked before, of about so many tokens and those of its mark."""
        number = next(self._numbers)
        chosen = random.Random(f"{self._run} {number}").choices(WORDS.split(), k=tokens)
        prompt = Prompt(f"probe-{number}", (Message("user", " ".join(chosen)),))
        return unique(prompt, nonce(0, 0, number, self._run))

    def one(self, prompt: Prompt, max_tokens: int) -> ProbeAnswer:
        """One generation; one that was lost is asked for again, once."""
        seen = self.generate([prompt], max_tokens)[0]
        return self.generate([prompt], max_tokens)[0] if seen.outcome == LOST else seen

    def generate(self, prompts: Sequence[Prompt], max_tokens: int, *, hang_up: bool = False) -> list[ProbeAnswer]:
        """Generations that are sent together."""
        ask = replace(self._ask, max_tokens=max_tokens)
        return self.burst([self.api.build(prompt, ask) for prompt in prompts], hang_up=hang_up)

    def ask_plain(self, method: str, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        """What an endpoint that is no generation says; {} if that is no JSON object, or it says no."""
        try:
            return self._client.ask(question(method, path, body))
        except Unanswered:
            return {}

    def busy_slots(self) -> int:
        """How many slots of a llama.cpp are at work, and not just about to be free; 0 if it does not say."""
        try:
            at_work = busy(self._client)[0]
            if at_work:
                gevent.sleep(QUIET_S)
                at_work = min(at_work, busy(self._client)[0])
        except NoReading:
            return 0
        return at_work

    def connect(self, number: int) -> None:
        """Open so many connections, so that what is sent over them next leaves and arrives together."""
        path = "/api/version" if self.api.PATH.startswith("/api/") and self.api.PATH != LM_CHAT else "/v1/models"
        for first in range(0, number, 64):
            places = range(first, min(number, first + 64))
            gevent.joinall([gevent.spawn(self._send, at, Exchange(), question("GET", path)) for at in places])

    def may_load(self) -> None:
        """The next answer may have to wait for a load: nothing is known of how long that takes."""
        self._longest_s = None

    def burst(self, calls: Sequence[Call], *, hang_up: bool = False, prompted: bool = True) -> list[ProbeAnswer]:
        """Send all at once, each over a connection of its own, and wait for all their ends.

        With `hang_up` only until the server has had time to refuse what it refuses: the others are cut then.
        """
        exchanges = [Exchange(None, MOST_BYTES, self.api) for _ in calls]
        jobs = [gevent.spawn(self._send, at, *pair) for at, pair in enumerate(zip(exchanges, calls, strict=True))]
        try:
            if hang_up:
                _settle(exchanges)
            else:
                gevent.joinall(jobs, timeout=self._patience_s)
            open_still = [] if hang_up else [at for at, job in enumerate(jobs) if not job.ready()]
        finally:
            gevent.killall(jobs)
        seen = [read(self.api, exchange.transcript(), prompted) for exchange in exchanges]
        for at in open_still:
            seen[at] = replace(seen[at], outcome=LOST, error="the server never answered it")
        if open_still:
            self.lost += len(open_still)
            print(f"tokenswarm: the server lost {len(open_still)} of {len(seen)} requests; going on", file=sys.stderr)
        took_s = [(one.ended_ns - one.sent_ns) / SECOND_NS for one in seen if one.outcome == "ok"]
        self._longest_s = max([*took_s, self._longest_s or 0.0]) if took_s else self._longest_s
        self.requests += len(seen)
        self.prompt_tokens += sum(one.usage.prompt_tokens or 0 for one in seen)
        self.output_tokens += sum(one.usage.output_tokens or one.chunks for one in seen)
        return seen

    @property
    def _patience_s(self) -> float:
        """How long a burst may take: it is twice as large as the one before, and its answers three times as long."""
        most_s = self._settings.timeouts.total_s
        return most_s if self._longest_s is None else min(most_s, max(LEAST_S, TIMES * self._longest_s))

    def _send(self, at: int, exchange: Exchange, call: Call) -> None:
        s = self._settings
        while len(self._transports) <= at:
            self._transports.append(Transport(s.target.host, s.target.port, s.timeouts, s.tls))
        request = request_bytes(call, s.target, s.headers)
        self._transports[at].run(exchange, request)


def _settle(exchanges: Sequence[Exchange]) -> None:
    """Wait until all has been sent and nothing was refused for as long as all the refusals took, 0.3 s at least."""
    began_s = changed_s = time.monotonic()
    refused = 0
    while (now_s := time.monotonic()) - began_s < PATIENCE_S:
        ended = [exchange for exchange in exchanges if exchange.ended_ns is not None]
        count = sum(exchange.response.status not in range(200, 300) for exchange in ended)
        if count != refused or any(exchange.sent_ns is None and exchange.ended_ns is None for exchange in exchanges):
            refused, changed_s = count, now_s
        elif len(ended) == len(exchanges) or now_s - changed_s > max(QUIET_S, changed_s - began_s):
            return
        gevent.sleep(LOOK_S)


def read(api: Api, transcript: Transcript, prompted: bool) -> ProbeAnswer:
    """Interpret an answer; one to a request without a prompt only loads its model."""
    builder, (outcome, error) = interpret(api, transcript, stream=True, prompted=prompted)
    ended_ns = transcript.ended_ns or 0
    return ProbeAnswer(
        sent_ns=transcript.sent_ns or ended_ns,
        ended_ns=ended_ns,
        first_ns=builder.first_output_ns,
        last_ns=builder.last_output_ns,
        status=transcript.status,
        outcome=outcome,
        error=error,
        finish_reason=builder.finish_reason,
        chunks=builder.output_chunks,
        usage=builder.usage or Usage(),
    )
