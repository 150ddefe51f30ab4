"""Tickets: each is dealt once, and again only if its process is gone."""

import gevent
import pytest

from tokenswarm.load.tickets import Desk, Over, Stock


def test_tickets_are_dealt_once_and_the_last_ones_to_all() -> None:
    desk = Desk(100)
    assert desk.deal("a", 30, 2) == [*range(25)]  # a quarter of what is left, while two share it
    assert desk.deal("b", 5, 2) == [25, 26, 27, 28, 29]
    assert desk.deal("a", 26, 2) == [*range(25), 30]
    assert desk.deal("a", 26, 2) == [*range(25), 30]  # asked again: the same
    got = {*desk.deal("a", 26, 2), *desk.deal("b", 5, 2)}
    for up_to in range(27, 200):
        got |= {*desk.deal("a", up_to, 2)}
    assert got == {*range(100)}


def test_what_a_lost_process_had_not_used_is_dealt_again() -> None:
    desk = Desk(6, key=lambda ticket: f"p{ticket}")
    assert desk.deal("a", 3, 1) == [0, 1, 2]
    desk.end("a", "p1")
    desk.end("a", "p1")  # once is enough
    assert desk.forget("a")
    assert not desk.forget("a")
    got = [desk.deal("b", up_to, 1)[-1] for up_to in range(1, 6)]
    assert sorted(got) == [0, 2, 3, 4, 5]
    for ticket in got:
        assert not desk.over
        desk.end("b", f"p{ticket}")
    assert desk.over


def test_a_stock_asks_before_it_is_empty_and_wakes_who_waits() -> None:
    asked: list[int] = []
    stock = Stock(asked.append)
    users = [gevent.spawn(stock.take, lambda: False) for _ in range(4)]
    gevent.sleep(0)
    assert asked
    stock.add([*range(asked[-1])])
    gevent.joinall(users, timeout=5)
    assert [one.value for one in users] == [0, 1, 2, 3]
    (*_, wanted) = asked
    for _ in range(wanted - 4):  # it never waits for the desk
        stock.take(lambda: False)
    assert asked[-1] > wanted


def test_who_is_to_stop_uses_no_ticket_and_an_end_ends_all_waits() -> None:
    stock = Stock(lambda _: None)
    stock.add([7])
    with pytest.raises(Over):
        stock.take(lambda: True)
    assert stock.take(lambda: False) == 7
    stock.give_back(7)
    assert stock.take(lambda: False) == 7
    waiting = gevent.spawn(stock.take, lambda: False)
    gevent.sleep(0)
    stock.close()
    with pytest.raises(Over):
        waiting.get(timeout=5)
