"""Patches the standard library as Locust does, before any other import, and lets tests import their helpers.

What hypothesis tries is the same each time, and takes what time it needs: `make test-fuzz` tries at random, at length.
"""

import signal
import sys
from pathlib import Path

from gevent import monkey

monkey.patch_all()
if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:  # in the background; what the tests start would ignore it, too
    signal.signal(signal.SIGINT, signal.default_int_handler)
sys.path.insert(0, str(Path(__file__).parent / "support"))

from hypothesis import HealthCheck, settings  # noqa: E402

settings.register_profile(
    "steady", deadline=None, derandomize=True, max_examples=40, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("steady")
