"""The table of stages: rates are those while a stage lasted, however long its requests are."""

from dataclasses import replace
from pathlib import Path

import pytest
from golden.make import MS, RUN, ZERO_NS, folder, identity, ollama

from tokenswarm.metrics.histogram import bucket
from tokenswarm.metrics.record import Record
from tokenswarm.reports.load import load
from tokenswarm.reports.summary import summarise
from tokenswarm.wire.values import Usage

STAGES = [
    {"text": text, "from_users": users, "users": users, "span_s": 4} for text, users in (("1x4s", 1), ("2x4s", 2))
]


STOPPED_MS = 8600


def asked(number: int, at_ms: int, stage: int) -> Record:
    """One of 89 tokens, 10 ms apart, after a wait of 120 ms: its end after 1.005 s, or at the run's end."""
    record = ollama(number, at_ms=at_ms, tokens=89, identity=replace(identity(number), stage=stage))
    if at_ms + 1005 <= STOPPED_MS:
        return record
    chunks = sum(ms <= STOPPED_MS for ms in moments(at_ms))
    return replace(
        record,
        outcome="cancelled",
        phase="drain",
        ended_ns=ZERO_NS + STOPPED_MS * MS,
        output_chunks=chunks,
        gaps={bucket(10 * MS): chunks - 1},
        usage=Usage(),
    )


def moments(at_ms: int) -> range:
    """When the server sent each token of a request, ms."""
    return range(at_ms + 120, at_ms + 120 + 89 * 10, 10)


def test_what_reaches_beyond_a_stage_or_is_cut_makes_its_rates_no_lower(tmp_path: Path) -> None:
    first = [(at_ms, 1 if at_ms < 4500 else 2) for at_ms in range(0, STOPPED_MS, 1005)]
    second = [(at_ms, 2) for at_ms in range(4500, STOPPED_MS, 1005)]
    rows = [asked(number, *one) for number, one in enumerate(first + second)]
    assert sum(row.outcome == "cancelled" for row in rows) == 2
    one, two = summarise(load(folder(tmp_path, rows, {**RUN, "stages": STAGES})))["stages"]
    assert (one["ok"], two["ok"]) == (5, 7)
    sent = [ms for at_ms, _ in first + second for ms in moments(at_ms)]
    for stage, users, (since_ms, until_ms) in ((one, 1, (0, 4500)), (two, 2, (4500, STOPPED_MS))):
        assert (stage["from_unix_ns"], stage["to_unix_ns"]) == (ZERO_NS + since_ms * MS, ZERO_NS + until_ms * MS)
        truth = sum(since_ms <= ms < until_ms for ms in sent)
        cut = 2 * users  # requests at the window's edges: of each up to a token is here or there
        assert stage["output_tokens_per_s"] * (until_ms - since_ms) / 1e3 == pytest.approx(truth, abs=cut)
        assert stage["ok_per_s"] == pytest.approx(users / 1.005, rel=0.03)


def test_a_queue_that_grows_makes_no_tokens(tmp_path: Path) -> None:
    """Two slots, ten users: what the others wait for in a stage is made in the next one."""
    rows = [ollama(0, at_ms=0, tokens=400, identity=replace(identity(0), stage=1))]
    for number in range(1, 9):  # sent in the first stage, answered in the second
        waited = ollama(number, at_ms=100, tokens=100, identity=replace(identity(number), stage=1))
        moments = ("first_byte_ns", "first_output_ns", "first_answer_ns", "last_output_ns", "ended_ns")
        rows.append(replace(waited, **{name: getattr(waited, name) + 4000 * MS for name in moments}))
    rows.append(ollama(9, at_ms=4100, tokens=100, identity=replace(identity(9), stage=2)))
    run = {**RUN, "stages": [STAGES[0], {**STAGES[1], "began_unix_s": (ZERO_NS + 4000 * MS) / 1e9}]}
    one, two = summarise(load(folder(tmp_path, rows, run)))["stages"]
    assert one["output_tokens_per_s"] * 4 == pytest.approx(388, abs=2)  # one each 10 ms from 120 ms on
    assert two["output_tokens_per_s"] > 100


def test_a_stage_says_where_its_figures_may_lie(tmp_path: Path) -> None:
    """Steady to the millisecond, 40 tokens of 100 requests: the rate is sure, a p95 has no upper end with so few."""
    rows = [ollama(n, at_ms=515 * n, tokens=40, identity=replace(identity(n), stage=1)) for n in range(100)]
    run = {**RUN, "stages": [{**STAGES[0], "span_s": 51}]}
    (stage,) = summarise(load(folder(tmp_path, rows, run)))["stages"]
    low, high = stage["intervals"]["output_tokens_per_s"]
    assert low <= stage["output_tokens_per_s"] <= high
    assert high - low < 0.05 * stage["output_tokens_per_s"]
    assert stage["intervals"]["ttft_ms_p95"] in ([120, 120], [120, None])


def test_rows_from_before_a_change_by_hand_are_the_first_stage(tmp_path: Path) -> None:
    users = [{"text": str(n), "from_users": n, "users": n, "by_hand": True} for n in (1, 2)]
    times = (*((at_ms, None) for at_ms in range(0, 4500, 1005)), *((at_ms, 2) for at_ms in range(4520, 7000, 1005)))
    rows = [
        ollama(number, at_ms=at_ms, tokens=89, identity=replace(identity(number), stage=stage))
        for number, (at_ms, stage) in enumerate(times)
    ]
    summary = summarise(load(folder(tmp_path, rows, {**RUN, "stages": users})))
    assert [(stage["users"], stage["requests"]) for stage in summary["stages"]] == [("1", 5), ("2", 3)]
    assert (summary["load"]["asked"], summary["load"]["users"]) == ("of 1 → 2 users", None)
