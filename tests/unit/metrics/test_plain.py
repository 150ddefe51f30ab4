"""A CSV's texts: no spreadsheet takes one for a formula, and each comes back as it was."""

import csv
import io
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from identities import WHO

from tokenswarm.folder.lines import line
from tokenswarm.folder.row import COLUMNS, row
from tokenswarm.folder.run_folder import RunFolder
from tokenswarm.metrics.record import Record
from tokenswarm.metrics.text import cell, plain, text
from tokenswarm.reports.load import load

FORMULAS = ('=cmd|\' /C calc\'!A0', "+1+1", "-2+3", "@SUM(1)", "\t=1", "＝1")  # fmt: skip


@given(st.one_of(st.text(), st.text("'=+-@\tab", max_size=6)))
def test_a_cell_is_no_formula_and_gives_its_text_back(said: str) -> None:
    assert text(cell(said)) == said
    assert cell(said)[:1] not in set("=+-@\t＝＋－＠")


@pytest.mark.parametrize("formula", FORMULAS)
def test_a_row_holds_texts_that_way_and_numbers_as_they_are(formula: str, tmp_path: Path) -> None:
    identity = replace(WHO, model=formula, prompt_id=formula)
    record = Record(
        identity, "server_error", error=formula, sent_ns=2_000_000, ended_ns=3_000_000, scheduled_ns=2_500_000
    )
    folder = RunFolder(tmp_path / "run")
    folder.append(line(row(record)), 1)
    folder.close()
    (kept,) = csv.DictReader(io.StringIO((tmp_path / "run" / "requests.csv").read_text()))
    assert kept["error"] == kept["model"] == kept["prompt_id"] == cell(plain(formula))
    assert kept["lateness_ms"] == "-0.5"
    assert list(kept) == list(COLUMNS)
    frame = load(tmp_path / "run").frame
    assert list(frame["error"]) == list(frame["model"]) == list(frame["prompt_id"]) == [plain(formula)]
