"""`make demo` on a server of one's own: what it says where it cannot know which model is meant."""

import subprocess
import sys

from locust_process import ROOT, environment
from simulator_process import running


def demo(*options: str) -> subprocess.CompletedProcess[str]:
    """demo.py without a terminal."""
    full = [sys.executable, "demo.py", *options]
    return subprocess.run(full, cwd=ROOT, env=environment(), capture_output=True, text=True, timeout=180, check=False)


def test_several_models_are_named_with_the_command_to_type() -> None:
    with running("--models", "qwen3:8b,llama3.1:8b") as simulator:
        done = demo("--host", simulator.url)
    assert done.returncode == 1
    assert "llama3.1:8b" in done.stdout
    assert done.stderr == f"demo: which one? make demo HOST={simulator.url} MODEL=qwen3:8b\n"


def test_a_server_that_is_not_there_is_the_runs_own_line() -> None:
    done = demo("--host", "http://127.0.0.1:9", "--seconds", "1")
    assert done.returncode == 2
    assert "no server answers at http://127.0.0.1:9" in done.stderr
