"""A user's next request goes out before the last answer is read; no row is lost by that, nor what it tells."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import gevent
import pytest
from locust import task
from locust.user.task import LOCUST_STATE_RUNNING, LOCUST_STATE_STOPPING
from talking import MESSAGE, Talk, chat, talking

from tokenswarm.transport.time_slices import SLICE_NS, ReadingTurn, TimeSlices
from tokenswarm.users.context import Unread
from tokenswarm.users.ollama import OllamaChatUser


def until(seen: Any) -> None:
    with gevent.Timeout(10):
        while not seen():
            gevent.sleep(0.001)


def read_all(talk: Talk) -> list[str]:
    """The outcomes, once all that ended is read."""
    until(lambda: not talk.user.run_context.health.in_flight)
    return [record.outcome for record in talk.records]


@contextmanager
def asking(talk: Talk) -> Iterator[gevent.Greenlet]:
    """The user asks on, as long as it does not have to read an answer first."""
    asks = gevent.spawn(talk.user.ask)
    try:
        yield asks
    finally:
        asks.kill()


def test_the_next_request_leaves_before_the_last_answer_is_read() -> None:
    with talking(OllamaChatUser, chat("a"), chat("b")) as talk, asking(talk) as asks:
        with talk.user.run_context.slices.lock:  # others' answers are being read
            until(lambda: len(talk.bodies) == 2)
            gevent.sleep(0.02)
            assert talk.records == []
            assert not asks.ready()  # with two of its own unread, it waits
        asks.join()
        assert read_all(talk) == ["ok", "ok"]
        first, second_record = sorted(talk.records, key=lambda record: record.identity.sequence)
        assert first.interpreted_ns == second_record.sent_ns  # its user had gone on by then
        assert talk.user.run_context.under_way == {}


def test_a_user_that_is_stopped_leaves_the_row_of_what_was_not_read() -> None:
    with talking(OllamaChatUser, chat("a")) as talk, asking(talk) as asks:
        with talk.user.run_context.slices.lock:
            until(lambda: talk.user.going_on.reading)
            asks.kill(block=False)
        assert "ok" in read_all(talk)


def ask_once(talk: Talk) -> None:
    """One request, after which the user is to stop."""
    asks = gevent.spawn(talk.user.ask)
    with talk.user.run_context.slices.beginning:
        until(lambda: talk.user.going_on.reading)  # and the next request waits for its turn
        talk.user._state = LOCUST_STATE_STOPPING
    asks.join()
    talk.user._state = LOCUST_STATE_RUNNING


def test_a_user_that_is_to_stop_begins_nothing_more() -> None:
    with talking(OllamaChatUser, chat("a"), chat("b")) as talk:
        ask_once(talk)
        assert read_all(talk) == ["ok"]
        assert len(talk.bodies) == 1


def test_an_error_that_is_read_later_makes_its_user_pause_all_the_same() -> None:
    wrong = {"message": MESSAGE, "done": True, "done_reason": "stop"}  # says nothing, not even how many tokens
    with talking(OllamaChatUser, wrong, chat("b"), pause_after_error=0.3) as talk:
        ask_once(talk)
        assert read_all(talk) == ["protocol_error"]
        with asking(talk):
            until(lambda: len(talk.records) == 2)
    assert (talk.records[1].sent_ns or 0) - (talk.records[0].ended_ns or 0) >= 0.3e9


def test_a_refusal_is_read_at_once() -> None:
    with talking(OllamaChatUser, None, pause_after_error=0) as talk:
        talk.user.ask()
        assert [record.outcome for record in talk.records] == ["http_error"]


@pytest.mark.parametrize("name", ["generation", "request"])
def test_who_listens_has_the_answer_before_its_user_goes_on(name: str) -> None:
    """And may end the user, or the run, by what it hears."""
    with talking(OllamaChatUser, chat("a")) as talk:
        getattr(talk.user.environment.events, name).add_listener(lambda **_: None)
        talk.user.on_start()
        talk.user.ask()
        assert [record.outcome for record in talk.records] == ["ok"]


def test_answers_are_read_in_turn_also_after_one_that_failed_for_a_reason_of_its_own() -> None:
    unread, read = Unread(TimeSlices()), []

    def fail() -> None:
        raise RuntimeError("meant so")

    for one in (fail, lambda: read.append(1), lambda: read.append(2)):
        unread.add(one)
    until(lambda: len(read) == 2)
    assert read == [1, 2]


def test_a_task_of_ones_own_has_the_answer_when_it_has_asked() -> None:
    class Own(OllamaChatUser):
        abstract = True

        @task
        def look(self) -> None:
            self.ask()
            assert self.answer.text == "abc"

    with talking(Own, chat("abc")) as talk:
        talk.user.look()
        assert [record.outcome for record in talk.records] == ["ok"]


def test_a_class_with_a_wait_time_of_its_own_has_its_answer_when_it_waits() -> None:
    class Own(OllamaChatUser):
        abstract = True

        def wait_time(self) -> float:
            return float(len(self.answer.text))

    with talking(Own, chat("abc")) as talk:
        talk.user.ask()
        assert talk.user.wait_time() == 3.0


def test_who_begins_comes_before_who_reads() -> None:
    slices, order = TimeSlices(), []

    def read() -> None:
        with ReadingTurn(slices) as turn:
            for _ in range(3):
                slices.slice_ends_ns = 0
                turn.yield_to_loop()
                order.append("read")

    def begin() -> None:
        slices.slice_ends_ns = 0
        slices.left_ns += SLICE_NS  # somebody has just been here
        slices.take_beginning_turn()
        order.append("begin")

    reader = gevent.spawn(read)
    gevent.sleep(0)
    gevent.joinall([reader, *(gevent.spawn(begin) for _ in range(5))])
    assert order[:5] == ["begin"] * 5
    assert slices.is_crowded()
