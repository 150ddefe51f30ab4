"""Rows whose texts others gave: whatever they hold, a reader of CSV finds one row with each cell in its place."""

import csv
import io
from dataclasses import replace

import pandas
from hypothesis import given
from hypothesis import strategies as st

from tokenswarm.folder.lines import cells, line
from tokenswarm.folder.row import COLUMNS, MOST_CHARACTERS, row
from tokenswarm.metrics.checks.case import CheckResults
from tokenswarm.metrics.record import Identity, Kept, Record

STRANGE = st.text(st.one_of(st.sampled_from("\r\n\0\",;\x1b\x85\u2028\ud83d=+-@'\t "), st.characters()), max_size=30)
WHO = Identity(0, 1, "User", "/api/chat", "m", "p", 10)


def record(text: str) -> Record:
    who = replace(WHO, user_class=text, endpoint=text, model=text, prompt_id=text)
    checks, kept = CheckResults(notes=text), Kept(text, text, text)
    return Record(who, "ok", error=text, finish_reason=text, judged=checks, kept=kept, streamed=True)


@given(STRANGE)
def test_whatever_a_text_holds_its_row_is_one_row(text: str) -> None:
    data = line(COLUMNS) + line(row(record(text))) + line(row(record("next")))
    for rows in (list(cells(data)), list(csv.reader(io.StringIO(data.decode(), newline="")))):
        assert len(rows) == 3
        assert all(len(one) == len(COLUMNS) for one in rows)
        assert rows[2][COLUMNS.index("prompt_id")] == "next"
    frame = pandas.read_csv(io.BytesIO(data), dtype=str, keep_default_na=False)
    assert list(frame["prompt_id"])[1] == "next"
    assert len(frame) == 2


def test_a_carriage_return_in_a_prompts_id_is_written_out() -> None:
    assert row(record("a\rb"))[COLUMNS.index("prompt_id")] == "a\\rb"
    assert row(record("a\rb"))[COLUMNS.index("output_text")] == "a\nb"


def test_no_name_fills_a_row() -> None:
    made = row(record("x" * 1_000_000))
    assert len(str(made[COLUMNS.index("model")])) == MOST_CHARACTERS
    assert len(str(made[COLUMNS.index("output_text")])) == 1_000_000
