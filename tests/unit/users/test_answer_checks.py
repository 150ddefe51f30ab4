"""What an answer is judged by, out of its prompt and the options of its class; conversations that must grow."""

from typing import Any

import pytest

from tokenswarm.metrics.checks.case import CheckResults
from tokenswarm.metrics.record import Identity
from tokenswarm.payloads.prompt import Message, Prompt
from tokenswarm.settings.errors import UsageError
from tokenswarm.settings.expectations import check
from tokenswarm.users.answer_checks import AnswerChecker, AnswerFacts, Sent
from tokenswarm.wire import ollama_chat
from tokenswarm.wire.values import Answer, Ask, Usage

SCHEMA = {"type": "object", "required": ["a"]}
HI = (Message("user", "Hi"),)


def judged(
    judge: AnswerChecker | None = None, prompt: Prompt | None = None, ask: Ask | None = None, **changes: Any
) -> CheckResults:
    """The judgement of one answer; `changes` are of the identity, or how the answer was seen."""
    prompt, ask = prompt or Prompt("p", HI), ask or Ask("m")
    seen = {"answer": Answer("yes"), "outcome": "ok", "finish_reason": "stop", "usage": Usage(50, 5), "clean": True}
    seen |= {name: changes.pop(name) for name in tuple(changes) if name in seen}
    who = Identity(0, changes.pop("sequence", 0), "U", "/api/chat", "m", "p", 128, **changes)
    text = "\n\n".join(message.content for message in prompt.messages)
    sent = Sent(prompt, ask, ollama_chat.build(prompt, ask), who, text)
    return (judge or AnswerChecker(())).judge(sent, AnswerFacts(**seen), lambda: None)


@pytest.mark.parametrize(
    ("prompt", "ask"),
    [
        ({"format": SCHEMA}, {}),
        ({}, {"fields": {"format": SCHEMA}}),
        ({"fields": {"response_format": {"type": "json_schema", "json_schema": {"schema": SCHEMA}}}}, {}),
        ({}, {"fields": {"response_format": {"type": "json_schema", "json_schema": {"schema": SCHEMA}}}}),
    ],
)
def test_a_format_counts_wherever_it_was_given(prompt: dict[str, Any], ask: dict[str, Any]) -> None:
    found = judged(prompt=Prompt("p", HI, **prompt), ask=Ask("m", **ask), answer=Answer("{}"))
    assert (found.failed["json_invalid"], found.failed["schema_invalid"]) == (0, 1)


def test_json_mode_of_openai_and_plain_text() -> None:
    object_mode, text = ({"response_format": {"type": kind}} for kind in ("json_object", "text"))
    assert judged(ask=Ask("m", fields=object_mode)).failed["json_invalid"] == 1
    assert "json_invalid" not in judged(ask=Ask("m", fields=text)).failed


@pytest.mark.parametrize(
    ("prompt", "ask", "repeatable"),
    [
        ({}, {}, False),
        ({"temperature": 0}, {}, True),
        ({}, {"temperature": 0}, True),
        ({}, {"seed": 0}, True),
        ({"temperature": 0.8}, {"temperature": 0}, False),
        ({"temperature": 1, "seed": 1}, {}, True),
    ],
)
def test_which_requests_should_give_the_same_text(prompt: Any, ask: Any, repeatable: bool) -> None:
    found = judged(prompt=Prompt("p", HI, options=prompt), ask=Ask("m", options=ask))
    assert bool(found.request_digest) == bool(found.text_digest) == repeatable


def test_a_conversation_must_grow() -> None:
    judge, longer = AnswerChecker(()), Prompt("p", (*HI, Message("assistant", "yes"), Message("user", "Go on")))
    judged(judge, usage=Usage(400, 5), sequence=3)
    cut = judged(judge, longer, usage=Usage(131, 5), sequence=4, session=3, turn=2)
    assert cut.notes == "prompt_truncated: 131 tokens, 400 the turn before"
    assert (
        judged(judge, longer, usage=Usage(131, 5), sequence=5).failed["prompt_truncated"] == 0
    )  # another conversation


@pytest.mark.parametrize(
    "said", [(Message("user", ""),), (*HI, Message("assistant", "yes" * 9, thinking="Let me see"))]
)
def test_unless_it_became_shorter_or_held_thinking(said: tuple[Message, ...]) -> None:
    judge = AnswerChecker(())
    judged(judge, usage=Usage(400, 5), sequence=3)
    assert judged(judge, Prompt("p", said), usage=Usage(131, 5), session=3, turn=2).failed["prompt_truncated"] == 0


def test_the_runs_expectations_and_the_prompts_own_must_both_hold() -> None:
    judge, own = AnswerChecker((("contains", "y"),)), Prompt("p", HI, expect={"contains": "z"})
    assert judged(judge).failed["unexpected"] == 0
    assert judged(judge, own).notes == "unexpected: no 'z'"
    assert judged(judge, own, answer=Answer("z")).notes == "unexpected: no 'y'"
    assert "unexpected" not in judged(judge, own, batch_size=2, answer=Answer()).failed  # an embedding


def test_a_strange_answer_keeps_its_row() -> None:
    found = judged(usage=Usage("many", 5))
    assert found.failed == {}
    assert found.notes.startswith("not judged: ")


def test_what_cannot_be_expected_is_said_before_any_load() -> None:
    check([Prompt("p", HI, expect={"regex": "a+"})], [("regex", "a")])
    with pytest.raises(UsageError, match=r"--expect regex: regex '\('"):
        check([], [("regex", "(")])
    for wrong in ({"regex": "("}, {"has": "a"}, {"schema": {"$ref": "#/x"}}):
        with pytest.raises(UsageError, match="--payloads: prompt p: "):
            check([Prompt("p", HI, expect=wrong)], [])
