"""The table of stages: rates are those while a stage lasted, however long its requests are."""

from dataclasses import replace
from pathlib import Path

import pytest
from golden.make import MS, RUN, ZERO_NS, folder, identity, ollama

from metrics.record import Record
from reports.load import load
from reports.summary import summarise

STAGES = [
    {"text": text, "from_users": users, "users": users, "span_s": 4} for text, users in (("1x4s", 1), ("2x4s", 2))
]


def asked(number: int, at_ms: int, stage: int) -> Record:
    """One of 89 tokens in 1.005 s, or until the run's end at 8.6 s."""
    record = ollama(number, at_ms=at_ms, tokens=89, identity=replace(identity(number), stage=stage))
    if at_ms + 1005 <= 8600:
        return record
    return replace(
        record, outcome="cancelled", ended_ns=ZERO_NS + 8600 * MS, usage=ollama(0).usage._replace(output_tokens=None)
    )


def test_what_reaches_beyond_a_stage_or_is_cut_makes_its_rates_no_lower(tmp_path: Path) -> None:
    first = [(at_ms, 1 if at_ms < 4500 else 2) for at_ms in range(0, 8600, 1005)]
    second = [(at_ms, 2) for at_ms in range(4500, 8600, 1005)]
    rows = [asked(number, *one) for number, one in enumerate(first + second)]
    assert sum(row.outcome == "cancelled" for row in rows) == 2
    one, two = summarise(load(folder(tmp_path, rows, {**RUN, "stages": STAGES})))["stages"]
    assert (one["ok"], two["ok"]) == (5, 7)
    for stage, users in ((one, 1), (two, 2)):
        assert stage["ok_per_s"] == pytest.approx(users / 1.005)
        assert stage["output_tokens_per_s"] == pytest.approx(users * 89 / 1.005)
