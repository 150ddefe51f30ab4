"""Rows on their way: each on the worker's disk at once, each in the run folder once, whatever is lost or cut."""

import os
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tokenswarm.folder.append import Appended
from tokenswarm.folder.lines import cells, line, records
from tokenswarm.folder.row import COLUMNS
from tokenswarm.folder.spool import Inbox, Outbox, spool_path

TEXTS = st.lists(st.text(st.sampled_from('a",\n é'), max_size=6), min_size=2, max_size=2)


@given(st.lists(TEXTS, max_size=8), st.data())
def test_a_row_that_was_cut_is_left_out_at_every_cut(texts: list[list[str]], data: st.DataObject) -> None:
    lines = [line(row) for row in texts]
    whole = b"".join(lines)
    cut = data.draw(st.integers(0, len(whole)))
    kept = list(records(whole[:cut].splitlines(keepends=True)))
    assert kept == lines[: len(kept)]
    assert sum(map(len, kept)) <= cut < sum(map(len, lines[: len(kept) + 1])) + (len(kept) == len(lines))
    assert list(cells(b"".join(kept))) == texts[: len(kept)]


@given(st.lists(st.sampled_from(["lost", "answer lost", "through", "through"]), max_size=30), st.booleans())
def test_every_row_arrives_exactly_once_whatever_is_lost(fates: list[str], disk: bool) -> None:
    with TemporaryDirectory() as folder:
        _through(Outbox(Path(folder) / "spool" if disk else None), fates)


def _through(outbox: Outbox, fates: list[str]) -> None:
    inbox, arrived, made = Inbox(), b"", b""
    for number, fate in enumerate([*fates, *["through"] * 3]):
        row = line([number, 'two\nlines, "quoted"'])
        made += row
        outbox.add(row)
        first, count, rows = outbox.take()
        if fate == "lost":
            continue
        new, new_rows = inbox.new("w", first, count, rows)
        arrived += new_rows
        inbox.had("w", new)
        if fate == "through":
            outbox.acknowledge(inbox.have("w"), first)
    for _ in range(2):
        first, count, rows = outbox.take()
        new, new_rows = inbox.new("w", first, count, rows)
        arrived += new_rows
        inbox.had("w", new)
        outbox.acknowledge(inbox.have("w"), first)
    assert arrived == made
    assert outbox.acknowledged == outbox.made == len(fates) + 3


def test_of_rows_that_came_before_only_the_rest_is_new() -> None:
    inbox, rows = Inbox(), [line([number]) for number in range(4)]
    assert inbox.new("w", 2, 1, rows[2]) == (0, b"")
    assert inbox.new("w", 0, 2, b"".join(rows[:2])) == (2, b"".join(rows[:2]))
    inbox.had("w", 2)
    assert inbox.new("w", 1, 3, b"".join(rows[1:])) == (2, b"".join(rows[2:]))
    assert inbox.new("w", 0, 2, b"".join(rows[:2])) == (0, b"")
    assert inbox.new("another", 0, 1, rows[0]) == (1, rows[0])


def test_a_row_is_in_the_spool_before_anything_else_happens_and_goes_when_all_is_kept(tmp_path: Path) -> None:
    outbox = Outbox(spool_path(str(tmp_path), "run", "w_1"))
    outbox.note({"client": "w_1"})
    outbox.add(b"1\n")
    spool = tmp_path / "spool" / "run" / "w_1"
    assert (spool / "requests.csv").read_bytes() == line(COLUMNS) + b"1\n"
    assert outbox.take() == (0, 1, b"1\n")
    assert outbox.take() == (1, 0, b"")
    outbox.acknowledge(1, 0)
    assert (spool / "requests.csv").read_bytes() == line(COLUMNS) + b"1\n"  # until all of them are kept
    outbox.remove()
    assert list(tmp_path.iterdir()) == []


def test_a_disk_that_is_full_loses_no_row(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    outbox = Outbox(tmp_path / "spool")
    outbox.add(b"1\n")
    write = os.write

    def full(fd: int, data: bytes) -> int:
        if len(data) < 3:
            raise OSError(28, "No space left on device")
        return write(fd, data[:2])

    monkeypatch.setattr(os, "write", full)
    outbox.add(b"2,of which a part still fits\n")
    outbox.add(b"3\n")
    monkeypatch.undo()
    assert "No space" in outbox.broken
    assert (tmp_path / "spool" / "requests.csv").read_bytes() == line(COLUMNS) + b"1\n"
    assert outbox.take() == (0, 3, b"1\n2,of which a part still fits\n3\n")
    outbox.acknowledge(2, 0)
    outbox.acknowledge(2, 5)  # a message got lost: the rest again
    assert outbox.take() == (2, 1, b"3\n")


def test_no_more_is_on_its_way_than_the_master_can_take_in_at_once() -> None:
    outbox, row = Outbox(), b"x" * 999_999 + b"\n"
    for _ in range(20):
        outbox.add(row)
    sent = [outbox.take()[1] for _ in range(10)]
    assert sent == [2, 2, 2, 2, 0, 0, 0, 0, 0, 0]
    outbox.acknowledge(4, 2)
    assert outbox.take()[:2] == (8, 2)
    huge = Outbox()
    huge.add(b"x" * 20_000_000)
    assert huge.take()[1] == 1


@pytest.mark.parametrize("run", ["../x", "a/b", "..", ".", "", "/etc"])
def test_a_run_cannot_name_another_folder(run: str) -> None:
    with pytest.raises(OSError, match="name of a folder"):
        spool_path("runs", run, "w")


def test_a_file_is_never_written_over(tmp_path: Path) -> None:
    Appended(tmp_path / "a", b"x").close()
    with pytest.raises(FileExistsError):
        Appended(tmp_path / "a", b"y")
