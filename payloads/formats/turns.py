"""Conversations as files tell them: ShareGPT's, MT-bench's and AIPerf's turns, and our own `then`."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path

from tokenswarm.payloads.formats.lengths import output_tokens
from tokenswarm.payloads.formats.messages import images, message, role, text, wrong
from tokenswarm.payloads.formats.tools import calls
from tokenswarm.payloads.prompt import Message, Turn

CALLS = ("function_call", "tool_call")  # who speaks where ShareGPT's JSON of a call stands for an answer
SAID = ("text", "texts", "prompt", "content", "value")


def read_turns(given: object, name: str, folder: Path) -> tuple[Turn, ...]:
    """The turns of a list of texts or objects; none where nobody asks anything. Raises ValueError."""
    if not isinstance(given, list):
        wrong(name, given, "make it a list of texts or objects")
    return asked_turns(_turn(one, f"{name}[{at}]", folder) for at, one in enumerate(given))


def asked_turns(turns: Iterable[Turn]) -> tuple[Turn, ...]:
    """Turns that begin with a question: what an assistant says in between becomes the answer that a turn follows.

    System messages join the turn after them. What is said before the first question, or after the last, is left out.
    The results of an answer's calls are one turn, and each names its call.
    """
    asked: list[Turn] = []
    answer: Message | None = None
    before: tuple[Message, ...] = ()
    for turn in turns:
        last = turn.messages[-1]
        if last.role == "assistant":
            answer = last
        elif last.role == "tool" and asked and not answer and asked[-1].messages[-1].role == "tool":
            before_it = asked.pop()
            there = before_it.messages
            asked.append(replace(before_it, messages=(*there, _result(last, before_it.answer, len(there)))))
        elif last.role != "tool" and not (last.content.strip() or last.images):
            continue  # Ollama answers an empty prompt by loading the model, without a token.
        elif last.role == "system":
            before += turn.messages
        else:
            follows = turn.answer or (answer if asked else None)
            said = turn.messages if last.role != "tool" else (*turn.messages[:-1], _result(last, follows, 0))
            asked.append(replace(turn, messages=before + said, answer=follows))
            answer, before = None, ()
    return tuple(asked)


def _result(said: Message, answer: Message | None, place: int) -> Message:
    """A tool's result, with the id and the name of the call that it answers, which is that at its place."""
    if answer is None or place >= len(answer.tool_calls):
        return said
    made = answer.tool_calls[place]
    called = said.tool_call_id or str(made["id"] or f"call_{place}")
    return said._replace(tool_name=said.tool_name or str(made["name"]), tool_call_id=called)


def _turn(given: object, name: str, folder: Path) -> Turn:
    if isinstance(given, str):
        return Turn((Message("user", given),))
    if not isinstance(given, Mapping):
        wrong(name, given, 'make it a text, or {"text": …}')
    fields = {field: value for field, value in given.items() if value is not None}
    said = _message(fields, name, folder)
    answer = fields.get("answer")
    return Turn(
        messages=(said,),
        answer=Message("assistant", answer) if isinstance(answer, str) else None,
        max_tokens=output_tokens(fields),
        delay_s=_delay_s(fields, name),
    )


def _message(fields: Mapping[str, object], name: str, folder: Path) -> Message:
    given = fields.get("role", fields.get("from", "user"))
    who = role(given, f"{name}.role")
    if fields.get("tool_calls") or isinstance(fields.get("content"), list):
        return message({**fields, "role": who}, name, folder)
    field = next((field for field in SAID if field in fields), None)
    seen = images(fields.get("images", fields.get("image")), f"{name}.images", folder)
    if field is None and not seen:
        raise ValueError(f"{name} has no text; add it")
    said = fields[field] if field else ""
    if isinstance(said, list):
        said = "\n\n".join(text(one, f"{name}.{field}") for one in said)
    if given in CALLS and isinstance(said, str):
        return Message(who, tool_calls=calls(said, f"{name}.{field}"))
    called = str(fields.get("tool_call_id", "")), str(fields.get("tool_name", fields.get("name", "")))
    return Message(who, text(said, f"{name}.{field}"), seen, (), "", called[1] if who == "tool" else "", called[0])


def _delay_s(fields: Mapping[str, object], name: str) -> float | None:
    """`delay_s`, or AIPerf's `delay` in ms."""
    for field, unit_s in (("delay_s", 1.0), ("delay", 1e-3)):
        value = fields.get(field)
        if value is not None:
            if isinstance(value, bool) or not isinstance(value, int | float) or value < 0:
                wrong(f"{name}.{field}", value, "make it a number, 0 or more")
            return value * unit_s
    return None
