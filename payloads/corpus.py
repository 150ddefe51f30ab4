"""Corpora: the built-in ones, the user's files, and several of them together."""

import csv
import io
import os
import re
from codecs import BOM_UTF8
from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO

from tokenswarm.payloads.columns import Columns
from tokenswarm.payloads.formats.detect import ASKING, known_cells, read
from tokenswarm.payloads.formats.own import MAX_WEIGHT, decode
from tokenswarm.payloads.formats.records import TABLES, Item, find_separator, records, row_of, unwrap_viewer
from tokenswarm.payloads.formats.spans import Span, spans, table, text_lines, text_of
from tokenswarm.payloads.formats.unpack import plain, unpacked_name
from tokenswarm.payloads.large import LARGE_BYTES, Corpus, LargeFile, Places, digest_of
from tokenswarm.payloads.prompt import Prompt
from tokenswarm.payloads.wording import nearest

BUILT_IN = ("chat", "long", "code", "json", "reasoning", "sessions", "tools")
DEFAULT = "chat"
FOLDER = Path(__file__).parent / "corpora"


class PayloadError(ValueError):
    """A user's mistake in a corpus or its name: one line, `FILE:LINE: what is wrong; what to do`.

    `place` is the first part of it where the rest may quote what the file holds.
    """

    def __init__(self, text: str, place: str = "") -> None:
        super().__init__(text)
        self.place = place


def read_corpus(
    path: str | Path, columns: Columns | None = None, known: Mapping[str, str] | None = None
) -> Sequence[Prompt]:
    """The prompts of a file in any of the formats of `payloads.formats.detect`, UTF-8.

    JSON lines (blank ones and those that start with # are skipped), a JSON array, CSV with a header, or .txt with a
    prompt a line. A prompt without an id gets `STEM:LINE`. `columns` name the file's own. `known` is what another
    process has learnt of a large file (`learnt`). Raises PayloadError.
    """
    try:
        file, name = plain(Path(path))
        with file:
            prompts = _large(file, name, columns, known) or _small(file, name, columns)
    except OSError as error:
        raise PayloadError(f"{path}: cannot be read: {error.strerror}; name a file of prompts") from None
    except ValueError as error:
        if "\0" in str(path):
            raise PayloadError(f"{str(path)!r}: cannot be read: {error}; name a file of prompts") from None
        at = re.match(r":\d+|: (?:item|row) \d+", str(error))
        raise PayloadError(f"{path}{error}", f"{path}{at[0] if at else ''}") from None
    if not prompts:
        raise PayloadError(f'{path}: no prompts; write one JSON object a line, such as {{"prompt": "…"}}')
    return prompts


def _small(file: BinaryIO, name: Path, columns: Columns | None) -> tuple[Prompt, ...]:
    file.seek(0)
    data = file.read().removeprefix(BOM_UTF8)
    found = records(name, data, ASKING, columns.texts if columns else frozenset())
    return tuple(prompt for record in found if (prompt := _prompt(record, name, columns)))


def _large(file: BinaryIO, name: Path, columns: Columns | None, known: Mapping[str, str] | None) -> LargeFile | None:
    """A file too large to be kept in memory; None where it is small, or of a shape that is read whole."""
    if os.fstat(file.fileno()).st_size < LARGE_BYTES:
        return None
    found = _spans(file, name, columns.texts if columns else frozenset())
    if found is None:
        return None
    place, value, rows = found

    def read_one(record: bytes, number: int) -> Prompt | None:
        at = f"{place}{number}"
        return _prompt(Item(number, at, value(record, at)), name, columns)

    if known and known["digest"] == digest_of(file):
        return LargeFile(file.fileno(), read_one, Places.unpack(known["places"]), known["digest"])
    return LargeFile.scan(file, read_one, rows)


def _spans(
    file: BinaryIO, name: Path, texts: Set[str]
) -> tuple[str, Callable[[bytes, str], object], Iterator[Span]] | None:
    """How an error says where a record is, how its value is read, and the records."""
    kind = name.suffix.lower()
    if kind == ".txt":
        return ":", lambda record, at: {"prompt": text_of(record, at).strip()}, text_lines(file)
    if kind not in TABLES:
        found = spans(file, ASKING)
        return found and (found[0], lambda record, _: record, found[1])
    read_as = table(file, lambda header: find_separator(name, header))
    if read_as is None:
        return None
    header, parted_by, rows = read_as

    def row(record: bytes, place: str) -> object:
        (cells,) = csv.reader(io.StringIO(text_of(record, place), newline=""), delimiter=parted_by, strict=True)
        return row_of(header, cells, place, parted_by, texts)

    return ": row ", row, rows


def learnt(prompts: Sequence[Prompt]) -> dict[str, dict[str, str]]:
    """What was learnt of the large files among them, by the names they were given by, for other processes."""
    parts = prompts.parts if isinstance(prompts, Corpus) else ()
    return {
        part.name: {"digest": part.digest, "places": part.places.pack()}
        for part in parts
        if isinstance(part, LargeFile)
    }


def _prompt(record: Item, file: Path, columns: Columns | None = None) -> Prompt | None:
    try:
        value = unwrap_viewer(decode(record.value)) if isinstance(record.value, bytes) else record.value
        if columns and isinstance(value, dict):
            value = columns.rename(value)
        elif file.suffix.lower() in TABLES and isinstance(value, dict):
            value = known_cells(value)
        return read(value, f"{file.stem}:{record.number}", file.parent)
    except ValueError as error:
        raise ValueError(f"{record.place}: {error}") from None


def load(
    names: str, columns: Columns | None = None, known: Mapping[str, Mapping[str, str]] | None = None
) -> Sequence[Prompt]:
    """The prompts of a comma-separated list of built-in corpora and files, each with an optional `=weight`.

    A source's weight is its share of the requests, however many lines it has: within a source, the lines' weights are
    scaled to add up to it. `chat=3,my.jsonl` asks three of `chat` for each one of `my.jsonl`. Where a file has ids of
    one before it, they begin with its own name. `columns` are those of the files, `known` is what was `learnt` of large
    ones. Raises PayloadError.
    """
    parts: list[Sequence[Prompt]] = []
    for item in filter(None, map(str.strip, names.split(","))):
        path, share = _source(item)
        built_in = Path(path).parent == FOLDER
        lines = read_corpus(path, None if built_in else columns, (known or {}).get(str(path)))
        stem = f"{unpacked_name(Path(path)).stem}:"
        clash = bool(parts) and _share_an_id(parts, lines, stem)

        def label(name: str, path: str | Path = path, stem: str = stem, clash: bool = clash) -> str:
            return f"{path}:{name.removeprefix(stem)}" if clash else name

        if isinstance(lines, LargeFile):
            lines.name, lines.label, lines.share = str(path), label, share
            parts.append(lines)
            continue
        total = sum(prompt.weight for prompt in lines)
        parts.append([replace(prompt, id=label(prompt.id), weight=prompt.weight / total * share) for prompt in lines])
    if not parts:
        raise PayloadError(f"no corpus named; name a JSONL file or one of {', '.join(BUILT_IN)}")
    if any(isinstance(part, LargeFile) for part in parts):
        return Corpus(parts)
    return tuple(prompt for part in parts for prompt in part)


def _share_an_id(parts: Sequence[Sequence[Prompt]], lines: Sequence[Prompt], stem: str) -> bool:
    """Have these an id of those? Of a large file only the beginning of its own ids is looked at."""
    large = [part.name for part in (*parts, lines) if isinstance(part, LargeFile)]
    if large:
        stems = [f"{unpacked_name(Path(part.name)).stem}:" for part in parts if isinstance(part, LargeFile)]
        return True if isinstance(lines, LargeFile) else stem in stems
    known = {prompt.id for part in parts for prompt in part}
    return not known.isdisjoint(prompt.id for prompt in lines)


def names(text: str) -> list[str]:
    """The names in such a list, without their weights: what `load` would look for."""
    items = filter(None, map(str.strip, text.split(",")))
    return [item if "=" not in item or _find(item) else item.rpartition("=")[0].strip() for item in items]


def _source(item: str) -> tuple[str | Path, float]:
    """Where one item of the list is, and its weight; what exists as it stands is taken so, as file names may hold =."""
    found = _find(item)
    if found is not None:
        return found, 1.0
    name, equals, weight = (part.strip() for part in item.rpartition("="))
    if not equals:
        name = item
    found = _find(name)
    if found is None:
        hint = nearest(name, BUILT_IN)
        raise PayloadError(f"{name!r}: no such file, nor a built-in corpus ({', '.join(BUILT_IN)}){hint}")
    try:
        share = float(weight)
    except ValueError:
        share = 0.0
    if not 0 < share <= MAX_WEIGHT:
        raise PayloadError(f"{item}: the weight is {weight!r}; make it a number above 0, at most {MAX_WEIGHT:g}")
    return found, share


def _find(name: str) -> str | Path | None:
    # A built-in name wins over a file or folder that happens to bear it; ./chat still means the file.
    if name in BUILT_IN:
        return FOLDER / f"{name}.jsonl"
    return name if os.path.exists(name) else None
