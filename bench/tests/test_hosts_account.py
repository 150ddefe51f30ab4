"""The books of a run after mishaps: each thing that must not be is found, and what is allowed is counted."""

import json
from pathlib import Path
from typing import Any

import pytest

from bench.hosts.account import READ_LATE_NS, Answer, Books, Key, Life, answers, balance, witnessed
from bench.hosts.mishaps import Story
from bench.hosts.processes import Worker
from bench.hosts.run import told_until_ns

S = 1_000_000_000
KILLED_NS = 10 * S
SURVIVES, KILLED = Life(0, None, None, 2), Life(1, KILLED_NS, None, 2)
THROWN = Life(1, KILLED_NS, KILLED_NS, 2)


def row(worker: int, sequence: int, outcome: str = "ok", tokens: str = "20") -> dict[str, Any]:
    times = {"e2e_ms": "250", "clock_step_ms": "0"}
    return {"worker": worker, "sequence": sequence, "outcome": outcome, "output_tokens": tokens, **times}


def books(
    rows: list[dict[str, Any]],
    said: dict[Key, Answer],
    seen: dict[Key, int] | None = None,
    lives: tuple[Life, ...] = (SURVIVES, KILLED),
) -> Books:
    if seen is None:
        seen = {(row["worker"], row["sequence"]): 5 * S for row in rows}
    return balance(rows, {key: [answer] for key, answer in said.items()}, seen, lives)


DONE, CUT = Answer(4 * S, 20, True), Answer(4 * S, 7, False)
LATE = Answer(KILLED_NS + READ_LATE_NS + 1, 20, True)


def test_all_is_there() -> None:
    drawn = books(
        [row(0, 1), row(0, 2, "timeout", ""), row(1, 1, "truncated", "")], {(0, 1): DONE, (0, 2): CUT, (1, 1): DONE}
    )
    assert drawn == Books(rows=3, ok=1, complete=2, cut=1)


@pytest.mark.parametrize(
    ("rows", "said", "seen", "what"),
    [
        ([row(0, 1), row(0, 1)], {(0, 1): DONE}, None, "request (0, 1) has two rows"),
        ([row(0, 1)], {}, None, "request (0, 1) is ok with 20 tokens; the server completed []"),
        ([row(0, 1)], {(0, 1): CUT}, None, "request (0, 1) is ok with 20 tokens; the server completed []"),
        ([row(0, 1, tokens="19")], {(0, 1): DONE}, None, "is ok with 19 tokens; the server completed [20]"),
        ([row(0, 1, tokens="")], {(0, 1): DONE}, None, "is ok with  tokens; the server completed [20]"),
        ([], {(0, 1): DONE}, {(0, 1): 5 * S}, "request (0, 1) ended on a worker whose disk is there, and has no row"),
        ([], {(0, 1): DONE}, {}, "the server completed request (0, 1), which has no row"),
        ([row(0, 1, "timeout")], {}, {}, "request (0, 1) has a row, but no worker had it"),
        ([], {(1, 1): LATE}, {}, "the server completed request (1, 1), which has no row"),
        ([], {(1, n): DONE for n in range(3)}, {}, "worker 1 had 2 users, and 3 answers that nobody read"),
    ],
)
def test_what_must_not_be(rows: list[Any], said: dict[Key, Answer], seen: dict[Key, int] | None, what: str) -> None:
    (wrong,) = books(rows, said, seen).wrong
    assert what in wrong


def test_a_time_too_short_is_wrong_unless_the_row_says_that_the_clock_was_set() -> None:
    said = {(0, 1): Answer(4 * S, 20, True, took_ms=260)}
    assert books([row(0, 1)], said).wrong == ["request (0, 1) took 250 ms; the server needed 260.000 ms"]
    drawn = books([{**row(0, 1), "clock_step_ms": "-10"}], said)
    assert (drawn.stepped, drawn.wrong) == (1, [])


def test_answers_that_died_with_their_reader_are_counted() -> None:
    drawn = books([], {(1, 1): DONE, (1, 2): DONE, (1, 3): CUT}, {})
    assert (drawn.unread, drawn.wrong) == (2, [])
    unknown = Life(None, KILLED_NS, None, 2)  # killed before any request of it ended: nobody knows its number
    assert books([], {(1, 1): DONE}, {}, (SURVIVES, unknown)).unread == 1


def test_a_lost_disk_may_cost_one_second() -> None:
    seen = {(1, 1): KILLED_NS - S // 2, (1, 2): KILLED_NS - S // 4}
    drawn = books([], {(1, 1): DONE, (1, 2): DONE}, seen, (SURVIVES, THROWN))
    assert (drawn.lost, drawn.lost_s, drawn.wrong) == (2, 0.5, [])
    drawn = books([], {(1, 1): DONE}, {(1, 1): KILLED_NS - 2 * S}, (SURVIVES, THROWN))
    assert drawn.wrong == ["a row was lost 2.00 s after its request had ended"]


def test_the_log_and_the_witness_are_read(tmp_path: Path) -> None:
    truth, witness = tmp_path / "truth.jsonl", tmp_path / "witness"
    entry = {"request_id": "a-run-2-17", "read_ns": 5, "output_tokens": 20, "end": "complete", "status": 200}
    entry["chunks"] = [[S, S, 9, 1, "text"], [2_000_005, 2_100_000, 9, 1, "text"]]
    others = ({**entry, "request_id": None}, {**entry, "request_id": "another-run-2-17"}, {**entry, "end": "cancelled"})
    truth.write_text("".join(json.dumps(line) + "\n" for line in (entry, *others)))
    assert answers(truth, "a-run") == {(2, 17): [Answer(5, 20, True, 2.0), Answer(5, 20, False, 2.0)]}
    witness.write_text("a-run 2 17 99\nanother-run 2 18 99\n")
    assert witnessed(witness, "a-run") == {(2, 17): 99}
    assert witnessed(tmp_path / "none", "a-run") == {}


@pytest.mark.parametrize(
    ("troubles", "told_until_s"),
    [
        ([], 10),
        ([("w1", 6 * S, None)], 6),  # it was cut off when it was killed
        ([("w2", 6 * S, None)], 10),  # another was
        ([("master", 5 * S, 7 * S)], 5),  # cut for 2 s: TCP may need as long again, and the report a while
        ([("w1", 2 * S, 3 * S)], 10),  # long healed
        ([("w1", 4 * S, 6 * S), ("master", 7 * S, 9 * S)], 4),
    ],
)
def test_when_a_killed_worker_could_last_tell_the_master(troubles: list[Any], told_until_s: int) -> None:
    worker = Worker("w1", None, Path(), Path(), 0, KILLED_NS, thrown=True)  # type: ignore[arg-type]
    assert told_until_ns(worker, Story([], troubles)) == told_until_s * S
    assert told_until_ns(worker, Story([], [], master_killed_ns=3 * S)) == 3 * S
