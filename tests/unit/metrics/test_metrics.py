"""METRICS on literals in round numbers; what is not there is absent, not 0."""

import csv
import dataclasses
import io
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from identities import WHO

from tokenswarm.folder.lines import line
from tokenswarm.folder.row import COLUMNS, row
from tokenswarm.folder.run_folder import RunFolder, new_path, run_name
from tokenswarm.metrics import histogram
from tokenswarm.metrics.catalogue import METRICS
from tokenswarm.metrics.record import Record
from tokenswarm.metrics.record_builder import RecordBuilder
from tokenswarm.wire.values import Chunk, Transcript, Usage

MS = 1_000_000


def values(record: Record) -> dict[str, object]:
    return {metric.name: metric.of(record) for metric in METRICS}


STREAM = Record(
    identity=WHO,
    outcome="ok",
    status=200,
    scheduled_ns=980 * MS,
    connect_ns=2 * MS,
    sent_ns=1000 * MS,
    first_byte_ns=1090 * MS,
    first_output_ns=1100 * MS,
    first_answer_ns=1300 * MS,
    last_output_ns=1900 * MS,
    ended_ns=2000 * MS,
    output_chunks=20,
    usage=Usage(10, 41, 2, 950 * MS, 50 * MS, 40 * MS, 800 * MS, "eval_count"),
)


def test_a_stream_in_round_numbers() -> None:
    expected = {
        "lateness_ms": 20,
        "connect_ms": 2,
        "first_byte_ms": 90,
        "ttft_ms": 100,
        "ttfa_ms": 300,
        "tpot_ms": 800 / 40,
        "e2e_ms": 1000,
        "response_ms": 1020,
        "prompt_tokens": 10,
        "output_tokens": 41,
        "tokens_per_chunk": 41 / 20,
        "eval_tokens_per_s": 41 / 0.8,
        "decode_tokens_per_s": 40 / 0.8,
        "prompt_tokens_per_s": 8 / 0.04,
        "output_tokens_per_s": 41 / 0.9,
        "queue_ms": 950 - 50 - 40 - 800,
        "rest_ms": 1000 - 950,
    }
    found = values(STREAM)
    for name, value in expected.items():
        assert found[name] == pytest.approx(value), name
    # Every millisecond is accounted for.
    parts = [float(found[name]) for name in ("queue_ms", "load_ms", "prompt_eval_ms", "eval_ms", "rest_ms")]  # type: ignore[arg-type]
    assert sum(parts) == pytest.approx(1000)


LLAMA = Usage(10, 41, prompt_eval_ns=40 * MS, eval_ns=900 * MS, engine="llama.cpp")


@pytest.mark.parametrize(
    ("changes", "queue_ms", "rest_ms"),
    [
        ({"usage": LLAMA._replace(eval_ns=895 * MS)}, 60, 5),  # first output after 100 ms, the end after 1,000
        ({"usage": LLAMA, "first_output_ns": 1700 * MS}, 60, 0),  # its first tokens were withheld: no wait
        ({"usage": LLAMA._replace(prompt_eval_ns=101 * MS)}, None, -1),  # longer than until the first output
        ({"usage": LLAMA, "streamed": False}, None, 60),
        ({"usage": LLAMA, "first_output_ns": None}, None, 60),  # buffered
        ({"usage": LLAMA._replace(engine="LM Studio")}, None, 60),
    ],
)
def test_the_queue_of_an_engine_that_says_only_prefill_and_decoding(
    changes: dict[str, Any], queue_ms: float | None, rest_ms: float
) -> None:
    found = values(dataclasses.replace(STREAM, **changes))
    assert (found["queue_ms"], found["rest_ms"]) == (queue_ms, pytest.approx(rest_ms))


def test_what_was_not_seen_is_absent() -> None:
    found = values(Record(identity=WHO, outcome="refused", connect_ns=3 * MS, ended_ns=5 * MS))
    absent = {name for name, value in found.items() if value is None}
    assert {"ttft_ms", "e2e_ms", "tpot_ms", "output_tokens", "prompt_tokens", "queue_ms", "load_ms"} <= absent
    assert found["connect_ms"] == 3


@pytest.mark.parametrize(("tokens", "present"), [(0, False), (1, False), (2, True)])
def test_rates_that_need_two_tokens(tokens: int, present: bool) -> None:
    one = Record(
        identity=WHO, outcome="ok", first_output_ns=1, last_output_ns=1001, output_chunks=2,
        usage=Usage(output_tokens=tokens, eval_ns=1000),
    )  # fmt: skip
    found = values(one)
    assert (found["decode_tokens_per_s"] is not None) == present
    assert (found["tpot_ms"] is not None) == present


def test_a_row_has_a_cell_a_column_and_reads_back() -> None:
    file = io.StringIO()
    csv.writer(file).writerows([COLUMNS, row(STREAM)])
    (back,) = csv.DictReader(io.StringIO(file.getvalue()))
    assert (back["worker"], back["sequence"], back["outcome"]) == ("1", "7", "ok")
    assert back["sent_unix_ns"] == str(1000 * MS)
    assert back["error"] == back["cached_tokens"].replace("2", "") == ""
    assert len(set(COLUMNS)) == len(COLUMNS) == len(row(STREAM))


def test_names_end_in_their_units() -> None:
    for metric in METRICS:
        units = (
            "_ms",
            "_tokens",
            "_per_s",
            "_ms_hist",
            "_chunks",
            "_chars",
            "_stamps",
            "_calls",
            "_per_chunk",
            "resends",
            "reads",
            "batch_size",  # texts
            "vectors",
            "dimension",
            "buffered",  # 1 or 0
        )
        assert metric.kind == "check" or metric.name.endswith(units), metric.name
        assert metric.kind in ("duration", "rate", "count", "histogram", "check")
        assert metric.definition


@given(st.lists(st.integers(1, 10**12), min_size=1, max_size=200), st.sampled_from([50, 90, 99]))
def test_a_percentile_of_a_histogram_is_exact_to_one_percent(gaps: list[int], percent: int) -> None:
    counts = histogram.merge([{histogram.bucket(gap): 1} for gap in gaps])
    back = histogram.decode(histogram.encode(counts))
    assert back == counts
    exact = sorted(gaps)[max(1, -(-len(gaps) * percent // 100)) - 1] / 1e6
    found = histogram.percentile_ms(back, percent)
    assert found == pytest.approx(exact, rel=0.0101)


def test_no_gap_is_a_bucket_of_its_own() -> None:
    assert histogram.percentile_ms({histogram.bucket(0): 3}, 50) == 0.0
    assert histogram.percentile_ms({}, 50) is None


# The run folder


def test_rows_are_on_disk_at_once_and_run_json_is_whole(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path / "a")
    folder.append(line(row(STREAM)), 1)
    assert len((tmp_path / "a" / "requests.csv").read_text().splitlines()) == 2
    folder.write_run({"name": "机器学习"})
    assert "机器学习" in (tmp_path / "a" / "run.json").read_text(encoding="utf-8")
    folder.close()


@pytest.mark.parametrize(
    "name",
    ["../x", "a/b", "..", "", "-rf", "机器", "x" * 300, "𠀀" * 300, "a b\nc", "/etc/x", "a\0b", "..\\x", "%2e%2e%2fx"],
)
def test_a_run_is_named_so_that_it_stays_in_its_folder(name: str, tmp_path: Path) -> None:
    path = new_path(str(tmp_path), run_name(name, 0.0))
    assert path.parent == tmp_path
    assert path.name.startswith("19700101T000000Z-")
    path.mkdir()
    assert new_path(str(tmp_path), run_name(name, 0.0)) != path


def test_a_text_of_any_length_is_kept_up_to_a_million_characters() -> None:
    builder = RecordBuilder(streamed=True)
    for _ in range(3):
        builder.add(Chunk(20 * MS, text="y" * 999_999))
    done = Transcript(sent_ns=0, ended_ns=30 * MS)
    record = builder.record(WHO, done, "ok", "", prompt_text="x" * 1_000_000)
    assert record.kept
    assert record.kept.prompt == "x" * 1_000_000
    assert record.kept.output == "y" * 1_000_000 + " … [cut: 2999997 characters in all]"
    assert record.text_chars == 2_999_997
    assert len(line(row(record))) < 2_100_000
