"""Public prompt files, traces and recordings that lie beside the checkout."""

import os
from pathlib import Path

import pytest

DATA = Path(__file__).parents[3] / "shared"


def beside(name: str) -> Path:
    """A file or folder of them; a test that wants one which is not there is skipped, and fails in CI."""
    path = DATA / name
    if not path.exists():
        assert os.environ.get("CI") != "true", f"{path} is not here"
        pytest.skip(f"{path} is not here")
    return path
