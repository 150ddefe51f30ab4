"""`--same-prompts`: each prompt is asked through every API of the run, one after the other, by the same user."""

from tokenswarm.metrics.record import Record
from tokenswarm.users import request_fields
from tokenswarm.users.context import Asker


def ask_in_turns(user: Asker) -> Record:
    """Ask the next prompt through each API, each prompt beginning with another; give the last Record that failed.

    Where none did, the last of all. The wait time is also between two of them.
    """
    run_context, classes = user.run_context, user.environment.user_classes
    prompt, number = run_context.pick(), run_context.next_round()
    records: list[Record] = []
    for turn in range(len(classes)):
        if turn:
            user.rest()
        c = classes[(number + turn) % len(classes)]
        user.speak(c.__name__, c.api, request_fields.ask_of(c, run_context.settings), number)
        records.append(user.converse(prompt))
    return next((record for record in reversed(records) if record.outcome != "ok"), records[-1])
