"""A run whose disk stays full ends with all its rows, where another disk has room for them."""

import tempfile
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from fake_cluster import FakeCluster

from tokenswarm.folder.run_folder import RunFolder
from tokenswarm.run import folder_watch


@pytest.mark.parametrize("is_room", [True, False])
def test_a_folder_whose_disk_stays_full_moves_if_there_is_room(
    is_room: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    full, other = tmp_path / "full" / "r", tmp_path / "other"
    if is_room:
        other.mkdir()
    else:
        other.write_text("a file, where a folder should be made")
    monkeypatch.setattr(folder_watch, "LOOK_S", 0)
    monkeypatch.setattr(tempfile, "tempdir", str(other))
    folder, cluster = RunFolder(full), FakeCluster()
    (full / "server.csv").write_text("looks\n")
    folder.append(b"first\n", 1)
    publisher: Any = SimpleNamespace(sink=folder.append, stuck_s=11.0)
    environment = SimpleNamespace(process_exit_code=None)
    folder_watch.watch(environment, cluster, folder, publisher)
    publisher.sink(b"second\n", 1)
    folder.write_run({"state": "complete"})
    folder.close()
    path = next(other.glob("tokenswarm-*")) / "r" if is_room else full
    assert folder.path == path
    assert (path / "requests.csv").read_bytes().endswith(b"\nfirst\nsecond\n")
    assert (path / "run.json").is_file()
    assert (path / "server.csv").read_text() == "looks\n"
    assert not path.parent.stat().st_mode & 0o077 or not is_room  # what others said to a model is nobody else's
    assert environment.process_exit_code == 2
    said = capsys.readouterr().err
    assert "no row could be written to the run folder for 11 s" in said
    assert said.endswith("; ending the run\n")
    assert (str(path) in said) == is_room
