"""A user's waits, in the state in which Locust stops it at once, also with --stop-timeout."""

from typing import Any

import gevent
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


def rest(user: Any, delay_s: float) -> None:
    """Pause for so long. Raises StopUser, also before, if the user is to stop."""
    if user._state == LOCUST_STATE_STOPPING:
        raise StopUser
    user._state = LOCUST_STATE_WAITING
    gevent.sleep(delay_s)
    if user._state == LOCUST_STATE_STOPPING:
        raise StopUser
    user._state = LOCUST_STATE_RUNNING


def stops_at_once(user: Any) -> bool:
    """Does a user that is to stop wait? Then it stops, also if it wakes in this very moment: it begins no request."""
    if user._state != LOCUST_STATE_WAITING:
        return False
    user._state = LOCUST_STATE_STOPPING
    return True
