"""Tool calls and their results by the ids that some APIs insist on, also where a file has none."""

from collections.abc import Iterable, Iterator

from tokenswarm.payloads.prompt import Message


def with_ids(messages: Iterable[Message]) -> Iterator[Message]:
    """The same messages, each call with an id, and each result with that of its call.

    A result without an id belongs to the first call of its tool that has none yet, else to the first of any.
    """
    made = 0
    waiting: list[tuple[str, str]] = []  # id and tool of the calls without a result
    for message in messages:
        if message.tool_calls:
            calls = []
            for call in message.tool_calls:
                calls.append({**call, "id": call.get("id") or f"call_{made}"})
                made += 1
            waiting += [(str(call["id"]), str(call["name"])) for call in calls]
            yield message._replace(tool_calls=tuple(calls))
        elif message.role == "tool":
            own = message.tool_call_id
            if not own:
                named = (known for known, name in waiting if name == message.tool_name)
                own = next(named, waiting[0][0] if waiting else f"call_{made}")
            waiting = [one for one in waiting if one[0] != own]
            yield message._replace(tool_call_id=own)
        else:
            yield message
