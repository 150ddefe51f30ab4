"""Handing arrivals to users: who gets them, and what is dropped."""

import time
from typing import Any

import gevent

from users.dispatcher import Dispatcher


class First:
    weight = 1


class Second:
    weight = 1


def test_a_class_without_a_user_in_this_process_gets_no_arrivals() -> None:
    dropped: list[Any] = []
    handed: list[int] = []
    due = ((number / 1e6, None) for number in range(20))
    dispatcher = Dispatcher(due, 0, [First, Second], lambda user_class, _: dropped.append(user_class))

    def user() -> None:
        while len(handed) < 20:
            handed.append(dispatcher.wait(First()).number)

    clients = [gevent.spawn(user) for _ in range(20)]
    gevent.sleep(0)
    now = time.time_ns()
    dispatcher.share(now, now, 0, 1)
    gevent.joinall(clients, timeout=5, count=20)
    assert (sorted(handed), dropped) == (list(range(20)), [])
