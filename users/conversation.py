"""One session: a conversation held to its end, turn by turn, with the tools' results and the user's pauses."""

from dataclasses import replace

from tokenswarm.metrics.record import Record
from tokenswarm.payloads.conversation import (
    Conduct,
    arguments,
    first_prompt,
    goes_by_own_words,
    next_turn,
    results,
    with_context,
)
from tokenswarm.payloads.prompt import Message, Prompt
from tokenswarm.users.context import Asker
from tokenswarm.wire.values import Answer


def hold(user: Asker, script: Prompt, scheduled_ns: int | None = None) -> Record:
    """Ask turn after turn; give the last Record. A turn that fails is the last one, since it left nothing to go on."""
    conduct = user.run_context.settings.conduct
    asked = first_prompt(script)
    record = user.generate(asked, scheduled_ns)
    session, number = record.identity.sequence, 1
    while True:
        said = [message(user.answer, thinking=conduct.thinking)]
        for _ in range(conduct.tool_rounds):
            if record.outcome != "ok" or not (found := results(asked, said[-1], conduct)):
                break
            said += found
            number += 1
            record = user.generate(_after(asked, said), session=session, turn=number, turn_kind="tool")
            said.append(message(user.answer, thinking=conduct.thinking))
        if record.outcome != "ok" or not asked.then:
            return record
        turn, context = asked.then[0], user.answer.context
        try:
            user.rest(turn.delay_s)
        except BaseException:
            user.run_context.leave(user)
            raise
        asked = next_turn(asked, tuple(said), conduct)
        # A context holds what the model said, so it cannot carry a file's answers.
        feeds = context and conduct.feed_context and goes_by_own_words(turn, conduct)
        number += 1
        prompt = with_context(asked, context, len(turn.messages)) if context and feeds else asked
        record = user.generate(prompt, session=session, turn=number)


def more_to_ask(script: Prompt, conduct: Conduct) -> bool:
    """May there be a second request after the first one's answer?"""
    with_tools = conduct.tool_rounds and (script.tool_results or conduct.tool_result is not None)
    return bool(script.then or with_tools)


def message(answer: Answer, *, thinking: bool = False) -> Message:
    """What the model said, as a message of the history."""
    calls = tuple(
        {"id": call.id or f"call_{call.place}", "name": call.name, "arguments": arguments(call.arguments)}
        for call in answer.tool_calls
    )
    return Message("assistant", answer.text, tool_calls=calls, thinking=answer.thinking if thinking else "")


def _after(asked: Prompt, said: list[Message]) -> Prompt:
    return replace(asked, messages=(*asked.messages, *said))
