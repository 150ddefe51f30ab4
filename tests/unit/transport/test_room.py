"""The room that long answers share: beyond it they are read one after the other, and none is forgotten."""

import random

from tokenswarm.transport.room import Holding, Room


class Answers:
    """Some answers, of which each knows whether it is being read."""

    def __init__(self, shared_bytes: int) -> None:
        self.room = Room(shared_bytes)
        self.read: dict[str, bool] = {}

    def begin(self, name: str, first_bytes: int = 0) -> Holding:
        self.read[name] = True

        def turn(on: bool) -> None:
            self.read[name] = on

        share = self.room.enter(lambda: turn(False), lambda: turn(True))
        share.grow(first_bytes)
        return share

    @property
    def reading(self) -> str:
        return "".join(sorted(name for name, on in self.read.items() if on))


def test_who_would_hold_too_much_waits_until_another_is_let_go_of() -> None:
    answers = Answers(100)
    a, b, c = answers.begin("a", 50), answers.begin("b", 40), answers.begin("c")
    c.grow(20)
    assert answers.reading == "ab"
    assert (c.waits, answers.room.held_back) == (True, 1)
    b.grow(1)
    assert answers.reading == "a"
    a.grow(1000)  # the last one goes on, up to its own bound
    a.end_reading()
    assert answers.reading == "a"  # it is in memory until it has been interpreted
    a.give_back()
    assert answers.reading == "abc"
    b.give_back()
    c.give_back()
    assert answers.begin("d", 100).waits is False


def test_one_that_times_out_while_it_waits_is_as_good_as_read() -> None:
    answers = Answers(100)
    a, b = answers.begin("a", 90), answers.begin("b", 90)
    assert answers.reading == "a"
    b.end_reading()
    a.give_back()
    assert not b.waits
    assert answers.reading == "a"  # nobody reads b any more
    b.give_back()
    assert answers.begin("c", 100).waits is False


def test_whatever_happens_one_of_those_that_are_there_is_read() -> None:
    chance = random.Random(1)
    for _ in range(200):
        answers, there = Answers(100), {}
        for number in range(100):
            name = str(number)
            if chance.random() < 0.3 or not there:
                there[name] = answers.begin(name)
            name = chance.choice(list(there))
            if chance.random() < 0.2:
                there.pop(name).give_back()
                answers.read.pop(name)
            elif answers.read[name]:
                there[name].grow(chance.randrange(60))
            assert not there or answers.reading
