"""A user's wait for its turn, and what an end of the run in the middle of it does."""

from types import SimpleNamespace
from typing import Any

import gevent
import pytest
from locust.exception import StopUser
from locust.user.task import LOCUST_STATE_RUNNING, LOCUST_STATE_STOPPING, LOCUST_STATE_WAITING

from tokenswarm.load.pacer import ClosedLoop, Due
from tokenswarm.users.waiting import rest, stops_at_once, take_turn

DUE = Due(7, 1_000)


class Pacer(ClosedLoop):
    """Lets users go with `due`; meanwhile the run ends, if it is `ending`."""

    def __init__(self, due: Due | None, ending: bool = False) -> None:
        self._due, self._ending = due, ending
        self.seen: list[str] = []

    def wait(self, user: Any, begins: bool = True) -> Due | None:
        self.seen.append(user._state)
        if self._ending:
            user._state = LOCUST_STATE_STOPPING
        return self._due if begins else None


def user(state: str = LOCUST_STATE_RUNNING) -> Any:
    return SimpleNamespace(_state=state)


def test_a_user_that_waits_may_be_stopped_at_once_and_goes_on_as_it_was() -> None:
    for before in (LOCUST_STATE_RUNNING, LOCUST_STATE_STOPPING):
        one, pacer = user(before), Pacer(None)
        assert take_turn(one, pacer) is None
        assert (pacer.seen, one._state) == ([LOCUST_STATE_WAITING], before)


def test_a_user_that_was_stopped_meanwhile_begins_no_request() -> None:
    with pytest.raises(StopUser):
        take_turn(user(), Pacer(None, ending=True))


def test_an_arrival_that_was_handed_out_is_not_lost_at_the_end_of_the_run() -> None:
    one = user()
    assert take_turn(one, Pacer(DUE, ending=True)) == DUE
    assert one._state == LOCUST_STATE_RUNNING


def test_a_further_turn_waits_for_no_arrival() -> None:
    assert take_turn(user(), Pacer(DUE), begins=False) is None


def test_a_user_that_pauses_can_be_stopped_at_once_and_then_begins_nothing() -> None:
    one = user()
    pausing = gevent.spawn(rest, one, 0.0)
    pausing.link_exception(lambda _: None)
    gevent.sleep(0)
    assert stops_at_once(one)
    assert not stops_at_once(one)  # it is being stopped already
    with pytest.raises(StopUser):
        pausing.get()
    with pytest.raises(StopUser):
        rest(one, 60.0)


def test_a_user_in_the_middle_of_a_request_is_not_stopped_at_once() -> None:
    one = user()
    assert not stops_at_once(one)
    assert one._state == LOCUST_STATE_RUNNING
