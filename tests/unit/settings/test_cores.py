"""`--processes -1` counts what this process may use, and leaves the server a core where it runs here."""

import os
import socket
from pathlib import Path
from types import SimpleNamespace

import pytest

from tokenswarm.settings import cores
from tokenswarm.settings.cores import choose_processes, here, usable


@pytest.fixture(autouse=True)
def _eight_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(8)), raising=False)


@pytest.mark.parametrize(
    ("host", "environment", "workers"),
    [
        ("http://gpu-box.example:8000/v1", {}, 8),
        ("http://127.0.0.1:8000", {}, 7),
        ("localhost", {}, 7),
        ("http://[::1]:8000", {}, 7),
        (None, {}, 7),  # Ollama's own default
        (None, {"OLLAMA_HOST": "192.0.2.7"}, 8),
        ("ftp://nonsense", {}, 8),
    ],
)
def test_a_worker_a_core_less_the_servers_own(
    host: str | None, environment: dict[str, str], workers: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cores, "usable", lambda: 8)
    options = SimpleNamespace(processes=-1, host=host, worker=False)
    choose_processes(options, environment)
    assert options.processes == workers


def test_one_core_is_one_worker(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(cores, "usable", lambda: 1)
    options = SimpleNamespace(processes=-1, host=None, worker=False)
    choose_processes(options, {})
    assert options.processes == 1
    assert capsys.readouterr().err == "tokenswarm: 1 worker: 1 core\n"


def test_a_number_that_was_given_stays() -> None:
    for given in (None, 0, 3):
        options = SimpleNamespace(processes=given, host=None, worker=False)
        choose_processes(options, {})
        assert options.processes == given


@pytest.mark.parametrize(
    ("limit", "expected"), [("max 100000", 8), ("300000 100000", 3), ("150000 100000", 1), ("50000 100000", 1), ("", 8)]
)
def test_a_containers_limit_counts(limit: str, expected: int, tmp_path: Path) -> None:
    (tmp_path / "cpu.max").write_text(limit)
    assert usable(tmp_path / "cpu.max") == expected
    assert usable(tmp_path / "none") == 8


def test_this_machine_by_any_of_its_names() -> None:
    assert here("127.0.0.1")
    assert here("localhost")
    assert here(socket.gethostname())
    assert not here("192.0.2.7")
    assert not here("gpu-box.example")
