"""Corpora: the built-in ones, the user's files, and several of them together."""

import os
import re
from codecs import BOM_UTF8
from dataclasses import replace
from pathlib import Path

from tokenswarm.payloads.columns import Columns
from tokenswarm.payloads.formats.detect import ASKING, known_cells, read
from tokenswarm.payloads.formats.own import MAX_WEIGHT, decode
from tokenswarm.payloads.formats.records import TABLES, Item, records
from tokenswarm.payloads.formats.unpack import plain, unpacked_name
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


def read_corpus(path: str | Path, columns: Columns | None = None) -> tuple[Prompt, ...]:
    """The prompts of a file in any of the formats of `payloads.formats.detect`, UTF-8.

    JSON lines (blank ones and those that start with # are skipped), a JSON array, CSV with a header, or .txt with a
    prompt a line. A prompt without an id gets `STEM:LINE`. `columns` name the file's own. Raises PayloadError.
    """
    try:
        file, name = plain(Path(path))
        with file:
            data = file.read().removeprefix(BOM_UTF8)
        found = records(name, data, ASKING, columns.texts if columns else frozenset())
        prompts = tuple(prompt for record in found if (prompt := _prompt(record, name, columns)))
    except OSError as error:
        raise PayloadError(f"{path}: cannot be read: {error.strerror}; name a file of prompts") from None
    except ValueError as error:
        if "\0" in str(path):
            raise PayloadError(f"{str(path)!r}: cannot be read: {error}; name a file of prompts") from None
        at = re.match(r":\d+|: item \d+", str(error))
        raise PayloadError(f"{path}{error}", f"{path}{at[0] if at else ''}") from None
    if not prompts:
        raise PayloadError(f'{path}: no prompts; write one JSON object a line, such as {{"prompt": "…"}}')
    return prompts


def _prompt(record: Item, file: Path, columns: Columns | None = None) -> Prompt | None:
    try:
        value = decode(record.value) if isinstance(record.value, bytes) else record.value
        if columns and isinstance(value, dict):
            value = columns.named(value)
        elif file.suffix.lower() in TABLES and isinstance(value, dict):
            value = known_cells(value)
        return read(value, f"{file.stem}:{record.number}", file.parent)
    except ValueError as error:
        raise ValueError(f"{record.place}: {error}") from None


def load(names: str, columns: Columns | None = None) -> tuple[Prompt, ...]:
    """The prompts of a comma-separated list of built-in corpora and files, each with an optional `=weight`.

    A source's weight is its share of the requests, however many lines it has: within a source, the lines' weights are
    scaled to add up to it. `chat=3,my.jsonl` asks three of `chat` for each one of `my.jsonl`. Where a file has ids of
    one before it, they begin with its own name. `columns` are those of the files. Raises PayloadError.
    """
    prompts: list[Prompt] = []
    known: set[str] = set()
    for item in filter(None, map(str.strip, names.split(","))):
        path, share = _source(item)
        lines = read_corpus(path, None if Path(path).parent == FOLDER else columns)
        if not known.isdisjoint(prompt.id for prompt in lines):
            stem = f"{unpacked_name(Path(path)).stem}:"
            lines = tuple(replace(prompt, id=f"{path}:{prompt.id.removeprefix(stem)}") for prompt in lines)
        known.update(prompt.id for prompt in lines)
        total = sum(prompt.weight for prompt in lines)
        prompts += (replace(prompt, weight=prompt.weight / total * share) for prompt in lines)
    if not prompts:
        raise PayloadError(f"no corpus named; name a JSONL file or one of {', '.join(BUILT_IN)}")
    return tuple(prompts)


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
