"""Processes that are forked from one with its imports done (tests/support/preloaded.py) end as others do."""

import subprocess
import time
from collections.abc import Iterator

import psutil
import pytest
from forked import forked
from relay import LOST
from simulator_process import LISTENS, ROOT, command

PATIENCE_S = 30
Started = tuple[subprocess.Popen[str], psutil.Process, psutil.Process]


@pytest.fixture
def started() -> Iterator[Started]:
    """What a test has in hand of a forked simulator, who forked it, and the simulator itself."""
    full = forked(command("--load-ms", "0"))  # by now the process that forks is there
    before = set(psutil.Process().children(recursive=True))
    asked = subprocess.Popen(full, cwd=ROOT, text=True, stdout=subprocess.PIPE)
    assert asked.stdout is not None
    assert asked.stdout.readline().startswith(LISTENS)
    begun = set(psutil.Process().children(recursive=True)) - before
    (supervisor,) = (process for process in begun if process.children())
    (simulator,) = supervisor.children()
    with asked:
        yield asked, supervisor, simulator
        asked.kill()
        if simulator.is_running():
            simulator.kill()


def test_without_its_supervisor_it_is_killed_and_has_not_ended_well(started: Started) -> None:
    asked, supervisor, simulator = started
    supervisor.kill()
    assert asked.wait(PATIENCE_S) == LOST
    psutil.wait_procs([simulator], PATIENCE_S)
    assert not simulator.is_running() or simulator.status() == psutil.STATUS_ZOMBIE  # where nobody reaps orphans


def test_a_signal_that_comes_while_it_is_stopped_ends_it_when_it_goes_on(started: Started) -> None:
    asked, _, simulator = started
    simulator.suspend()
    while simulator.status() != psutil.STATUS_STOPPED:
        time.sleep(0.01)
    asked.terminate()
    simulator.resume()
    assert asked.wait(PATIENCE_S) == 0
