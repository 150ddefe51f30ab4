"""Reading a requests.csv that may be damaged: its whole rows, and for each other one what is wrong with it.

A disk that was full, a power cut, an editor: a row may be short, torn, glued to the next one, or hold a value that
cannot be. Such a row is left out, never guessed at, and takes no neighbour with it.
"""

import csv
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from io import BytesIO
from itertools import compress, repeat
from operator import not_
from pathlib import Path
from typing import BinaryIO, get_args

from tokenswarm.folder.row import NUMBERS
from tokenswarm.metrics.record import Phase
from tokenswarm.wire.reading import OUTCOMES

csv.field_size_limit(sys.maxsize)  # a cell may hold a kept prompt of any length
BLOCK_BYTES, MOST_HELD = 1 << 22, 1 << 26
MOST_COUNT, MOST = 10**15, 1e13  # beyond that a value is no count, or time in ms, or rate of a request
# What may be below 0: what is left of a difference of two clocks, or a limit that is none.
SIGNED = frozenset({"lateness_ms", "queue_ms", "rest_ms", "clock_step_ms", "turnaround_ms", "max_tokens"})
UNSIGNED = tuple(name for name, kind in NUMBERS.items() if kind in ("duration", "rate") and name not in SIGNED)
STEP_MS = 1.0  # a clock that was set by more during a request leaves times below 0 behind
COMPRESSED = (b"\x1f\x8b", b"BZh", b"\xfd7zXZ", b"\x28\xb5\x2f\xfd", b"PK\x03\x04")
CHOICES: dict[str, frozenset[str]] = {"outcome": frozenset(OUTCOMES), "phase": frozenset(get_args(Phase))}
_FLOAT = re.compile(r"-?\d{1,18}(?:\.\d*)?(?:[eE][-+]?\d{1,3})?", re.ASCII)
_ITEM = re.compile(r"(\d{1,4})(?::(\d{1,12}))?", re.ASCII)


@dataclass(frozen=True, slots=True)
class Odd:
    """A row that is left out: its number in the file (the header is the first), the column, and what is wrong there."""

    row: int
    column: str
    what: str

    def describe(self, name: str) -> str:
        """One line: file, row, column, what."""
        return f"{name}, row {self.row}{f', {self.column}' if self.column else ''}: {self.what}; the row is left out"


@dataclass(slots=True)
class Batch:
    """Rows that follow each other: the lines of the whole ones, with their numbers, and the others.

    Where the lines are just what the file holds, it is `size` bytes from `begins` on.
    """

    lines: list[bytes] = field(default_factory=list)
    rows: list[int] = field(default_factory=list)
    odd: list[Odd] = field(default_factory=list)
    begins: int = 0
    size: int = 0


def header(path: Path) -> list[str]:
    """The names of the columns; [] of an empty file. Raises OSError, and ValueError, with words, where it has none."""
    with path.open("rb") as file:
        first = file.readline()
    if first.startswith(COMPRESSED):
        raise ValueError("is compressed; unpack it first")
    try:
        names = next(csv.reader([first.decode("utf-8-sig", "replace").rstrip("\r\n")]), [])
    except csv.Error as error:
        raise ValueError("its lines end by CR alone; write it anew with LF") from error
    if twice := next((name for at, name in enumerate(names) if name in names[:at]), None):
        raise ValueError(f"has the column {twice[:40]} twice")
    return names


def batches(file: BinaryIO, columns: int) -> Iterator[Batch]:
    """The rows after the header, a block of the file at a time."""
    row, rest, held = 2, b"", list[bytes]()
    begins = len(file.readline())
    while True:
        block = file.read(BLOCK_BYTES)
        data = rest + block
        lines = BytesIO(data).readlines()
        rest = lines.pop() if block and lines and not lines[-1].endswith(b"\n") else b""
        if not held and _plain(data, lines, columns):
            batch = Batch(lines, list(range(row, row + len(lines))), begins=begins, size=len(data) - len(rest))
            row += len(lines)
        else:
            batch = Batch()
            row, held = _take([*held, *lines], columns, row, batch, final=not block)
        begins += len(data) - len(rest)
        yield batch
        if not block:
            return


def _plain(data: bytes, lines: Sequence[bytes], columns: int) -> bool:
    """Is each of a block's lines a whole row, as nearly always? A look that costs little."""
    if b"\0" in data or not (lines and lines[-1].endswith(b"\n")):
        return False
    try:
        data.decode()
    except UnicodeDecodeError:  # it may be only that the block ends within a character
        return False
    commas = map(bytes.count, lines, repeat(b","))
    if b'"' not in data:
        return set(commas) == {columns - 1}
    quoted = list(map(bytes.__contains__, lines, repeat(b'"')))
    return {columns - 1}.issuperset(compress(commas, map(not_, quoted))) and all(
        not line.count(b'"') % 2 and _fields(line) == columns for line in compress(lines, quoted)
    )


def _take(lines: Sequence[bytes], columns: int, row: int, into: Batch, *, final: bool) -> tuple[int, list[bytes]]:
    """Sort lines into rows. Gives the next row's number and, unless it is the end, lines whose row may go on."""
    # A quote inside a cell is doubled: a line with an odd number of them begins or ends a cell with line ends in it.
    odd = [at for at, line in enumerate(lines) if line.count(b'"') % 2]
    at = seen = 0
    while at < len(lines):
        while seen < len(odd) and odd[seen] < at:
            seen += 1
        if seen == len(odd) or odd[seen] != at:
            end = at
        elif seen + 1 < len(odd):
            end = odd[seen + 1]
        elif final or sum(map(len, lines[at:])) > MOST_HELD:
            end = at
        else:
            return row, list(lines[at:])
        text = lines[at] if end == at else b"".join(lines[at : end + 1])
        if not text.strip():
            end = at  # an empty line is no row
        elif what := _broken(text, columns):
            into.odd.append(Odd(row, "", what))  # the lines after it may be rows of their own
            end = at
        else:
            into.lines.append(text)
            into.rows.append(row)
        at, row = end + 1, row + 1
    return row, []


def _broken(line: bytes, columns: int) -> str:
    if not line.endswith(b"\n"):
        return "cut in the middle"
    if b'"' not in line:
        found = line.count(b",") + 1
    elif (found := _fields(line)) < 0:
        return "torn: a quote where none can be"
    if found != columns:
        short = f"{found} of {columns} cells"
        return f"short: {short}" if found < columns else f"torn: {found} cells where {columns} are"
    if b"\0" in line:
        return "torn: it holds bytes that are no text"
    try:
        line.decode()
    except UnicodeDecodeError:
        return "torn: it holds bytes that are no text"
    return ""


def _fields(line: bytes) -> int:
    """The number of cells of a row with quotes; -1 if a quoted cell does not stand between commas."""
    outside = line.rstrip(b"\r\n").split(b'"')[::2]
    last = len(outside) - 1
    for at, part in enumerate(outside):
        if part and ((at > 0 and not part.startswith(b",")) or (at < last and not part.endswith(b","))):
            return -1
    return sum(part.count(b",") for part in outside) + 1


def problem(row: Mapping[str, str]) -> tuple[str, str] | None:
    """(column, what is wrong) of the first value of a row that cannot be; None where all can."""
    for name, cell in row.items():
        if what := wrong(name, cell):
            return name, what
    for name in ("worker", "sequence", "outcome"):
        if not row[name]:
            return name, "nothing there"
    if abs(float(row.get("clock_step_ms") or 0)) > STEP_MS:
        return None
    if row["sent_unix_ns"] and row["ended_unix_ns"] and int(row["ended_unix_ns"]) < int(row["sent_unix_ns"]):
        return "ended_unix_ns", "it ended before it was sent"
    for name in UNSIGNED:
        if row.get(name, "").startswith("-"):
            return name, f"{row[name]} is below 0"
    if row["ttft_ms"] and row["e2e_ms"] and float(row["ttft_ms"]) > float(row["e2e_ms"]) + STEP_MS:
        return "ttft_ms", "the first output came after the end"
    return None


def wrong(name: str, cell: str) -> str:
    """What is wrong with a value of a column; "" if nothing, or nothing is there."""
    kind, choices = NUMBERS.get(name), CHOICES.get(name)
    if not cell or (kind is None and choices is None):
        return ""
    shown = repr(cell if len(cell) <= 40 else cell[:40] + "…")
    if choices:
        return "" if cell in choices else f"{shown} is no {name}"
    if kind == "whole":
        number = cell.removeprefix("-") if name in SIGNED else cell
        if not (number.isascii() and number.isdigit()):
            return f"{shown} is no whole number"
        most = 2**63 - 1 if name.endswith("_ns") else MOST_COUNT
        return "" if int(number) <= most else f"{shown} is far too great"
    if kind == "histogram":
        items = (_ITEM.fullmatch(item) for item in cell.split())
        return "" if all(items) else f"{shown} is no histogram of gaps"
    if not _FLOAT.fullmatch(cell):
        return f"{shown} is no number"
    return "" if abs(float(cell)) <= MOST else f"{shown} is far too great"


def sound(batch: Batch, names: Sequence[str]) -> Batch:
    """The batch without the rows that hold a value that cannot be."""
    lines, rows, odd = list[bytes](), list[int](), list(batch.odd)
    for row, line in zip(batch.rows, batch.lines, strict=True):
        try:
            bad = problem(cells(line, names))
        except (csv.Error, ValueError):
            bad = "", "torn: its cells cannot be told apart"
        if bad:
            odd.append(Odd(row, *bad))
        else:
            lines.append(line)
            rows.append(row)
    return Batch(lines, rows, odd)


def cells(line: bytes, names: Sequence[str]) -> dict[str, str]:
    """The cells of a whole row by their columns. Raises csv.Error, or ValueError, where it is none."""
    return dict(zip(names, next(csv.reader([line.decode()])), strict=True))
