"""What a run folder tells of the machine."""

import platform
import subprocess

import pytest

from tokenswarm.run.recorder import system


def test_the_system_is_told_as_python_tells_it_without_a_process_for_that(monkeypatch: pytest.MonkeyPatch) -> None:
    told = platform.platform()
    monkeypatch.setattr(subprocess, "check_output", lambda *_, **__: pytest.fail("a process was started"))
    assert system() == told
