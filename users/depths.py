"""`--depths`: decoding behind a context of so many tokens, then the prefill of more text behind the same context."""

from tokenswarm.metrics.record import Record
from tokenswarm.payloads import depths
from tokenswarm.users.context import Asker


def ask_at_a_depth(user: Asker) -> Record:
    """Two requests at the next of the depths; give the Record of the last one, or of the first if that failed.

    The first brings a context that the server cannot know, and is answered at length; the second, after the wait time,
    has the same context, which the server may have kept, and new text behind it.
    """
    run_context, settings = user.run_context, user.run_context.settings
    number = run_context.next_round()
    depth, making = settings.depths[number % len(settings.depths)], settings.mix.making
    place = (settings.mix.seed, run_context.worker, number)
    record = user.generate(depths.context(depth, making, *place))
    if record.outcome != "ok":
        return record
    user.rest()
    return user.generate(depths.prefill(depth, settings.prefill_tokens, making, *place))
