"""Random and mutated inputs through all that reads what others wrote; `tests/hostile/fuzz.py` tries a million."""

import subprocess
import sys
from pathlib import Path

FUZZ = Path(__file__).parents[1] / "hostile" / "fuzz.py"


def test_some_thousand_inputs_do_no_more_than_they_may() -> None:
    """The same ones each time; `make test-fuzz` takes others."""
    command = [sys.executable, str(FUZZ), "--inputs", "6000", "--seed", "1", "--slow", "5"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "6,000 inputs in " in done.stdout
