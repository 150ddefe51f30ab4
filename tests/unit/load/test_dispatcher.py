"""Handing arrivals to users: who gets them, and what is dropped."""

import os
import time
from dataclasses import replace
from typing import Any

import gevent
import pytest

from tokenswarm.load.dispatcher import Dispatcher
from tokenswarm.load.pacer import Due
from tokenswarm.load.timer import Alarm
from tokenswarm.payloads.prompt import Message, Prompt


class First:
    weight = 1


class Second:
    weight = 1


def test_a_class_without_a_user_in_this_process_gets_no_arrivals() -> None:
    dropped: list[Any] = []
    handed: list[int] = []
    due = ((number / 1e6, None) for number in range(20))
    dispatcher = Dispatcher(due, 0, [First, Second], lambda user_class, *_: dropped.append(user_class))

    def user() -> None:
        handed.append(dispatcher.wait(First()).number)

    clients = [gevent.spawn(user) for _ in range(20)]
    gevent.sleep(0)
    now = time.time_ns()
    dispatcher.share(now, now, 0, 1)
    gevent.joinall(clients, timeout=5, count=20)
    assert (sorted(handed), dropped) == (list(range(20)), [])


def test_a_worker_that_joins_leaves_what_was_due_before_to_those_who_were_there() -> None:
    handed: list[int] = []
    due = ((number / 1000, None) for number in range(100))
    dispatcher = Dispatcher(due, 0, [First], lambda *_: None)

    def user() -> None:
        while True:
            handed.append(dispatcher.wait(First()).number)

    clients = [gevent.spawn(user) for _ in range(100)]
    gevent.sleep(0)
    began_ns = time.time_ns() - 100_000_000
    dispatcher.share(began_ns, began_ns + 50_000_000, 1, 2)
    dispatcher._greenlet.join(5)  # type: ignore[union-attr]
    gevent.killall(clients)
    assert handed == list(range(51, 100, 2))


def test_a_share_holds_for_as_long_as_it_is_told_and_nothing_is_sent_long_after_it_was_due() -> None:
    handed: list[int] = []
    due = ((number / 1000, None) for number in range(3000))
    dropped: list[int] = []
    dispatcher = Dispatcher(due, 0, [First], lambda _, due, why: dropped.append(due.number))

    def user() -> None:
        while True:
            handed.append(dispatcher.wait(First()).number)

    clients = [gevent.spawn(user) for _ in range(2000)]
    gevent.sleep(0)
    began_ns = time.time_ns() - 2_000_000_000  # this process stood still for two seconds
    dispatcher.share(began_ns, began_ns, 0, 1, until_ns=began_ns + 1_600_000_000)
    dispatcher.share(began_ns, began_ns, 0, 1, until_ns=began_ns + 1_700_000_000)  # and had heard of its share before
    dispatcher._greenlet.join(5)  # type: ignore[union-attr]
    gevent.killall(clients)
    assert handed == sorted(handed)
    assert handed[0] >= 1000
    assert dropped[:1000] == list(range(1000))
    assert sorted(handed + dropped) == list(range(1701))  # each has its row, wherever this machine stood still


def test_a_prompt_is_made_up_before_it_is_due() -> None:
    made_ns: list[int] = []
    found: list[Due] = []

    def make(prompt: Prompt, number: int) -> Prompt:
        made_ns.append(time.time_ns())
        return replace(prompt, id=f"{prompt.id}-{number}")

    prompt = Prompt("p", (Message("user", "Hi"),))
    dispatcher = Dispatcher(iter([(0.0, prompt), (0.05, prompt)]), 0, [First], lambda *_: None, make=make)
    clients = [gevent.spawn(lambda: found.append(dispatcher.wait(First()))) for _ in range(2)]
    gevent.sleep(0)
    started_ns = time.time_ns() + 50_000_000
    dispatcher.share(started_ns, started_ns, 0, 1)
    gevent.joinall(clients, timeout=5)
    assert [due.prompt.id for due in found if due.prompt] == ["p-0", "p-1"]
    assert [made < due.ns for made, due in zip(made_ns, found, strict=True)] == [True, True]


def open_files() -> set[str]:
    return set(os.listdir("/proc/self/fd")) if os.path.isdir("/proc/self/fd") else set()


def test_an_alarm_wakes_at_its_time_never_before_and_many_times() -> None:
    alarm = Alarm()
    for _ in range(20):
        due_ns = time.time_ns() + 500_000
        alarm.sleep_until(due_ns)
        assert time.time_ns() >= due_ns
    turns: list[int] = []
    gevent.spawn(turns.append, 1)
    alarm.sleep_until(time.time_ns() - 1)
    assert turns == [1]  # what is over lets the others have their turn
    sleeping = gevent.spawn(alarm.sleep_until, time.time_ns() + 10**12)
    gevent.sleep(0)
    sleeping.kill()
    due_ns = time.time_ns() + 1_000_000
    alarm.sleep_until(due_ns)  # and not at once, nor in a quarter of an hour
    assert time.time_ns() >= due_ns
    open_before = open_files()
    alarm.close()
    gevent.sleep(0.001)  # gevent closes a file that was watched in the loop's next turn
    assert len(open_files()) == max(0, len(open_before) - 1)


def test_without_a_timer_of_the_kernels_the_loops_own_has_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tokenswarm.load.timer.SUPPORTED", False)
    alarm = Alarm()
    due_ns = time.time_ns() + 1_000_000
    alarm.sleep_until(due_ns)
    assert time.time_ns() >= due_ns - 1_000_000
    alarm.close()
