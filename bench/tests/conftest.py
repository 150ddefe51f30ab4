"""As tests/conftest.py: patches the standard library before any other import, and lets tests import their helpers."""

import sys
from pathlib import Path

from gevent import monkey

monkey.patch_all()
sys.path.insert(0, str(Path(__file__).parents[2] / "tests" / "support"))
