"""Lets tests import the helpers beside them, and gevent patch what Locust wants patched before anything else."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
