"""When a user's next request goes out: the one question that closed loop, open loop and capacity search answer."""

from typing import Any, NamedTuple, Protocol

from tokenswarm.metrics.record import Phase
from tokenswarm.payloads.prompt import Prompt


class Due(NamedTuple):
    """One arrival: its number in the run, when it is due by this process's clock, and what a trace says is asked."""

    number: int
    ns: int
    prompt: Prompt | None = None


class Pacer(Protocol):
    """Paces the users of one process."""

    @property
    def scheduled(self) -> bool:
        """Are requests due at times of their own (an open loop)? Then users have no pauses of theirs."""

    def wait(self, user: Any, begins: bool = True) -> Due | None:
        """Wait until this user's next request may go out; the arrival that it answers, if it is one's.

        One that does not begin anything, but goes on with it (a further turn), waits for no arrival.
        """

    def phase(self, user: Any) -> Phase | None:
        """The phase of the request that a user begins now; None: that of the whole run."""


class ClosedLoop:
    """The next request goes out when the last answer has been read."""

    scheduled = False

    def wait(self, user: Any, begins: bool = True) -> Due | None:
        """At once."""
        return None

    def phase(self, user: Any) -> Phase | None:
        """That of the run."""
        return None
