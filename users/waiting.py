"""A user's waits, in the state in which Locust stops it at once, also with --stop-timeout."""

from typing import Any

import gevent
from locust.exception import StopUser
from locust.user.task import LOCUST_STATE_RUNNING, LOCUST_STATE_STOPPING, LOCUST_STATE_WAITING

from tokenswarm.load.pacer import Due, Pacer
from tokenswarm.load.tickets import Over, Stock


def is_stopping(user: Any) -> bool:
    """Is it to end with what it does now?"""
    return bool(user._state == LOCUST_STATE_STOPPING)


def take_turn(user: Any, pacer: Pacer, begins: bool = True) -> Due | None:
    """Wait until the user's next request may go out (see `Pacer.wait`). Raises StopUser."""
    state, user._state = user._state, LOCUST_STATE_WAITING
    try:
        due = pacer.wait(user, begins)
    except Over:
        raise StopUser from None
    if due is None and user._state == LOCUST_STATE_STOPPING:
        raise StopUser
    user._state = state if due is None and state else LOCUST_STATE_RUNNING
    return due


def take_ticket(user: Any, stock: Stock) -> int:
    """Wait for the user's next ticket. Raises StopUser."""
    state, user._state = user._state, LOCUST_STATE_WAITING
    try:
        number = stock.take(lambda: is_stopping(user))
    except Over:
        raise StopUser from None
    user._state = state or LOCUST_STATE_RUNNING
    return number


def others_hear_of(hook: Any) -> bool:
    """Has one of Locust's events a listener that is neither Locust's nor ours?"""
    modules = (getattr(one, "__module__", None) or "" for one in hook._handlers)
    return not all(module.startswith(("locust.", "tokenswarm.")) for module in modules)


def never_pause(user: Any) -> None:
    """Between two tasks it is the next arrival that a user waits for; a wait time would keep it from that."""
    user._taskset_instance.wait_time = lambda: 0.0


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
