"""The warm-up: one short request as the run will ask, before any load; and what a refusal of it means."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from itertools import count

from tokenswarm.metrics.interpret import interpret
from tokenswarm.payloads.mix import Mix, nonce
from tokenswarm.payloads.prompt import Prompt, unique
from tokenswarm.preflight.replies import BUSY, KEY, PROXY, NotReady, login_error, not_ready_error, redirect_error
from tokenswarm.preflight.server import Preflight
from tokenswarm.settings.errors import UsageError
from tokenswarm.settings.redaction import clean_line
from tokenswarm.transport.connection import Transport
from tokenswarm.transport.control import CONTROL_BYTES
from tokenswarm.transport.exchange import Exchange
from tokenswarm.transport.http1 import request_bytes
from tokenswarm.transport.refusal import words
from tokenswarm.transport.target import Target
from tokenswarm.wire import apis, embeddings
from tokenswarm.wire.decoding import decode
from tokenswarm.wire.values import Api, Ask, Transcript

WARM_UP_TOKENS = 8
REFUSED = (400, 413, 414, 422)  # perhaps for this prompt's sake
NOT_HERE = (404, 405, 501)
MOST_PROMPTS, MOST_PICKS = 5, 64
# What no hint to leave it out makes sense for.
ESSENTIAL = {"model", "messages", "prompt", "input", "options", "stream"}


@dataclass(frozen=True, slots=True)
class WarmUp:
    """How the one request before the load went."""

    endpoint: str
    outcome: str
    error: str = ""
    facts: dict[str, float | int | None] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Attempt:
    """A request that was sent: where to, what came, how it went."""

    where: Target
    transcript: Transcript
    how: WarmUp

    @property
    def is_elsewhere(self) -> bool:
        """Does nothing of what came say that the API is at this address? (Some serve a page for whatever is asked.)"""
        status = self.transcript.status
        no_answer = self.transcript.succeeded and self.how.outcome in ("protocol_error", "server_error", "truncated")
        return status is not None and (status in NOT_HERE or 300 <= status < 400 or no_answer)


class Rehearsal:
    """Sends requests before the load over the load's own transport, as the run will send them."""

    def __init__(self, preflight: Preflight) -> None:
        self._preflight, self._numbers = preflight, count()
        self.answered: tuple[Prompt, WarmUp] | None = None  # the last warm-up

    def warm_up(self, api: Api, ask: Ask) -> WarmUp:
        """One short generation, so that a cold load is not measured by accident.

        A prompt that the server refuses is said, and another one tried. Raises UsageError if the server calls the
        request itself wrong (4xx), or sends us elsewhere: no load could go well. Any other failure is the server's, and
        what a load test may be about: it is told.
        """
        turned_down: list[tuple[str, Attempt]] = []
        for prompt in prompts(self._preflight.settings.mix):
            asked = self._short_or_whole(prompt, api, ask)
            if asked.transcript.status not in REFUSED:
                break
            turned_down.append((prompt.id, asked))
        else:
            raise self._wrong(api, ask, turned_down[0][1])
        self._check(api, ask, asked)
        self.answered = prompt, asked.how
        for prompt_id, one in turned_down:
            self._preflight.warnings.append(f"the server refuses prompt {prompt_id}: {one.how.error}")
        return asked.how

    def once(self, prompt: Prompt, api: Api, ask: Ask) -> WarmUp:
        """One request, and how it went."""
        return self._sent(self._preflight.settings.target, prompt, api, ask).how

    def _short_or_whole(self, prompt: Prompt, api: Api, ask: Ask) -> Attempt:
        """With a few tokens of output; if the server refuses that, with the run's own limit (it may ask for more)."""
        if ask.max_tokens is None:
            return self._ready(prompt, api, ask)
        short = self._ready(replace(prompt, max_tokens=None), api, replace(ask, max_tokens=WARM_UP_TOKENS))
        return self._ready(prompt, api, ask) if short.transcript.status in REFUSED else short

    def _ready(self, prompt: Prompt, api: Api, ask: Ask) -> Attempt:
        """At the address that answers; of a server that is not ready when the user waits no longer, what it says."""
        last: Attempt | None = None

        def ask_once() -> Attempt:
            nonlocal last
            last = self._somewhere(prompt, api, ask)
            if last.transcript.status in BUSY:
                raise not_ready_error(last.where, last.how.error, last.transcript.retry_after_s)
            return last

        try:
            return self._preflight.patiently(ask_once)
        except NotReady:
            assert last is not None
            return last

    def _somewhere(self, prompt: Prompt, api: Api, ask: Ask) -> Attempt:
        """At the first address where the API is; if it is nowhere, what says the most."""
        tried = []
        for where in self._preflight.addresses:
            asked = self._sent(where, prompt, api, ask)
            if not asked.is_elsewhere or _names(asked.how.error, ask.model):  # it knows what is asked, and refuses it
                self._preflight.take(where)
                return asked
            tried.append(asked)
        return min(tried, key=lambda one: one.transcript.status in NOT_HERE)

    def _sent(self, where: Target, prompt: Prompt, api: Api, ask: Ask) -> Attempt:
        s = self._preflight.settings
        exchange = Exchange(None, min(s.max_answer_bytes, CONTROL_BYTES), api)
        transport = Transport(where.host, where.port, s.timeouts, s.tls)
        request_id = (("X-Request-Id", f"{s.run_id or 'tokenswarm'}-warm-up-{next(self._numbers)}"),)
        try:
            transport.run(exchange, request_bytes(api.build(prompt, ask), where, request_id + s.headers))
        finally:
            transport.close()
        transcript = exchange.transcript()
        how = read(api, ask, prompt, transcript)
        if how.outcome == "http_error":  # in the words of all that is said before the load
            headers = {
                name.decode("latin-1").lower(): value.decode("latin-1") for name, value in exchange.response.headers
            }
            body = b"".join(data for _, data in transcript.pieces)
            how = replace(how, error=clean_line(words(transcript.status or 0, headers, body, transcript.retry_after_s)))
        return Attempt(where, transcript, how)

    def _check(self, api: Api, ask: Ask, asked: Attempt) -> None:
        """Raises UsageError if no load can go well."""
        status, where, words = asked.transcript.status or 0, asked.where, asked.how.error
        if status in (*KEY, PROXY):
            raise login_error(where, words, status, has_key=bool(self._preflight.settings.headers))
        if 300 <= status < 400:
            raise redirect_error(where, api.PATH, status, asked.transcript.location)
        _check_kind(ask.model, api, words)
        if 400 <= status < 500 and status != 408 and status not in BUSY:
            raise self._wrong(api, ask, asked)
        if self._preflight.problem and asked.how.outcome not in ("ok", "timeout"):
            raise UsageError(f"{self._preflight.problem} (POST {where.path(api.PATH)}: {words})")

    def _wrong(self, api: Api, ask: Ask, asked: Attempt) -> UsageError:
        words, prompt = asked.how.error, next(prompts(self._preflight.settings.mix))
        _check_kind(ask.model, api, words)
        what = (
            f"{asked.where.scheme}://{asked.where.authority}{asked.where.path(api.PATH)} refuses what the run would ask"
        )
        return UsageError("; ".join([f"{what}: {words}", *hints(api, ask, prompt, words, self._preflight.unlisted)]))


def prompts(mix: Mix) -> Iterator[Prompt]:
    """What to try, in this order: the first prompts of the run, no one twice, and then the shortest of all."""
    seen: set[tuple[str, str]] = set()
    for number in range(MOST_PICKS):
        prompt = mix.pick(0, number)
        if (prompt.id, prompt.text) not in seen and len(seen) < MOST_PROMPTS:
            seen.add((prompt.id, prompt.text))
            yield unique(prompt, nonce(mix.seed, 0, number, "warm-up"))
    shortest = min(mix.kinds, key=lambda prompt: len(prompt.text) + len(prompt.system or ""))
    if not shortest.recipe and (shortest.id, shortest.text) not in seen:
        yield unique(shortest, nonce(mix.seed, 0, MOST_PICKS, "warm-up"))


def read(api: Api, ask: Ask, prompt: Prompt, transcript: Transcript) -> WarmUp:
    """How it went."""
    texts = len(embeddings.texts(prompt)) if api in apis.EMBEDDING else None
    builder, verdict = interpret(api, transcript, stream=ask.stream, texts=texts)
    ended_ns, sent_ns, load_ns = transcript.ended_ns, transcript.sent_ns, builder.usage.load_ns
    facts = {
        "e2e_ms": None if ended_ns is None or sent_ns is None else round((ended_ns - sent_ns) / 1e6, 3),
        "load_ms": None if load_ns is None else load_ns / 1e6,
        "prompt_tokens": builder.usage.prompt_tokens,
        "output_tokens": builder.usage.output_tokens,
    }
    return WarmUp(api.PATH, verdict.outcome, clean_line(verdict.error), facts)


def hints(api: Api, ask: Ask, prompt: Prompt, words: str, unlisted: dict[str, str]) -> Iterator[str]:
    """What to do about a refusal, by the words of it: the fields that it names can be left out."""
    body = decode(api.build(prompt, ask).body)
    if ask.stream and _names(words, "stream"):
        yield "--no-stream asks for answers in one piece"
    named = [name for name in body if name not in ESSENTIAL and _names(words, name)]
    for name in named:
        if name == "max_tokens" and "max_completion_tokens" in words:
            yield f"--options max_completion_tokens={body[name]} sends it by that name"
        else:
            yield f"--options {name}=null leaves it out"
    if ask.model in unlisted:
        yield unlisted[ask.model]


def _names(words: str, name: str) -> bool:
    return re.search(rf"(?<!\w){re.escape(name)}(?!\w)", words) is not None


def _check_kind(model: str, api: Api, error: str) -> None:
    """Models either embed or generate; which of both only their refusals say. Raises UsageError."""
    if api in apis.EMBEDDING and "does not support embeddings" in error:
        raise UsageError(f"{model} does not embed, it generates: name OllamaChatUser, OpenAIChatUser or the like")
    if api not in apis.EMBEDDING and ("does not support generate" in error or "does not support chat" in error):
        raise UsageError(f"{model} only embeds: name OllamaEmbedUser or OpenAIEmbeddingsUser on the command line")
