"""A damaged run folder: what is lost is counted and named, takes no neighbour with it, and makes no run VALID."""

import json
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from golden.make import RUN, ZERO_NS, failed, folder, ollama
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tokenswarm.folder import damage
from tokenswarm.folder.damage import batches, cells, problem
from tokenswarm.folder.row import COLUMNS
from tokenswarm.metrics.record import Kept
from tokenswarm.reports.__main__ import main
from tokenswarm.reports.errors import ReportError
from tokenswarm.reports.load import Run, load
from tokenswarm.reports.summary import summarise

N = 100
VALID = {**RUN, "validity": {"verdict": "VALID", "findings": []}, "workers": [{"worker": 0, "loop_lag_ms_p99": 0.4}]}
Damage = Callable[[list[bytes]], list[bytes]]


def healthy(path: Path, **run: Any) -> Path:
    """A hundred requests that were judged VALID, one of them with a text that needs quotes."""
    records = [ollama(n, at_ms=100 * n) for n in range(N - 1)]
    records.append(failed(N - 1, "http_error", 'model "x", not found\nsee the log', 9000))
    return folder(path, records, {**VALID, **run})


def damaged(path: Path, damage: Damage, **run: Any) -> Path:
    file = healthy(path, **run) / "requests.csv"
    lines = BytesIO(file.read_bytes()).readlines()
    file.write_bytes(b"".join(damage(lines)))
    return path


def cell(row: int, column: str, value: str) -> Damage:
    """Put a value into a cell; the header is row 1."""

    def put(lines: list[bytes]) -> list[bytes]:
        parts = lines[row - 1].split(b",")
        parts[COLUMNS.index(column)] = value.encode()
        return [*lines[: row - 1], b",".join(parts), *lines[row:]]

    return put


def line(row: int, change: Callable[[bytes], bytes]) -> Damage:
    return lambda lines: [*lines[: row - 1], change(lines[row - 1]), *lines[row:]]


CELLS = [
    ("output_tokens", "many", "is no whole number"),
    ("output_tokens", "-5", "is no whole number"),
    ("output_tokens", "9" * 30, "is far too great"),
    ("output_chunks", "1e400", "is no whole number"),
    ("ttft_ms", "12,5", "torn: "),
    ("ttft_ms", "nan", "is no number"),
    ("e2e_ms", "inf", "is no number"),
    ("e2e_ms", "-1.5", "is below 0"),
    ("eval_ms", "1e300", "is far too great"),
    ("tpot_ms", "0x1F", "is no number"),
    ("eval_ms", "１２", "is no number"),
    ("output_tokens", "１２", "is no whole number"),
    ("itl_ms_hist", "１２", "is no histogram of gaps"),
    ("itl_ms_hist", "1617:x 3", "is no histogram of gaps"),
    ("itl_ms_hist", "1617:2:3", "is no histogram of gaps"),
    ("itl_ms_hist", "1617:", "is no histogram of gaps"),
    ("itl_ms_hist", "99999", "is no histogram of gaps"),
    ("sent_unix_ns", "17", "a moment more than 30 days from"),
    ("ended_unix_ns", "1700000000000000000", "it ended before it was sent"),
    ("ended_unix_ns", "9" * 18, "it ended before it was sent"),
    ("worker", "", "nothing there"),
    ("sequence", "", "nothing there"),
    ("sequence", "7.5", "is no whole number"),
    ("outcome", "", "nothing there"),
    ("outcome", "fine", "'fine' is no outcome"),
    ("phase", "unsteady", "'unsteady' is no phase"),
    ("ttft_ms", "9999.5", "the first output came after the end"),
]


@pytest.mark.parametrize(("column", "value", "what"), CELLS)
def test_a_value_that_cannot_be_is_one_line_with_file_row_and_column(
    column: str, value: str, what: str, tmp_path: Path
) -> None:
    run = load(damaged(tmp_path, cell(17, column, value)))
    (note,) = (notice for notice in run.notices if "row 17" in notice)
    where = "" if "torn" in what else f", {column}"
    assert note.startswith(f"requests.csv, row 17{where}: ")
    assert what in note
    assert note.count("\n") == 0
    _judged_without(run, {15})


def _judged_without(run: Run, gone: set[int]) -> None:
    """All the others are there as they were, and the run is not called VALID any more."""
    assert set(run.frame["sequence"]) == set(range(N)) - gone
    summary = summarise(run)
    assert summary["validity"]["verdict"] == "INVALID"
    (finding,) = (found for found in summary["validity"]["findings"] if found["rule"] == "missing rows")
    assert f"{len(gone)} of the {N} rows that the run wrote are not here" in finding["what"]
    assert summary["overall"]["tokens"]["output_tokens_all"] == 11 * (N - 1 - len(gone - {N - 1}))


ROWS: dict[str, tuple[Damage, set[int], str]] = {
    "short": (line(17, lambda text: b",".join(text.split(b",")[:9]) + b"\n"), {15}, "row 17: short: 9 of "),
    "long": (line(17, lambda text: text[:-1] + b",1\n"), {15}, "row 17: torn: "),
    "glued": (line(17, lambda text: text[:40]), {15, 16}, "row 17: torn: "),
    "a quote": (
        line(17, lambda text: text.replace(b",p1,", b',"p1,')),
        {15},
        "row 17: short",
    ),
    "half, in a quote": (line(17, lambda text: text[:30] + b'"' + text[30:50] + b"\n"), {15}, "row 17"),
    "zeros": (line(17, lambda text: b"\0" * len(text[:-1]) + b"\n"), {15}, "row 17: short"),
    "zeros inside": (line(17, lambda text: text.replace(b"sim", b"\0\0\0")), {15}, "row 17: torn: it holds bytes"),
    "no text": (line(17, lambda text: text.replace(b"sim", b"\xff\xfe\x80")), {15}, "row 17: torn: it holds bytes"),
    "nothing": (line(17, lambda text: b"\n"), {15}, "1 of the 100 rows"),
    "cut at the end": (lambda lines: [*lines[:-1], lines[-1][:-9]], {N - 1}, "cut in the middle"),
    "cut in a text": (line(101, lambda text: text[: text.index(b'"') + 9]), {N - 1}, "row 101: cut in the middle"),
    "lost": (lambda lines: [*lines[:17], *lines[30:]], set(range(16, 29)), "13 of the 100 rows"),
}


@pytest.mark.parametrize("name", ROWS)
def test_a_row_that_is_not_whole_is_left_out_and_no_neighbour_with_it(name: str, tmp_path: Path) -> None:
    damage, gone, what = ROWS[name]
    run = load(damaged(tmp_path, damage))
    assert any(what in notice for notice in run.notices), run.notices
    _judged_without(run, gone)


def test_most_of_the_rows_lost_is_no_valid_run_and_its_slo_is_judged_again(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The slow half of a run is gone: the SLO that it had crossed would be met."""
    slos = [{"slo": "ttft_ms p50 < 500", "state": "crossed", "figure": 800.0, "n": 100, "why": ""}]
    options = {"slo": "ttft_ms p50 < 500"}
    path = damaged(tmp_path, lambda lines: lines[:41], slos=slos, options=options)
    assert main([str(path)]) == 0
    said = capsys.readouterr().out
    assert any(line.startswith("INVALID") for line in said.splitlines())
    summary = json.loads((path / "summary.json").read_text())
    (slo,) = summary["slos"]
    assert (slo["state"], slo["figure"], slo["n"]) == ("met", pytest.approx(120, rel=0.01), 40)
    assert "60 of the 100 rows that the run wrote are not here" in (path / "report.md").read_text()
    assert json.loads((path / "run.json").read_text())["validity"]["verdict"] == "VALID"  # it stays as it was written
    assert main([str(path), "--slo", "ttft_ms p50 < 500"]) == 3  # met, by rows that nobody should believe
    assert main([str(path), "--slo", "ttft_ms p50 < 500", "--invalid-ok"]) == 0


def test_an_slo_of_damaged_rows_is_judged_by_the_others(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = damaged(tmp_path, cell(17, "ttft_ms", "soon"))
    assert main([str(path), "--slo", "ttft_ms p50 < 500", "--invalid-ok"]) == 0
    assert "row 17, ttft_ms: 'soon' is no number" in capsys.readouterr().err


def test_more_rows_than_were_written_are_said(tmp_path: Path) -> None:
    run = load(healthy(tmp_path))
    assert run.info["validity"]["verdict"] == "VALID"
    assert not run.notices
    info = json.loads((tmp_path / "run.json").read_text())
    (tmp_path / "run.json").write_text(json.dumps({**info, "rows": 90}))
    run = load(tmp_path)
    assert any("10 rows more than the 90" in notice for notice in run.notices)


def test_many_odd_rows_are_not_all_named(tmp_path: Path) -> None:
    def spoil(lines: list[bytes]) -> list[bytes]:
        for row in range(2, 60):
            lines = cell(row, "ttft_ms", "x")(lines)
        return lines

    run = load(damaged(tmp_path, spoil))
    assert sum("row " in notice and "ttft_ms" in notice for notice in run.notices) == 20
    assert any("38 more rows are left out" in notice for notice in run.notices)
    assert len(run.frame) == N - 58


def test_times_below_0_are_as_they_are_where_the_clock_was_set(tmp_path: Path) -> None:
    """Set back by a second while a request went on."""
    stepped = ollama(1, clock_step_ns=-(10**9), ended_ns=ZERO_NS - 800_000_000, first_output_ns=ZERO_NS - 900_000_000)
    run = load(folder(tmp_path, [ollama(0), stepped], VALID))
    assert len(run.frame) == 2
    assert not run.notices


def test_a_sheet_that_was_saved_with_other_line_ends_is_read(tmp_path: Path) -> None:
    path = healthy(tmp_path) / "requests.csv"
    lines = path.read_bytes().replace(b"\nsee", b" see").replace(b"\n", b"\r\n")
    path.write_bytes(b"\xef\xbb\xbf" + lines)
    run = load(tmp_path)
    assert len(run.frame) == N
    assert not run.notices


@pytest.mark.parametrize("size", [1 << 23, 9_000])
def test_empty_lines_are_no_rows(size: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(damage, "BLOCK_BYTES", size)
    run = load(damaged(tmp_path, lambda lines: [*lines[:9], b"\r\n", b"\n", *lines[9:], b"\n", b"  \n"]))
    assert len(run.frame) == N
    assert not run.notices


def test_a_search_of_which_no_row_is_left_is_reported_on(tmp_path: Path) -> None:
    trial = {"trial": 1, "load": 1.0, "verdict": "met", "from_unix_ns": ZERO_NS, "to_unix_ns": ZERO_NS + 10**9}
    run = load(damaged(tmp_path, lambda lines: lines[:1], capacity={"answer": 1.0, "unit": "users", "trials": [trial]}))
    assert summarise(run)["validity"]["verdict"] == "INVALID"
    assert main([str(tmp_path), "--quiet"]) == 0


def test_kept_texts_with_line_ends_and_quotes_are_rows_too(tmp_path: Path) -> None:
    kept = Kept('a "quoted"\nline,\n\n""', ",\n", '"')
    path = folder(tmp_path, [ollama(n, kept=kept) for n in range(9)], VALID)
    assert len(load(path).frame) == 9
    file = path / "requests.csv"
    file.write_bytes(file.read_bytes().replace(b"line,\n", b'"', 1))
    run = load(path)
    assert len(run.frame) == 8


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    records = [ollama(n, at_ms=100 * n) for n in range(8)]
    records.append(failed(8, "http_error", 'model "x", not found\nsee the log', 900))
    return (folder(tmp_path_factory.mktemp("whole"), records, VALID) / "requests.csv").read_bytes()


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_bytes_changed_anywhere_never_end_in_a_traceback(whole: bytes, tmp_path: Path, data: st.DataObject) -> None:
    """One place changed, cut out or put in, up to three times; the rows that are not touched are all there."""
    changed = whole
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(len(whole.partition(b"\n")[0]) + 1, len(changed)))
        gone = data.draw(st.integers(0, 60))
        new = data.draw(st.one_of(st.binary(max_size=6), st.sampled_from([b",", b'"', b"\n", b"-", b"9" * 25, b"nan"])))
        changed = changed[:at] + new + changed[at + gone :]
    (tmp_path / "run.json").write_text(json.dumps({**VALID, "rows": 9}))
    (tmp_path / "requests.csv").write_bytes(changed)
    try:
        run = load(tmp_path)
    except ReportError:  # its one line: see unit/reports/test_load.py
        return
    summary = summarise(run)
    json.dumps(summary, allow_nan=False)
    untouched = [text for text in BytesIO(whole).readlines()[1:9] if text in changed]
    there = set(run.frame["sequence"])
    assert len(there) >= len(untouched) - 3 * 2
    if len(there) < 9:
        assert summary["validity"]["verdict"] == "INVALID"


@given(st.lists(st.text('ab",\n', max_size=5), min_size=1, max_size=4), st.data())
def test_whole_rows_at_every_cut(texts: list[str], data: st.DataObject) -> None:
    rows = ['x,"' + text.replace('"', '""') + '"\n' for text in texts]
    text = "".join(rows).encode()
    cut = data.draw(st.integers(0, len(text)))
    complete = max(n for n in range(len(rows) + 1) if len("".join(rows[:n])) <= cut)
    found = [line for batch in batches(BytesIO(b"a,b\n" + text[:cut]), 2) for line in batch.lines]
    assert found[:complete] == [row.encode() for row in rows[:complete]]


def test_every_row_that_is_written_is_sound(tmp_path: Path) -> None:
    file = healthy(tmp_path) / "requests.csv"
    with file.open("rb") as opened:
        found = list(batches(opened, len(COLUMNS)))
    assert sum(len(batch.lines) for batch in found) == N
    assert [problem(cells(text, COLUMNS)) for batch in found for text in batch.lines] == [None] * N
    assert found[0].rows == [*range(2, N + 2)]
