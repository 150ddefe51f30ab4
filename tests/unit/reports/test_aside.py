"""Work on many rows is done beside what is done meanwhile, and comes to the same."""

import os
import signal

import pytest

from tokenswarm.reports import growing
from tokenswarm.reports.aside import aside
from tokenswarm.reports.errors import ReportError


@pytest.fixture(autouse=True)
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(growing, "MOST_IN_MEMORY", 10)


def test_of_many_rows_in_another_process_of_few_here() -> None:
    here = os.getpid()
    assert aside(os.getpid, 11)() != here
    assert aside(os.getpid, 10)() == here


def test_what_it_raises_is_raised_where_it_is_asked_for() -> None:
    def fails() -> None:
        raise ReportError("no such rows")

    for rows in (10, 11):
        asked = aside(fails, rows)
        with pytest.raises(ReportError, match="no such rows"):
            asked()


def test_a_process_that_was_killed_is_said_to_be() -> None:
    asked = aside(lambda: os.kill(os.getpid(), signal.SIGKILL), 11)
    with pytest.raises(ReportError, match="killed; is the memory full"):
        asked()
