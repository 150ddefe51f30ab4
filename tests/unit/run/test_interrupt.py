"""What signals do in this process: heard in the loop's turn, patient at an end, and insisted on."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator

import gevent
import pytest
from locust_process import ROOT

from tokenswarm.run import interrupt


@pytest.fixture(autouse=True)
def as_before(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The handlers of this process are its own again after a test."""
    monkeypatch.setattr(interrupt, "heard_s", [])
    held = {number: signal.getsignal(number) for number in interrupt.SIGNALS}
    yield
    for number, handler in held.items():
        signal.signal(number, handler)


def test_an_interrupt_reaches_the_main_greenlet_in_the_loops_turn_and_no_user() -> None:
    signal.signal(signal.SIGINT, signal.default_int_handler)
    interrupt.hear_interrupts()
    lived = []

    def user() -> None:
        os.kill(os.getpid(), signal.SIGINT)
        lived.append("after the signal")

    asking = gevent.spawn(user)
    with pytest.raises(KeyboardInterrupt):
        gevent.sleep(10)
    assert lived == ["after the signal"]
    assert asking.successful()
    assert len(interrupt.heard_s) == 1


def test_where_it_is_ignored_it_stays_so() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    interrupt.hear_interrupts()
    assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN


def test_who_asks_again_after_a_second_without_a_turn_is_heard_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    signal.signal(signal.SIGINT, signal.default_int_handler)
    interrupt.hear_interrupts()
    monkeypatch.setattr(interrupt, "STUCK_S", -1.0)

    def stuck() -> str:
        os.kill(os.getpid(), signal.SIGINT)
        try:
            os.kill(os.getpid(), signal.SIGINT)
        except KeyboardInterrupt:
            return "broken off"
        return "went on"

    assert stuck() == "broken off"
    with pytest.raises(KeyboardInterrupt):  # the first one still comes
        gevent.sleep(10)


PATIENT = """
import os, signal
from tokenswarm.run.interrupt import be_patient
be_patient("the report is being written")
for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
    os.kill(os.getpid(), number)
print("not reached")
"""


def test_two_signals_are_told_to_wait_and_the_third_is_obeyed() -> None:
    done = subprocess.run(
        [sys.executable, "-c", PATIENT], cwd=ROOT, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.stderr == "tokenswarm: the report is being written; a moment\n" * 2
    assert (done.returncode, done.stdout) == (interrupt.INSISTED, "")
