"""Which arrivals of an open loop have no row."""

from tokenswarm.metrics.validity.unsent import Offered

MS = 1_000_000


def offered(numbers: list[int], stage: str = "", into: Offered | None = None) -> Offered:
    """Rows of those arrivals, 10 of which are due in a second."""
    found = into or Offered()
    for number in numbers:
        found.add({"arrival": number, "stage": stage, "scheduled_unix_ns": number * 100 * MS})
    return found


def test_the_arrivals_of_a_worker_that_died_are_missed() -> None:
    there = [number for number in range(60) if not (20 <= number < 47 and number % 3 == 1)]
    found = offered(there[::-1])
    assert (found.arrivals, found.unsent) == (50, 9)


def test_the_last_second_says_nothing() -> None:
    assert offered([*range(50), 51, 55, 59]).unsent == 0
    assert offered([0, 3]).unsent == 0


def test_stages_are_counted_apart_and_a_row_twice_is_one() -> None:
    found = offered([*range(30)], "1")
    found = offered([*range(10), *range(10), *range(12, 30)], "2", found)
    assert (found.arrivals, found.unsent) == (40, 2)


def test_requests_that_are_no_arrivals_are_none() -> None:
    found = Offered()
    found.add({"arrival": None, "stage": None, "scheduled_unix_ns": None})
    assert (found.arrivals, found.unsent) == (0, 0)
