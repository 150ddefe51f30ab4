"""Ctrl-C ends a run from its main greenlet, whatever Python is doing just then."""

import subprocess
import sys

from locust_process import ROOT

SCRIPT = """
import os, signal
import gevent
from tokenswarm.run.interrupt import hear_interrupts

def busy():
    for _ in range(3):
        os.kill(os.getpid(), signal.SIGINT)  # Python would raise it here
        sum(range(10_000))
    gevent.sleep(0.05)
    print("the user goes on", flush=True)

hear_interrupts()
user = gevent.spawn(busy)
try:
    gevent.sleep(10)
except KeyboardInterrupt:
    print("the main greenlet was interrupted", flush=True)
user.join()
"""


def test_it_is_raised_in_the_main_greenlet_only() -> None:
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT], cwd=ROOT, capture_output=True, text=True, timeout=180, check=False
    )
    assert done.stderr == ""
    assert done.stdout.splitlines() == ["the main greenlet was interrupted", "the user goes on"]


def test_what_never_lets_the_loop_have_its_turn_is_ended_by_asking_again() -> None:
    stuck = SCRIPT.replace(
        "sum(range(10_000))", "until = time.monotonic() + 0.6\n        while time.monotonic() < until: pass"
    )
    done = subprocess.run(
        [sys.executable, "-c", "import time\n" + stuck],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )
    assert "busy" in done.stderr  # where it was raised
    assert done.stdout.splitlines() == ["the main greenlet was interrupted"]


def test_where_it_is_ignored_it_stays_so() -> None:
    ignored = "import signal; signal.signal(signal.SIGINT, signal.SIG_IGN)\n" + SCRIPT.replace(
        "sleep(10)", "sleep(0.3)"
    )
    done = subprocess.run(
        [sys.executable, "-c", ignored], cwd=ROOT, capture_output=True, text=True, timeout=180, check=False
    )
    assert (done.stdout, done.stderr) == ("the user goes on\n", "")
