"""Random and mutated inputs through all that reads what others wrote; `tests/hostile/fuzz.py` tries a million."""

import random
import subprocess
import sys
from pathlib import Path

FUZZ = Path(__file__).parents[1] / "hostile" / "fuzz.py"


def test_some_thousand_inputs_do_no_more_than_they_may() -> None:
    """With a new seed each time: one that finds something names it, and the input by its number."""
    seed = str(random.SystemRandom().randrange(10**6))
    command = [sys.executable, str(FUZZ), "--inputs", "6000", "--seed", seed, "--slow", "5"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "6,000 inputs in " in done.stdout
