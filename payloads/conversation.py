"""Conversations: from a prompt and what was answered to it, to the next prompt of the same session."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal

import orjson

from tokenswarm.payloads.prompt import Message, Prompt, Turn

TurnKind = Literal["user", "tool"]
NO_SUCH_TOOL = '{"error":"no such tool"}'


@dataclass(frozen=True, slots=True)
class Conduct:
    """How conversations are carried on.

    `own_answers`: by what the model said, not by the answers that a file has. `thinking`: its thinking stays in the
    history, too. `feed_context`: where the server hands back its context, that goes back instead of the history.
    `tool_result` (None: there is none) is the result of offered tools without a canned one, and `tool_rounds` how often
    a turn may go on with results.
    """

    own_answers: bool = True
    thinking: bool = False
    feed_context: bool = True
    tool_result: object | None = None
    tool_rounds: int = 4


def first_prompt(script: Prompt) -> Prompt:
    """The first prompt of a conversation; its output limit is that of all turns without one of their own."""
    if script.max_tokens is None:
        return script
    return replace(
        script, then=tuple(replace(turn, max_tokens=turn.max_tokens or script.max_tokens) for turn in script.then)
    )


def next_turn(asked: Prompt, said: tuple[Message, ...], conduct: Conduct) -> Prompt:
    """The prompt of the next turn, of which there must be one in `asked.then`; all else stays as it is.

    `said` is all that was said since `asked`: the answer, with tool rounds before it if there were any. Tool calls in
    the answer itself were left without results, which some servers refuse in a history: they are left out.
    """
    turn, *rest = asked.then
    said = (*said[:-1], said[-1]._replace(tool_calls=()))
    if turn.answer and not goes_by_own_words(turn, conduct):
        said = (turn.answer,)
    return replace(
        asked, messages=(*asked.messages, *said, *turn.messages), max_tokens=turn.max_tokens, then=tuple(rest)
    )


def goes_by_own_words(turn: Turn, conduct: Conduct) -> bool:
    """Does the turn follow what the model said? The results that a file has belong to the calls that it has."""
    if turn.answer and turn.answer.tool_calls and turn.messages[0].role == "tool":
        return False
    return conduct.own_answers or not turn.answer


def with_context(prompt: Prompt, context: tuple[int, ...], new: int) -> Prompt:
    """The same prompt with the server's own context for its history: only the `new` last messages are still said."""
    return replace(prompt, messages=prompt.messages[-new:], fields={**prompt.fields, "context": context})


def results(prompt: Prompt, said: Message, conduct: Conduct) -> tuple[Message, ...]:
    """The tools' results to the calls of an answer, in their order; none where there is nothing to answer them with.

    A tool that was not offered, or has no result, gives an error as its result, as a careful program would.
    """
    if not prompt.tool_results and conduct.tool_result is None:
        return ()
    offered = {_name(tool) for tool in prompt.tools}
    made = []
    for call in said.tool_calls:
        name = str(call.get("name", ""))
        result = prompt.tool_results.get(name, conduct.tool_result if name in offered else None)
        text = NO_SUCH_TOOL if result is None else result if isinstance(result, str) else orjson.dumps(result).decode()
        made.append(Message("tool", text, tool_name=name, tool_call_id=str(call.get("id", ""))))
    return tuple(made)


def arguments(said: object) -> Mapping[str, object]:
    """A call's arguments as an object; none where a model has written no JSON, which servers refuse in a history."""
    if isinstance(said, str):
        try:
            said = orjson.loads(said)
        except orjson.JSONDecodeError:
            return {}
    return said if isinstance(said, Mapping) else {}


def _name(tool: Mapping[str, object]) -> object:
    function = tool.get("function")
    return function.get("name") if isinstance(function, Mapping) else tool.get("name")
