"""Completing a run folder: the rows' union, the same bytes whatever the order; one line for what cannot be merged."""

import json
import resource
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tokenswarm.folder.append import Appended
from tokenswarm.folder.lines import line
from tokenswarm.folder.row import COLUMNS, Cell
from tokenswarm.metrics.validity.workers import findings
from tokenswarm.reports.__main__ import main
from tokenswarm.reports.errors import ReportError
from tokenswarm.reports.merge import merge
from tokenswarm.reports.union import union


def row(worker: int, sequence: int, began: int | None, error: str = "") -> bytes:
    cells: dict[str, Cell] = dict.fromkeys(COLUMNS)
    cells |= {"worker": worker, "sequence": sequence, "sent_unix_ns": began, "outcome": "ok", "error": error}
    cells |= {"ended_unix_ns": (began or 0) + 5, "endpoint": "/api/chat", "model": "m", "phase": "steady"}
    cells |= {"user_class": "U", "streamed": 1, "e2e_ms": 5.0, "max_tokens": 9}
    return line([cells[name] for name in COLUMNS])


ROWS = st.lists(
    st.builds(
        row,
        st.integers(0, 2),
        st.integers(0, 9),
        st.none() | st.integers(1, 5),
        st.text(st.sampled_from('a",\n'), max_size=4),
    ),
    max_size=12,
)


@given(ROWS, st.data())
@settings(max_examples=25)
def test_any_partition_and_order_gives_the_same_bytes(rows: list[bytes], data: st.DataObject) -> None:
    """Also rows that came twice, and files whose last row was cut."""

    def written(files: list[list[bytes]], cut: bytes) -> bytes:
        with TemporaryDirectory() as folder:
            paths = [Path(folder) / str(number) for number in range(len(files))]
            for path, lines in zip(paths, files, strict=True):
                path.write_bytes(b"".join([line(COLUMNS), *lines]) + cut)
            to = Path(folder) / "requests.csv"
            union(paths).write(to)
            return to.read_bytes()

    places = [data.draw(st.sets(st.integers(0, 3), min_size=1)) for _ in rows]
    files = [[text for text, into in zip(rows, places, strict=True) if number in into] for number in range(4)]
    shuffled = [data.draw(st.permutations(lines)) for lines in data.draw(st.permutations(files))]
    torn = data.draw(st.sampled_from([b"", b"0,7", row(0, 99, 1)[:-1], row(0, 99, 1, "\n")[:-20]]))
    whole = written([rows], b"")
    assert written(shuffled, torn) == whole
    assert written([[whole.removeprefix(line(COLUMNS))], *files], torn) == whole


def spool(run_dir: Path, run: str, client: str, worker: int, rows: list[bytes], **more: Any) -> Path:
    path = run_dir / "spool" / run / client
    path.mkdir(parents=True)
    (path / "requests.csv").write_bytes(b"".join([line(COLUMNS), *rows]))
    told = {"run": run, "name": "demo", "options": {}, "target": {}, "preflight_findings": [], **more}
    (path / "worker.json").write_text(json.dumps({"client": client, "run": told, "health": {"worker": worker}}))
    return path


def test_what_spools_hold_makes_a_folder(tmp_path: Path) -> None:
    spool(tmp_path / "a", "r", "a_1", 0, [row(0, n, 10 + n) for n in range(8)])
    spool(tmp_path / "b", "r", "b_1", 1, [row(1, n, 10 + n) for n in (0, 2)])
    spool(tmp_path / "b", "another", "b_2", 1, [row(1, 5, 1)])
    run, _ = merge(tmp_path / "runs" / "r", [tmp_path / "a", tmp_path / "b"])
    assert (run["rows"], run["state"], run["name"]) == (10, "rebuilt", "demo")
    assert [(w["worker"], w["requests"], w["under_way"]) for w in run["workers"]] == [(0, 8, 0), (1, 2, 1)]
    assert (tmp_path / "runs" / "r" / "report.html").exists()


def test_a_worker_that_handed_over_all_before_the_master_was_killed_is_no_lost_one(tmp_path: Path) -> None:
    spool(tmp_path / "a", "r", "a_1", 0, [row(0, 0, 10)])
    (tmp_path / "r").mkdir()
    (tmp_path / "r" / "requests.csv").write_bytes(line(COLUMNS) + row(1, 0, 11))
    joined = [{"what": "joined", "worker": n, "client": c, "at_unix_s": 1.0} for n, c in enumerate(("a_1", "b_1"))]
    whole = {"worker": 1, "client": "b_1", "requests": 1, "made": 1, "ended": True, "clock_ahead_ms": 7.0}
    had = {"format": 1, "run": "r", "state": "running", "options": {}, "attendance": joined, "workers": [whole]}
    (tmp_path / "r" / "run.json").write_text(json.dumps(had))
    run, _ = merge(tmp_path / "r", [tmp_path / "a"])
    assert [(one["client"], one["ended"]) for one in run["workers"]] == [("a_1", False), ("b_1", True)]
    assert run["workers"][1]["clock_ahead_ms"] == 7.0
    assert "workers" not in {found["rule"] for found in run["validity"]["findings"]}


def test_what_is_missing_is_said_and_makes_a_run_invalid() -> None:
    whole = {"worker": 0, "client": "a", "requests": 5, "made": 5, "ended": True}
    assert findings([whole]) == []
    cut = {"worker": 1, "client": "b", "requests": 5, "made": 7, "ended": False}
    assert [(f["rule"], f["level"], f["figure"]) for f in findings([whole, cut])] == [
        ("workers", "invalid", 1),
        ("lost rows", "invalid", 2),
    ]
    had = cut | {"requests": 7, "spool": True, "under_way": 3}
    (found,) = findings([whole, had])
    assert (found["rule"], found["level"]) == ("lost workers", "remark")
    assert "gaps in their numbers 3 or more) there are none: worker 1 (b)" in found["what"]


def test_what_cannot_be_merged_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["merge"]) == main(["merge", str(tmp_path / "no-run")]) == 2
    assert main(["merge", str(tmp_path / "no-run"), str(tmp_path / "nowhere")]) == 2
    said = capsys.readouterr().err.splitlines()
    assert len(said) == 3
    assert "name the workers' --run-dir" in said[1]
    assert "no such folder" in said[2]
    path = spool(tmp_path, "r", "a_1", 0, [])
    (path / "requests.csv").write_text("other,columns\n")
    with pytest.raises(ReportError, match="another version"):
        merge(tmp_path / "r", [])
    (path / "requests.csv").unlink()
    held = Appended(path / "requests.csv", line(COLUMNS))
    with pytest.raises(ReportError, match="still being written"):
        merge(tmp_path / "r", [])
    held.close()
    spool(tmp_path, "r", "b_1", 0, [], started_unix_s=2.5)
    with pytest.raises(ReportError, match="several runs of one name"):
        merge(tmp_path / "r", [])


def test_a_folder_that_was_renamed_and_a_place_without_spools(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    spool(tmp_path / "a", "r", "a_1", 0, [row(0, 0, 10)])
    (tmp_path / "b").mkdir()
    assert main(["merge", str(tmp_path / "r"), str(tmp_path / "a"), str(tmp_path / "b")]) == 0
    (said, _, _) = capsys.readouterr().out.splitlines()
    assert said.startswith(f"{tmp_path / 'b'}: no spool of this run")
    rows = (tmp_path / "r" / "requests.csv").read_bytes()
    (tmp_path / "r").rename(tmp_path / "mine")
    spool(tmp_path / "b", "r", "b_1", 1, [row(1, 0, 11)])
    run, _ = merge(tmp_path / "mine", [tmp_path / "a", tmp_path / "b"])
    assert (run["run"], run["rows"]) == ("r", 2)
    assert (tmp_path / "mine" / "requests.csv").read_bytes() == rows + row(1, 0, 11)


@pytest.mark.parametrize("torn", [b"\0" * 50 + b"\n", b"\xff,1\n", b"0,7\n", b"\n", b"a,b,c\n"])
def test_what_a_disk_made_of_a_row_is_left_out(torn: bytes, tmp_path: Path) -> None:
    (tmp_path / "rows").write_bytes(line(COLUMNS) + row(0, 0, 1) + torn + row(0, 1, 2))
    union([tmp_path / "rows"]).write(tmp_path / "to")
    assert (tmp_path / "to").read_bytes() == line(COLUMNS) + row(0, 0, 1) + row(0, 1, 2)


def test_a_merge_for_which_the_disk_has_no_room_leaves_all_as_it_was(tmp_path: Path) -> None:
    spool(tmp_path / "a", "r", "a_1", 0, [row(0, 0, 10)])
    merge(tmp_path / "r", [tmp_path / "a"])
    before = {path: path.read_bytes() for path in (tmp_path / "r").iterdir()}
    spool(tmp_path / "b", "r", "b_1", 1, [row(1, number, 11) for number in range(2000)])
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (9_000, hard))
    try:
        with pytest.raises(ReportError, match="cannot be written"):
            merge(tmp_path / "r", [tmp_path / "b"])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert {path: path.read_bytes() for path in (tmp_path / "r").iterdir()} == before
