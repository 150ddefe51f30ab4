"""Judging an answer that has ended: what its request asked for, and what the checks find."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from tokenswarm.metrics.checks.case import UNJUDGED, Asked, Case, CheckResults
from tokenswarm.metrics.checks.table import judge
from tokenswarm.metrics.record import Identity
from tokenswarm.payloads import expect
from tokenswarm.payloads.prompt import Prompt
from tokenswarm.wire.values import Answer, Ask, Call, Usage


class Sent(NamedTuple):
    """A request as it was sent; `text` is all text of its prompt."""

    prompt: Prompt
    ask: Ask
    call: Call
    identity: Identity
    text: str


class AnswerFacts(NamedTuple):
    """How an answer was seen to end; `clean` and `doubt` are those of `Case`."""

    answer: Answer
    outcome: str
    finish_reason: str | None
    usage: Usage
    clean: bool
    doubt: str | None = None


class AnswerChecker:
    """One user's judge; it knows the conversation's last request."""

    def __init__(self, expected: tuple[expect.Expected, ...]) -> None:
        self._expected = expected
        self._last = (-1, 0, 0)  # session; tokens and characters of its last prompt

    def _asked(self, sent: Sent) -> Asked:
        """What the answer to a request is to be judged by."""
        prompt, ask = sent.prompt, sent.ask
        expected = () if sent.identity.batch_size else (*self._expected, *expect.pairs(prompt.expect))
        context = prompt.fields.get("context")
        return Asked(
            max_tokens=sent.identity.max_tokens or 0,
            text=sent.text,
            format=_format(prompt, ask),
            tools=prompt.tools,
            expect=expected,
            num_ctx=_whole(_field_value("num_ctx", prompt, ask)),
            context_tokens=len(context) if isinstance(context, list | tuple) else 0,
            before=self._before(sent),
            request=sent.call.body if _repeatable(prompt, ask) else b"",
            system=prompt.system or "",
        )

    def _before(self, sent: Sent) -> int:
        """Templates leave out the thinking of earlier turns, and a client may shorten what it sends: nothing then."""
        session, tokens, characters = self._last
        same = sent.identity.session == session and len(sent.text) >= characters
        return tokens if same and not any(message.thinking for message in sent.prompt.messages) else 0

    def judge(self, sent: Sent, seen: AnswerFacts, pause: Callable[[], object]) -> CheckResults:
        """What the checks find; of an answer so strange that they cannot read it nothing, with a note."""
        if seen.outcome not in ("ok", "truncated"):
            return UNJUDGED
        try:
            judged = judge(Case(self._asked(sent), *seen), pause)
        except Exception as fault:  # noqa: BLE001 - whatever a server thinks of, its request keeps its row
            judged = CheckResults(notes=f"not judged: {fault!r}"[:200])
        if seen.outcome == "ok":
            who = sent.identity
            first = who.sequence if who.session is None else who.session
            self._last = (first, seen.usage.prompt_tokens or 0, len(sent.text))
        return judged


def _field_value(name: str, prompt: Prompt, ask: Ask) -> Any:
    """An option or a field of the request's body, where it is first found."""
    for given in (prompt.options, prompt.fields, ask.options, ask.fields):
        if name in given:
            return given[name]
    return None


def _whole(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and value > 0 else None


def _repeatable(prompt: Prompt, ask: Ask) -> bool:
    """Should the same request give the same text? With a seed, or without any choice among the tokens."""
    return _field_value("temperature", prompt, ask) == 0 or _field_value("seed", prompt, ask) is not None


def _format(prompt: Prompt, ask: Ask) -> object | None:
    """ "json", a schema, or None, also out of OpenAI's `response_format`."""
    if prompt.format is not None:
        return prompt.format
    given = _field_value("format", prompt, ask) or _field_value("response_format", prompt, ask)
    if not isinstance(given, Mapping) or given.get("type") not in ("json_schema", "json_object", "text"):
        return given or None
    named = given.get("json_schema")
    if given["type"] == "json_schema" and isinstance(named, Mapping):
        return named.get("schema") or "json"
    return None if given["type"] == "text" else "json"
