"""A user's next request goes out first: the answer before it is read while the server thinks.

Where answers end together, as those of a server that batches do, the reading of all of them would else keep each user
from its next request. Only where that takes nothing from the answer: no further turn, no tool's result, no pause,
no task or listener that is not ours.
"""

from functools import partial
from typing import Protocol

import gevent

from tokenswarm.metrics.record import Record
from tokenswarm.payloads.prompt import Prompt
from tokenswarm.users.context import Asker, Sending
from tokenswarm.users.conversation import more_to_ask
from tokenswarm.users.waiting import is_stopping

TAKEN_FOR_GRANTED = ("converse", "generate", "wait_time")  # a class with its own may do with an answer what it likes


class Sender(Asker, Protocol):
    """What this has of its `LLMUser`."""

    own_model: str

    def send(self, prompt: Prompt | None = None) -> Sending: ...

    def read_and_tell(self, sending: Sending) -> Record: ...


class GoingOn:
    """One user's; no more than one answer waits to be read when the next one has ended."""

    def __init__(self, user: Sender, *, possible: bool) -> None:
        s = user.run_context.settings
        self.possible = possible and not (s.think_time or s.same_prompts or s.depths)
        self.reading = False  # of an answer after which the user has gone on?
        self._user, self._pause_s = user, 0.0  # that it owes, since such an answer was found wrong

    def ask(self) -> None:
        """One conversation with the next prompt of the mix; if it is of one request that ends well, that is not read.

        Then the next follows at once, without Locust's turn between two tasks. Who has an error in an answer that is
        read later pauses before the request after next.
        """
        while self._ask_one() and not is_stopping(self._user):
            pass

    def _ask_one(self) -> bool:
        """Has the user gone on without reading?"""
        user, s = self._user, self._user.run_context.settings
        pause_s, self._pause_s = self._pause_s, 0.0
        if pause_s:
            gevent.sleep(pause_s)
        if self.reading:
            user.run_context.slices.take_beginning_turn()
        if is_stopping(user):
            return False  # it would be cut
        prompt = user.run_context.pick(user.own_model, user)
        if more_to_ask(prompt, s.conduct):
            record = user.converse(prompt)
        else:
            sending = user.send(prompt)
            if not self.reading and sending.exchange.ended_well:
                self.reading = True
                user.run_context.unread.add(partial(self._read, sending))
                return True
            record = user.read_and_tell(sending)
        if record.outcome != "ok" and s.pause_after_error_s:
            gevent.sleep(s.pause_after_error_s)
        return False

    def _read(self, sending: Sending) -> None:
        try:
            if self._user.read_and_tell(sending).outcome != "ok":
                self._pause_s = self._user.run_context.settings.pause_after_error_s
        finally:
            self.reading = False
