"""The books of a run after its mishaps: the rows of the folder against the server's own log and the witnesses' lines.

What must hold, and what is counted:

- no request has two rows;
- every row `ok` is in the server's log as complete, with the same number of tokens, and took no less time than the
  server spent on it: unless the row says that the clock was set meanwhile;
- every request that a worker had the end of has its row: none is lost, unless that worker's disk was lost with it. Of
  those at most a second's traffic may be missing, before the moment from which it could no longer tell the master;
- every answer that the server says it completed has a row, whatever outcome that row has (the answer may have been
  cut on its way): but for those just named, and those that a killed worker had not yet read to the end. The latter had
  been sent before it was killed, and there is at most one for each of its users.
"""

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

Key = tuple[int, int]  # worker, sequence
LATEST_S, STEP_MS = 1.0, 1.0
READ_LATE_NS = 10**9  # what a worker has sent outlives it, until a busy server reads it


class Life(NamedTuple):
    """A worker's. `number`: None if none of its requests ended. `told_until_ns`: when it could last tell the master
    what it had; None unless its disk is lost.
    """

    number: int | None
    killed_ns: int | None
    told_until_ns: int | None
    users: int


@dataclass(frozen=True, slots=True)
class Answer:
    """What the server's log says of a request: when it had read it, tokens sent, whether all of the answer was; and the
    time from its reading to the last write.
    """

    read_ns: int
    tokens: int
    complete: bool
    took_ms: float = 0.0


@dataclass
class Books:
    """`wrong`: a line for each thing that must not be. `lost` and `lost_s`: rows lost with a disk, and the longest time
    before the worker's last chance to tell that one of them had ended. `unread`: complete answers that died with their
    reader. `cut`: complete answers whose row has another outcome than ok. `stepped`: rows that say the clock was set.
    """

    rows: int = 0
    ok: int = 0
    complete: int = 0
    lost: int = 0
    lost_s: float = 0.0
    unread: int = 0
    cut: int = 0
    stepped: int = 0
    wrong: list[str] = field(default_factory=list)


def answers(path: Path, run: str) -> dict[Key, list[Answer]]:
    """The server's log of a run's requests."""
    found: dict[Key, list[Answer]] = {}
    with path.open() as file:
        for line in file:
            entry = json.loads(line)
            of, _, rest = (entry["request_id"] or "").partition(f"{run}-")
            if rest and not of:
                worker, sequence = rest.split("-")
                complete = entry["end"] == "complete" and entry["status"] == 200
                took_ms = (entry["chunks"][-1][0] - entry["read_ns"]) / 1e6 if entry["chunks"] else 0.0
                answer = Answer(entry["read_ns"], entry["output_tokens"], complete, took_ms)
                found.setdefault((int(worker), int(sequence)), []).append(answer)
    return found


def witnessed(path: Path, run: str) -> dict[Key, int]:
    """When (wall clock, ns) each request ended, by a worker's witness."""
    if not path.exists():
        return {}
    words = (line.split() for line in path.read_text().splitlines())
    return {(int(worker), int(sequence)): int(at_ns) for of, worker, sequence, at_ns in words if of == run}


def balance(
    rows: Iterable[Mapping[str, Any]],
    said: Mapping[Key, Sequence[Answer]],
    seen: Mapping[Key, int],
    lives: Sequence[Life],
) -> Books:
    """Draw up the books."""
    books, by_key = Books(), {}
    for row in rows:
        key = int(row["worker"]), int(row["sequence"])
        if key in by_key:
            books.wrong.append(f"request {key} has two rows")
        by_key[key] = row
    books.rows = len(by_key)
    books.complete = sum(any(answer.complete for answer in given) for given in said.values())
    _check_ok(books, by_key, said)
    for key in by_key.keys() - seen.keys():
        books.wrong.append(f"request {key} has a row, but no worker had it")
    _count_lost(books, seen.keys() - by_key.keys(), seen, lives)
    done = {key for key, given in said.items() if any(answer.complete for answer in given)}
    books.cut = sum(by_key[key]["outcome"] != "ok" for key in done & by_key.keys())
    _count_unread(books, done - by_key.keys() - seen.keys(), said, lives)
    return books


def _check_ok(books: Books, rows: Mapping[Key, Mapping[str, Any]], said: Mapping[Key, Sequence[Answer]]) -> None:
    for key, row in rows.items():
        if row["outcome"] != "ok":
            continue
        books.ok += 1
        tokens = {answer.tokens: answer for answer in said.get(key, ()) if answer.complete}
        if not (answer := tokens.get(int(row["output_tokens"] or -1))):
            done = list(tokens)
            books.wrong.append(f"request {key} is ok with {row['output_tokens']} tokens; the server completed {done}")
        elif abs(float(row["clock_step_ms"])) > STEP_MS:
            books.stepped += 1
        elif float(row["e2e_ms"]) < answer.took_ms - STEP_MS:
            books.wrong.append(f"request {key} took {row['e2e_ms']} ms; the server needed {answer.took_ms:.3f} ms")


def _count_lost(books: Books, lost: Iterable[Key], seen: Mapping[Key, int], lives: Sequence[Life]) -> None:
    thrown = {life.number: life.told_until_ns for life in lives if life.told_until_ns is not None}
    for key in sorted(lost):
        if (until_ns := thrown.get(key[0])) is None:
            books.wrong.append(f"request {key} ended on a worker whose disk is there, and has no row")
            continue
        books.lost += 1
        books.lost_s = max(books.lost_s, (until_ns - seen[key]) / 1e9)
    if books.lost_s > LATEST_S:
        books.wrong.append(f"a row was lost {books.lost_s:.2f} s after its request had ended")


def _count_unread(
    books: Books, unread: Iterable[Key], said: Mapping[Key, Sequence[Answer]], lives: Sequence[Life]
) -> None:
    killed = {life.number: life for life in lives if life.killed_ns is not None}
    of: Counter[int] = Counter()
    for key in sorted(unread):
        # One that was killed before any of its requests had ended told nobody its number.
        life = killed.get(key[0], killed.get(None))
        if life is None or life.killed_ns is None or min(a.read_ns for a in said[key]) > life.killed_ns + READ_LATE_NS:
            books.wrong.append(f"the server completed request {key}, which has no row")
            continue
        books.unread += 1
        of[key[0]] += 1
        if of[key[0]] > life.users:
            books.wrong.append(f"worker {key[0]} had {life.users} users, and {of[key[0]]} answers that nobody read")
