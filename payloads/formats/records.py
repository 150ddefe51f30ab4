"""The records of a payload file: lines of JSON, one JSON array, rows of CSV, or lines of text."""

import csv
import io
import re
from collections.abc import Iterator, Sequence, Set
from itertools import zip_longest
from pathlib import Path
from typing import NamedTuple

import orjson

TABLES = (".csv", ".tsv")
TEXTS = ("id", "prompt", "text", "question", "instruction", "text_input", "input", "system", "context", "passage")


class Item(NamedTuple):
    """One record: its number in the file, from 1, how an error says where it is, and a value, or bytes of JSON."""

    number: int
    place: str
    value: object


def records(path: Path, data: bytes, asking: Set[str] = frozenset(), texts: Set[str] = frozenset()) -> Iterator[Item]:
    """The records of a file by its name's end (.csv, .tsv, .txt) or else its content (JSON). Raises ValueError.

    `asking` are the names of which one makes an object a record: one without may be what holds the file's array.
    `texts` are columns whose cells stay texts.
    """
    if path.suffix.lower() in TABLES:
        said = _text(data)
        first, _, rest = said.partition("\n")
        if mark := read_separator_line(first):
            return _rows(rest, mark, texts, skipped=1)
        return _rows(said, find_separator(path, first), texts)
    if path.suffix.lower() == ".txt":
        lines = enumerate(_text(data).split("\n"), start=1)
        return (Item(at, f":{at}", {"prompt": line.strip()}) for at, line in lines if line.strip())
    array = _array(data, asking)
    return _lines(data) if array is None else (Item(at, f": item {at}", one) for at, one in enumerate(array, start=1))


def find_separator(path: Path, header: str) -> str:
    """What parts the cells of a table, by its name and its first line."""
    return "\t" if path.suffix.lower() == ".tsv" else delimiter(header)


def read_separator_line(line: str) -> str:
    """What parts the cells of a table that says so in a line before its header, as Excel reads it: sep=;"""
    found = re.fullmatch(r'"?sep=(.)"?', line.rstrip("\r\n"), re.IGNORECASE)
    return found[1] if found else ""


def delimiter(header: str) -> str:
    """What parts the cells of a table: Excel writes semicolons where a comma is for decimals."""
    plain = re.sub(r'"[^"]*"', "", header)
    return max(",;\t", key=plain.count)


def _lines(data: bytes) -> Iterator[Item]:
    # Cut at \n only: str.splitlines also cuts at U+2028 and U+0085, which JSON allows inside a string.
    for number, line in enumerate(data.split(b"\n"), start=1):
        if line.strip()[:1] not in (b"", b"#"):
            yield Item(number, f":{number}", line)


def _array(data: bytes, asking: Set[str]) -> list[object] | None:
    """What is to be read if the file is one JSON value and not one a line. Raises ValueError."""
    start = data.lstrip()[:1]
    if start not in (b"[", b"{"):
        return None
    try:
        whole = orjson.loads(data)
    except orjson.JSONDecodeError as error:
        first = data.lstrip().partition(b"\n")[0].rstrip()
        if start == b"{" or first.endswith(b"]"):
            return None  # one a line, then; the line that is wrong is told when it is read
        what = error.msg.partition(": line ")[0]
        raise ValueError(f":{error.lineno}: not JSON: {what} (column {error.colno}); mend the array") from None
    messages = isinstance(whole, list) and any(isinstance(one, dict) and "role" in one for one in whole[:1])
    if isinstance(whole, list) and not messages:
        return whole
    if isinstance(whole, dict) and not asking & whole.keys():
        lists = [one for one in whole.values() if isinstance(one, list) and one and isinstance(one[0], dict | list)]
        if len(lists) == 1:
            return [unwrap_viewer(one) for one in lists[0]]
    return [whole] if b"\n" in data.strip() else None


def unwrap_viewer(one: object) -> object:
    """A record out of what the Hugging Face viewer puts around it."""
    return one["row"] if isinstance(one, dict) and "row" in one and "row_idx" in one else one


def _rows(text: str, parted_by: str, texts: Set[str], skipped: int = 0) -> Iterator[Item]:
    csv.field_size_limit(2**31 - 1)
    rows = csv.reader(io.StringIO(text, newline=""), delimiter=parted_by, strict=True)
    try:
        header = names_of(next(rows, []))
        for number, cells in enumerate(rows, start=1):
            if any(cells):
                place = f":{rows.line_num + skipped}"
                yield Item(number, place, row_of(header, cells, place, parted_by, texts))
    except csv.Error as error:
        raise ValueError(f":{rows.line_num + skipped}: not CSV: {error}; write a header and a row a prompt") from None


def names_of(header: Sequence[str]) -> list[str]:
    """The names of a table's columns. Raises ValueError where two that are asked have one name: which is meant?"""
    names = [name.strip() for name in header]
    if twice := next((name for name in TEXTS if names.count(name) > 1), ""):
        raise ValueError(f":1: {names.count(twice)} columns are named {twice}; rename all but one")
    return names


def row_of(
    header: Sequence[str], cells: Sequence[str], place: str, parted_by: str, texts: Set[str]
) -> dict[str, object]:
    """A row by its columns' names; None is an empty cell. Raises ValueError."""
    if len(cells) > len(header):
        mark = {"\t": "tab", ";": "semicolon"}.get(parted_by, "comma")
        what = f"{len(cells)} cells under {len(header)} names"
        raise ValueError(f"{place}: {what}; put texts that hold a {mark} in double quotes")
    return {
        name: (cell if name in texts else _cell(name, cell)) if cell.strip() else None
        for name, cell in zip_longest(header, cells, fillvalue="")
    }


def _cell(name: str, cell: str) -> object:
    """A cell as JSON where it can be; the columns of texts stay texts, also where one looks like a number."""
    if name in TEXTS:
        return cell
    if name == "tags" and not cell.startswith("["):
        return cell.split()
    try:
        return orjson.loads(cell)
    except orjson.JSONDecodeError:
        return cell


def _text(data: bytes) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise ValueError(f":{line}: not UTF-8; save the file as UTF-8") from None
