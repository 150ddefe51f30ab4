"""Patches the standard library as Locust does, before any other import, and lets tests import their helpers.

What hypothesis tries is the same each time, and takes what time it needs: `make test-fuzz` tries at random, at length.
A test that would wait for ever fails where it waits (one that never yields: pyproject.toml's faulthandler_timeout).
"""

import signal
import sys
from collections.abc import Iterator
from pathlib import Path

from gevent import Timeout, monkey

monkey.patch_all()
if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:  # in the background; what the tests start would ignore it, too
    signal.signal(signal.SIGINT, signal.default_int_handler)
sys.path.insert(0, str(Path(__file__).parent / "support"))

import pytest  # noqa: E402
from hypothesis import HealthCheck, settings  # noqa: E402

PATIENCE_S = 300  # the slowest takes a minute on a busy machine

settings.register_profile(
    "steady", deadline=None, derandomize=True, max_examples=40, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("steady")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call() -> Iterator[None]:
    with Timeout(PATIENCE_S):
        return (yield)
