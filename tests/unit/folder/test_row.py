"""Rows whose texts others gave: whatever they hold, a reader of CSV finds one row with each cell in its place."""

import csv
import io
from dataclasses import replace
from pathlib import Path

import pandas
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tokenswarm.folder.lines import cells, line, rows
from tokenswarm.folder.row import COLUMNS, MOST_CHARACTERS, NUMBERS, Row, row
from tokenswarm.metrics import text as plain
from tokenswarm.metrics.checks.case import CheckResults
from tokenswarm.metrics.moments import MOMENTS
from tokenswarm.metrics.record import Identity, Kept, Record
from tokenswarm.wire.values import Usage

STRANGE = st.text(st.one_of(st.sampled_from("\r\n\0\",;\x1b\x85\u2028\ud83d=+-@'\t "), st.characters()), max_size=30)
WHO = Identity(0, 1, "User", "/api/chat", "m", "p", 10)


def record(text: str) -> Record:
    who = replace(WHO, user_class=text, endpoint=text, model=text, prompt_id=text)
    checks, kept = CheckResults(notes=text), Kept(text, text, text)
    return Record(who, "ok", error=text, finish_reason=text, judged=checks, kept=kept, streamed=True)


@given(STRANGE)
def test_whatever_a_text_holds_its_row_is_one_row(text: str) -> None:
    data = line(COLUMNS) + line(row(record(text))) + line(row(record("next")))
    for found in (list(cells(data)), list(csv.reader(io.StringIO(data.decode(), newline="")))):
        assert len(found) == 3
        assert all(len(one) == len(COLUMNS) for one in found)
        assert found[2][COLUMNS.index("prompt_id")] == "next"
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


NS = st.integers(0, 2**62)
SOME = st.one_of(st.none(), st.integers(0, 10**9))
RECORDS = st.builds(
    Record,
    st.builds(
        Identity,
        *(st.integers(0, 999), st.integers(0, 10**6), STRANGE, STRANGE, STRANGE, STRANGE, SOME),
        session=SOME,
        turn=SOME,
        stage=SOME,
        arrival=SOME,
        round=SOME,
        batch_size=SOME,
    ),
    st.sampled_from(["ok", "cancelled", "http_error"]),
    streamed=st.booleans(),
    status=SOME,
    error=STRANGE,
    finish_reason=st.one_of(st.none(), STRANGE),
    retry_after_s=st.one_of(st.none(), st.floats(0, 1e9)),
    scheduled_ns=st.one_of(st.none(), NS),
    sent_ns=st.one_of(st.none(), NS),
    ended_ns=NS,
    gaps=st.dictionaries(st.integers(0, 2000), st.integers(1, 10**6), max_size=5),
    moments=st.lists(st.tuples(st.integers(0, 10**6), st.floats(0, 100)), max_size=len(MOMENTS)).map(tuple),
    usage=st.builds(Usage, prompt_tokens=SOME, output_tokens=SOME, load_ns=SOME, eval_ns=SOME, prompt_eval_ns=SOME),
    judged=st.builds(
        CheckResults, st.dictionaries(st.sampled_from(["repetition", "json_invalid"]), st.integers(0, 1)), STRANGE
    ),
    habits=st.sampled_from([(), ("keepalive",), ("a", "b")]),
    kept=st.one_of(st.none(), st.builds(Kept, STRANGE, STRANGE, STRANGE)),
)


@given(RECORDS)
def test_what_is_written_is_what_is_read(record: Record) -> None:
    made = row(record)
    (back,) = map(Row, cells(line(made)))
    for name, value in zip(COLUMNS, made, strict=True):
        meant = (plain.text(value) or None) if isinstance(value, str) else value
        assert back[name] == meant, name
        assert type(back[name]) is type(meant) or NUMBERS[name] in ("rate", "duration"), name


def test_an_older_file_lacks_columns_and_a_cut_row_its_last_cells(tmp_path: Path) -> None:
    path = tmp_path / "requests.csv"
    path.write_text("outcome,worker,ttft_ms,new\nok,3,1.5,x\nok,4", encoding="utf-8")
    first, cut = rows(path)
    assert (first["outcome"], first["worker"], first["ttft_ms"], first["new"]) == ("ok", 3, 1.5, "x")
    assert (first["turn"], cut["worker"], cut["ttft_ms"]) == (None, 4, None)


def test_only_what_is_asked_for_is_decoded() -> None:
    torn = Row(["ok", "many"], ["outcome", "worker"])
    assert torn["outcome"] == "ok"
    with pytest.raises(ValueError, match="many"):
        torn["worker"]
