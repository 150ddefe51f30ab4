"""Reading run folders: what is odd is said, what cannot be read is one line."""

from pathlib import Path

import numpy as np
import pytest
from golden.make import RUN, ZERO_NS, failed, folder, identity, ollama, openai
from hypothesis import given
from hypothesis import strategies as st

from tokenswarm.folder.row import COLUMNS
from tokenswarm.metrics.clock import ClockOffset, ahead_ns
from tokenswarm.reports.__main__ import main
from tokenswarm.reports.load import _ahead_ns, load
from tokenswarm.reports.summary import summarise
from tokenswarm.wire.values import Usage


def test_a_moment_is_never_a_float(tmp_path: Path) -> None:
    run = load(folder(tmp_path, [ollama(0), failed(1, "refused", "no", sent_ns=None, ended_ns=None)]))
    assert str(run.frame["sent_unix_ns"].dtype) == "Int64"
    assert int(run.frame["sent_unix_ns"][0]) == ZERO_NS
    assert run.frame["sent_unix_ns"].isna().tolist() == [False, True]
    assert summarise(run)["window"]["first_sent_unix_ns"] == ZERO_NS


@pytest.mark.parametrize("moment", [1e300, -1e300, 1e18])
def test_a_moment_beyond_all_calendars_is_left_out_and_said(tmp_path: Path, moment: float) -> None:
    path = folder(tmp_path, [ollama(0)], {**RUN, "started_unix_s": moment, "ended_unix_s": moment})
    assert main(["card", str(path)]) == main([str(path), "--quiet"]) == 0
    assert "run.json, started_unix_s" in (path / "report.md").read_text(encoding="utf-8")


def test_columns_that_are_all_absent_warn_of_nothing(tmp_path: Path) -> None:
    """Of two models on a server that gives no durations, and on one that gives no total; a warning is an error here."""
    usage = ollama(0).usage._replace(total_ns=None, load_ns=None, prompt_eval_ns=60_123_457)
    for name, told in (("timings", usage), ("none", Usage(prompt_tokens=9, output_tokens=11, source="usage"))):
        records = [ollama(n, 100 * n, identity=identity(n, model=f"m{n % 2}"), usage=told) for n in range(30)]
        found = summarise(load(folder(tmp_path / name, records)))
        assert sum(found["overall"]["ledger"][0]["parts_mean_ms"].values()) == pytest.approx(225)


def test_rows_that_came_twice_are_one(tmp_path: Path) -> None:
    run = load(folder(tmp_path, [ollama(0), ollama(1), ollama(0)]))
    assert len(run.frame) == 2
    assert any("twice" in notice for notice in run.notices)


def test_names_that_look_absent_are_names(tmp_path: Path) -> None:
    run = load(folder(tmp_path, [ollama(0, outcome="timeout", error="NA"), ollama(1, outcome="timeout", error="null")]))
    assert run.frame["error"].tolist() == ["NA", "null"]


def test_a_cut_last_line_is_left_out(tmp_path: Path) -> None:
    path = folder(tmp_path, [ollama(0), ollama(1), ollama(2)]) / "requests.csv"
    path.write_bytes(path.read_bytes()[:-70])
    run = load(tmp_path)
    assert len(run.frame) == 2
    assert any("cut in the middle" in notice for notice in run.notices)


def test_a_killed_run_is_reported_without_run_json(tmp_path: Path) -> None:
    run = load(folder(tmp_path, [ollama(0)], run=None))
    assert any("no run.json" in notice for notice in run.notices)
    assert summarise(run)["run"]["model"] == "sim:latest"


def test_a_run_that_goes_on_is_said_to(tmp_path: Path) -> None:
    run = load(folder(tmp_path, [ollama(0)], {**RUN, "state": "running", "ended_unix_s": None}))
    assert any("has not ended" in notice for notice in run.notices)


def test_every_key_of_run_json_but_format_may_be_missing(tmp_path: Path) -> None:
    folder(tmp_path, [ollama(0)], {"format": 1})
    assert main([str(tmp_path), "--quiet"]) == 0


def test_a_metric_that_an_older_run_did_not_have_is_absent(tmp_path: Path) -> None:
    path = folder(tmp_path, [openai(0)]) / "requests.csv"
    path.write_text(path.read_text(encoding="utf-8").replace("longest_gap_ms", "gone_ms"), encoding="utf-8")
    run = load(tmp_path)
    assert any("longest_gap_ms" in notice for notice in run.notices)
    assert "longest_gap_ms" not in summarise(run)["overall"]["metrics"]


def _spoil_nothing(path: Path) -> None:
    path.rmdir()


def _spoil_rows(path: Path) -> None:
    (path / "run.json").write_text('{"format": 1}')


def _spoil_empty(path: Path) -> None:
    (path / "requests.csv").write_text("")


def _spoil_columns(path: Path) -> None:
    (path / "requests.csv").write_text("a,b\n1,2\n")


def _spoil_numbers(path: Path) -> None:
    (path / "requests.csv").write_text(",".join(COLUMNS) + "\n" + "x," * (len(COLUMNS) - 1) + "\n")


def _spoil_format(path: Path) -> None:
    folder(path, [], {"format": 7})


def _spoil_json(path: Path) -> None:
    folder(path, [])
    (path / "run.json").write_text("{")


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (_spoil_nothing, "no such folder"),
        (_spoil_rows, "is this the folder of a run"),
        (_spoil_empty, "is empty"),
        (_spoil_columns, "lacks the columns worker, sequence"),
        (_spoil_numbers, "cannot be read"),
        (_spoil_format, "format 7 is unknown"),
        (_spoil_json, "run.json: cannot be read"),
    ],
)
def test_what_cannot_be_read_is_one_line_and_exit_code_2(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], spoil: object, said: str
) -> None:
    path = tmp_path / "run"
    path.mkdir()
    spoil(path)  # type: ignore[operator]
    assert main([str(path)]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert said in err
    assert err.count("\n") == 1
    assert err.startswith("tokenswarm: error: ")


@given(
    st.lists(
        st.tuples(st.integers(0, 10**12), st.integers(-(10**9), 10**9)),
        min_size=1,
        max_size=6,
        unique_by=lambda point: point[0],
    ),
    st.lists(st.integers(-(10**11), 2 * 10**12), max_size=20),
)
def test_many_moments_are_put_onto_the_masters_clock_as_each_one_is(
    points: list[tuple[int, int]], moments: list[int]
) -> None:
    track = sorted(ClockOffset(ZERO_NS + at, ahead) for at, ahead in dict(points).items())
    shown = np.array([*(ZERO_NS + at for at in moments), *(point.worker_ns for point in track)], dtype=np.int64)
    assert _ahead_ns(track, shown).tolist() == [ahead_ns(track, int(ns)) for ns in shown]
