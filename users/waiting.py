"""A user's wait for its turn, in the state in which Locust stops it at once, also with --stop-timeout."""

from typing import Any

from locust.exception import StopUser
from locust.user.task import LOCUST_STATE_RUNNING, LOCUST_STATE_STOPPING, LOCUST_STATE_WAITING

from tokenswarm.load.pacer import Due, Pacer


def take_turn(user: Any, pacer: Pacer, begins: bool = True) -> Due | None:
    """Wait until the user's next request may go out (see `Pacer.wait`). Raises StopUser."""
    state, user._state = user._state, LOCUST_STATE_WAITING
    due = pacer.wait(user, begins)
    if due is None and user._state == LOCUST_STATE_STOPPING:
        raise StopUser
    user._state = state if due is None and state else LOCUST_STATE_RUNNING
    return due
