"""Reading requests.csv a block at a time: whatever the blocks, the rows are the same, and so are all figures."""

import json
import os
import signal
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from compared_runs import VALID
from compared_runs import records as of_a_loop
from compared_runs import run as a_loop
from golden.make import MS, RUN, failed, folder, golden_records, ollama
from hypothesis import given
from hypothesis import strategies as st

from tokenswarm.folder import damage
from tokenswarm.metrics.checks.case import CheckResults
from tokenswarm.metrics.histogram import bucket, decode, encode, merge, middle_ms
from tokenswarm.metrics.record import Identity, Kept, Record
from tokenswarm.reports import growing, progress, reading
from tokenswarm.reports.__main__ import main
from tokenswarm.reports.errors import ReportError
from tokenswarm.reports.gaps import decode_each, items, sums_ms
from tokenswarm.reports.load import load
from tokenswarm.reports.summary import summarise

Histograms = st.lists(st.dictionaries(st.integers(0, 2500), st.integers(1, 10**6), min_size=1, max_size=8) | st.none())


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Several models, all kinds of trouble, duplicates, a row of another month, quotes and line ends in texts; sessions
    with tool rounds, answers that are checked, kept, and not always the same."""
    records = [*golden_records(), *of_a_loop(3, n=300), *in_sessions()]
    made: list[Record] = [*records, records[5], records[70], ollama(9_000, at_ms=3 * 10**9)]
    made.append(failed(9_001, "timeout", 'no "byte", for 30 s'))
    return folder(tmp_path_factory.mktemp("run"), made, {**RUN, **VALID, "run": "r"})


def in_sessions() -> list[Record]:
    """Forty sessions of up to four turns on two workers: each second one calls a tool, each eighth is broken off."""
    made = []
    for number in range(160):
        session, turn = number // 4, number % 4
        who = Identity(
            *(session % 2, 5_000 + number, "U", "/api/chat", f"m{session % 3}", f"p{turn}", 64),
            session=5_000 + 4 * session,
            turn=turn + 1,
            turn_kind="tool" if turn == 2 and session % 2 else "user",
            turns_left=3 - turn,
        )
        wrong = number % 7 == 0
        judged = CheckResults(
            {"repetition": int(wrong), "json_invalid": 0},
            f"repetition: {number}" if wrong else "",
            text_digest=f"{turn + (number % 5 == 0):016x}",
            request_digest=f"{session // 4 * 4 + turn:016x}",
        )
        one = ollama(number, at_ms=90 * number, tokens=5 + number % 9, identity=who, judged=judged)
        broken = turn == 3 and not session % 8
        made.append(replace(one, outcome="timeout" if broken else "ok", kept=Kept("Hi", f"=它 is {number}\n.", "")))
    return made[::-1]


@pytest.mark.parametrize("size", [1_500, 9_000, 40_000])
def test_in_blocks_of_whatever_size_all_figures_are_those_of_the_whole(
    run: Path, monkeypatch: pytest.MonkeyPatch, size: int
) -> None:
    whole = load(run)
    monkeypatch.setattr(damage, "BLOCK_BYTES", size)
    parts = load(run)
    pd.testing.assert_frame_equal(parts.frame.frame(), whole.frame.frame())
    assert summarise(parts) == summarise(whole)


def test_in_two_processes_too(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = load(run)
    monkeypatch.setattr(damage, "BLOCK_BYTES", 9_000)
    monkeypatch.setattr(reading, "LARGE_BYTES", 0)
    parts = load(run)
    pd.testing.assert_frame_equal(parts.frame.frame(), whole.frame.frame())
    assert (parts.notices, parts.gaps.pool()) == (whole.notices, whole.gaps.pool())


def test_of_seven_rows_at_a_time_all_figures_are_those_of_the_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    few = folder(tmp_path, [*golden_records(), *in_sessions()[:80]])
    whole = summarise(load(few))
    keep_in_files(monkeypatch, 7)
    monkeypatch.setattr(reading, "LARGE_BYTES", 1 << 30)
    assert summarise(load(few)) == whole


def test_a_report_of_columns_in_files_is_the_same_to_the_last_letter(
    run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = ("summary.json", "report.html")
    assert main([str(run), "--quiet"]) == 0
    whole = [(run / name).read_bytes() for name in names]
    keep_in_files(monkeypatch, 64)
    assert main([str(run), "--quiet"]) == 0
    assert [(run / name).read_bytes() for name in names] == whole
    found = json.loads(whole[0])
    assert found["turns"]["sessions"]["broken"]
    assert found["checks"]["reproducible"]["failed"]
    assert any(example["text"] for one in found["checks"]["found"] for example in one["examples"])


def test_a_comparison_and_another_tools_table_are_the_same_too(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    other = a_loop(tmp_path / "b", 2, slower=0.1)
    asked = (["compare", str(run), str(other), "--out", str(tmp_path)], [str(run), "--as", "vllm"])

    def said() -> tuple[str, ...]:
        assert [main(arguments) for arguments in asked] == [3, 0]
        return capsys.readouterr().out, *(path.read_text() for path in tmp_path.glob("compare-with-*"))

    whole = said()
    keep_in_files(monkeypatch, 64)
    monkeypatch.setattr(reading, "LARGE_BYTES", 1 << 30)
    assert said() == whole


def keep_in_files(monkeypatch: pytest.MonkeyPatch, piece: int) -> None:
    for each, name, value in (
        (damage, "BLOCK_BYTES", 9_000),
        (reading, "LARGE_BYTES", 0),
        (growing, "MOST_IN_MEMORY", piece + 36),
        (growing, "PIECE", piece),
    ):
        monkeypatch.setattr(each, name, value)


def test_a_reading_process_that_is_killed_is_one_line(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "LARGE_BYTES", 0)
    monkeypatch.setattr(reading, "_block", _killed)
    with pytest.raises(ReportError, match="was killed"):
        load(run)


def _killed(*_: Any) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


@given(Histograms)
def test_gaps_are_those_of_the_texts(histograms: list[dict[int, int] | None]) -> None:
    column = pd.Series([None if one is None else encode(one) for one in histograms], dtype="str")
    found = items(column)
    assert found is not None
    rows, buckets, counts = (part.tolist() for part in found)
    assert list(zip(rows, buckets, counts, strict=True)) == [
        (row, *item) for row, one in enumerate(histograms) for item in sorted((one or {}).items())
    ]
    assert [part.tolist() for part in decode_each(column)] == [rows, buckets, counts]
    sums = [None if one is None else sum(middle_ms(at) * n for at, n in sorted(one.items())) for one in histograms]
    assert np.array_equal(sums_ms(found, len(histograms)), np.array(sums, dtype=float), equal_nan=True)


@pytest.mark.parametrize("text", ["11 12:x", "1:2:3", "12:", ":3", "12345", "7:1234567890123", "12\t13", "１２"])
def test_what_is_no_plain_histogram_is_looked_at_text_by_text(text: str) -> None:
    assert items(pd.Series(["11", text], dtype="str")) is None


def test_a_broken_histogram_is_an_error() -> None:
    with pytest.raises(ReportError, match="'11 12:x'"):
        decode_each(pd.Series(["11 12:x"], dtype="str"))


def test_gaps_of_rows_that_are_left_out_are_in_no_figure(tmp_path: Path) -> None:
    slow = {"gaps": {bucket(900 * MS): 10}}
    records = [ollama(0), ollama(0, **slow), ollama(1), ollama(2, at_ms=-3 * 10**9, **slow)]
    run = load(folder(tmp_path, records))
    assert summarise(run)["overall"]["metrics"]["itl_ms"]["n"] == 20
    assert run.gaps.pool() == merge([decode(encode({bucket(10 * MS): 20}))])


def test_counts_and_texts_are_as_in_the_file(tmp_path: Path) -> None:
    models = ["null", "", "'quoted", "通义千问"]
    prompts = ["007", "1e5", "1.10"]
    made: list[Any] = [1, 127, 128, 2**31, None, 10**15]
    who = [Identity(0, n, "U", "/api/chat", models[n % 4], prompts[n % 3], most) for n, most in enumerate(made)]
    records = [ollama(n, identity=one) for n, one in enumerate(who)]
    frame = load(folder(tmp_path, records)).frame
    assert frame["model"].tolist() == [models[n % 4] for n in range(len(made))]
    assert frame["prompt_id"].tolist() == [prompts[n % 3] for n in range(len(made))]
    assert [None if value is pd.NA else value for value in frame["max_tokens"].tolist()] == made


def test_who_waits_is_told_so(run: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    main([str(run)])
    assert "reading" not in capsys.readouterr().err
    monkeypatch.setattr(progress, "FIRST_S", 0.0)
    main([str(run), "--quiet"])
    assert "tokenswarm: reading requests.csv: " in capsys.readouterr().err
