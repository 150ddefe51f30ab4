"""Traces: when requests came somewhere, how long their prompts and answers were, and what prompts shared."""

import csv
import json
import math
import re
import sys
from calendar import timegm
from collections.abc import Iterator, Sequence
from dataclasses import replace
from decimal import Decimal
from io import TextIOWrapper
from itertools import chain, groupby, islice, pairwise, repeat
from pathlib import Path
from typing import NamedTuple

from tokenswarm.payloads.distribution import parse
from tokenswarm.payloads.formats import own
from tokenswarm.payloads.formats.lengths import MOST, OUTPUT, TRACE_OUTPUT, recipe_and_limit
from tokenswarm.payloads.formats.records import delimiter
from tokenswarm.payloads.formats.unpack import plain, unpacked_name
from tokenswarm.payloads.made_up import NOT_MADE
from tokenswarm.payloads.prompt import Message, Prompt
from tokenswarm.payloads.recipe import Recipe
from tokenswarm.payloads.seeded import fraction

# Mooncake's times are those of the tick of 3 s that a request came in (some are 1 ms less apart).
TICK_NS, NEAR_NS = 3_000_000_000, 10_000_000
HEAD = 1000  # rows by which a file's times are understood
UNITS = {"s": 9, "ms": 6, "us": 3, "ns": 0}  # decimal digits to a nanosecond
EPOCHS = ((1e17, "ns"), (1e14, "us"), (1e11, "ms"), (1e8, "s"))  # from which number on it is Unix time in that unit
MOST_PER_S = 100.0  # what a trace in ms is believed to hold
TIMES = ("at_s", "TIMESTAMP", "Timestamp", "timestamp", "scheduled_unix_ns", "sent_unix_ns")
OF_ONE_UNIT = {"at_s": "s", "scheduled_unix_ns": "ns", "sent_unix_ns": "ns"}
TEXTS = ("messages", "prompt", "text_input")  # of which a row may have its own
TAKEN = "{path}: its times are taken for milliseconds, as Mooncake's are: {rows} requests in {span:g} s"
SPREAD = "{path}: its times are ticks of 3 s, as Mooncake's are: what came in the same is spread over it by --seed"
_PLAIN = re.compile(r"\d+(?:\.\d*)?(?:[eE][+-]?\d+)?")
_STAMP = re.compile(r"(\d{4})-(\d\d)-(\d\d)[ T](\d\d):(\d\d):(\d\d)(?:\.(\d+))?(?: ?(?:Z|UTC|([+-]\d\d):?(\d\d)?))?")
USAGE = "a trace is Azure's or BurstGPT's CSV, Mooncake's JSONL, at_s,prompt_tokens,output_tokens, or a requests.csv"


class TraceError(ValueError):
    """A file that is no trace: `FILE:LINE: what is wrong`, one line."""


class Arrival(NamedTuple):
    """One request of a trace: when it came, s after the first, and a prompt to be made up for it."""

    at_s: float
    prompt: Prompt


class Times(NamedTuple):
    """How a trace's times are meant: their unit ("" for those with one of their own), and whether they lie on ticks.

    `remarks` say what was taken for granted.
    """

    unit: str = ""
    ticks: bool = False
    remarks: tuple[str, ...] = ()


def arrivals(path: str, *, seed: int = 0, scale: float = 1.0, unit: str = "") -> Iterator[Arrival]:
    """The requests of a trace in order of time, exact to 1 ns, read as they are asked for. Raises TraceError.

    `scale` lengthens prompts and answers; `unit` is that of plain numbers under TIMESTAMP, Timestamp or timestamp. What
    came in the same tick is spread over it by the seed. A requests.csv, which is in order of the answers' ends, is read
    whole: three numbers a row.
    """
    raw = _fields(path)
    head = list(islice(raw, HEAD))
    meant = _times(path, head, unit)
    rows: Iterator[_Row] = chain.from_iterable(
        _row(path, line, fields, scale, meant) for line, fields in chain(head, raw)
    )
    if meant.ticks:
        rows = _spread(rows, seed)
    begun = list(islice(rows, 1))
    rows = chain(begun, rows)
    if begun and begun[0].ours:
        rows = iter(sorted(rows, key=lambda row: row.at_ns))
    first_ns, last_ns = None, 0
    for number, row in enumerate(rows, start=1):
        first_ns = row.at_ns if first_ns is None else first_ns
        if row.at_ns < last_ns:
            late_s = (last_ns - row.at_ns) / 1e9
            raise TraceError(f"{path}: row {number} comes {late_s:g} s before the row above it; sort the file")
        last_ns = row.at_ns
        yield Arrival((row.at_ns - first_ns) / 1e9, row.prompt)
    if first_ns is None:
        raise TraceError(f"{path}: no requests in it; {USAGE}")


def remarks(path: str, unit: str = "") -> tuple[str, ...]:
    """What is taken for granted of a trace's times. Raises TraceError."""
    return _times(path, list(islice(_fields(path), HEAD)), unit).remarks


class _Row(NamedTuple):
    at_ns: int
    prompt: Prompt
    ours: bool = False


def _times(path: str, head: Sequence[tuple[int, object]], unit: str) -> Times:
    """How the times of these first rows are meant. Raises TraceError where they could be in one unit or another."""
    rows = [fields for _, fields in head if isinstance(fields, dict)]
    name = next((name for fields in rows for name in TIMES if fields.get(name) not in (None, "")), "")
    said = [str(fields[name]).strip() for fields in rows if fields.get(name) not in (None, "")] if name else []
    if name in OF_ONE_UNIT or not said or not all(map(_PLAIN.fullmatch, said)):
        return Times(unit)  # what is wrong in a row is told when it is read
    numbers = [Decimal(one) for one in said]
    remark = ""
    if not unit:
        unit, remark = _unit(path, name, numbers, bailian="chat_id" in rows[0])
    times_ns = [round(number.scaleb(UNITS[unit])) for number in numbers]
    ticks = len({*times_ns}) < len(times_ns) and _all_on_ticks(times_ns)
    return Times(unit, ticks, tuple(filter(None, (remark, SPREAD.format(path=path) if ticks else ""))))


def _unit(path: str, name: str, numbers: Sequence[Decimal], *, bailian: bool) -> tuple[str, str]:
    """The unit of plain numbers, and the remark that it deserves. Raises TraceError."""
    if name == "Timestamp" or bailian:
        return "s", ""  # as BurstGPT's and Bailian's are documented
    for least, epoch in EPOCHS:
        if numbers[0] >= least:
            return epoch, ""
    span = float(max(numbers) - min(numbers))
    per_s = (len(numbers) - 1) / (span / 1e3) if span else 0.0
    whole = all(number == number.to_integral_value() for number in numbers)
    ticks = _all_on_ticks([round(number.scaleb(UNITS["ms"])) for number in numbers])
    if name == "timestamp" and whole and (per_s <= MOST_PER_S or ticks):
        return "ms", TAKEN.format(path=path, rows=len(numbers), span=span / 1e3) if span else ""
    as_ms = f"{len(numbers)} requests in {span / 1e3:g} s, or in {span:g} s"
    raise TraceError(f"{path}: {name} could be in ms or in s ({as_ms}); give --trace-time-unit ms or s")


def _all_on_ticks(times_ns: Sequence[int]) -> bool:
    return max(times_ns) - min(times_ns) > TICK_NS // 2 and all(map(_on_tick, times_ns))


def _on_tick(at_ns: int) -> bool:
    return (at_ns + NEAR_NS) % TICK_NS <= 2 * NEAR_NS


def _spread(rows: Iterator[_Row], seed: int) -> Iterator[_Row]:
    """Spread over its tick what came in one, in the file's order and never beyond the next tick's beginning."""
    number = 0
    groups = ((at_ns, list(group)) for at_ns, group in groupby(rows, key=lambda row: row.at_ns))
    for (at_ns, together), (next_ns, _) in pairwise(chain(groups, [(sys.maxsize, [])])):
        tick_ns = max(0, min(TICK_NS, next_ns - at_ns)) if _on_tick(at_ns) else 0
        spread = sorted(fraction("tick", seed, number + at) for at in range(len(together))) if tick_ns else repeat(0)
        for place, row in zip(spread, together, strict=False):
            yield row._replace(at_ns=at_ns + int(tick_ns * place))
        number += len(together)


def _fields(path: str) -> Iterator[tuple[int, object]]:
    """The rows of a file as they stand, each with its line. Raises TraceError."""
    csv.field_size_limit(sys.maxsize)  # our own rows may hold a kept text of any length
    try:
        packed, name = plain(Path(path))
        kind = name.suffix.lower()
        with TextIOWrapper(packed, encoding="utf-8-sig", newline="") as file:
            if kind in (".csv", ".tsv"):
                parted_by = "\t" if kind == ".tsv" else delimiter(file.readline())
                file.seek(0)
                reader = csv.DictReader(file, delimiter=parted_by, skipinitialspace=True)
                for fields in reader:
                    yield reader.line_num, fields
                return
            for number, line in enumerate(file, start=1):
                if line.strip():
                    yield number, _object(path, number, line)
    except OSError as error:
        raise TraceError(f"{path}: cannot be read: {error.strerror}; {USAGE}") from None
    except UnicodeDecodeError:
        raise TraceError(f"{path}: is no UTF-8 text; unpack it if it is packed, else save it as UTF-8") from None
    except csv.Error as error:
        raise TraceError(f"{path}: {' '.join(str(error).split())}; {USAGE}") from None
    except TraceError:
        raise
    except ValueError as error:  # of what is packed
        raise TraceError(f"{path}{error}") from None


def _object(path: str, line: int, text: str) -> object:
    try:
        return json.loads(text)
    except RecursionError:
        raise TraceError(f"{path}:{line}: is nested too deep; {USAGE}") from None
    except json.JSONDecodeError as error:
        at = error.pos
        near = f"{text[max(0, at - 20) : at]}▸{text[at : at + 1].strip()}◂{text[at + 1 : at + 20]}"
        raise TraceError(f"{path}:{line}: no JSON at {' '.join(near.split())} ({error.msg}); {USAGE}") from None


def _row(path: str, line: int, fields: object, scale: float, meant: Times) -> Iterator[_Row]:
    """The request of one row; none where a requests.csv has one that was never answered."""
    try:
        if not isinstance(fields, dict):
            raise ValueError("not an object")
        if None in fields:
            raise ValueError("more cells than the first line has names; write decimals with a point")
        name = next((name for name in TIMES if fields.get(name) not in (None, "")), None)
        if name is None:
            there = ", ".join(map(str, fields)) or "nothing"
            raise ValueError(f"no time: none of {', '.join(TIMES)} among {there}")
        ours = name.endswith("_unix_ns")
        if ours and not (fields.get("prompt_tokens") and fields.get("output_tokens")):
            return
        prompt = _prompt(fields, f"{unpacked_name(Path(path)).stem}:{line}", scale, Path(path).parent)
        yield _Row(_ns(name, fields, meant), prompt, ours)
    except ValueError as error:
        raise TraceError(f"{path}:{line}: {error}; {USAGE}") from None


def _ns(name: str, fields: dict[str, object], meant: Times) -> int:
    text = str(fields[name]).strip()
    if found := _STAMP.fullmatch(text):
        *moment, part, hours, minutes = found.groups()
        ahead_s = int(hours or 0) * 3600 + int(f"{(hours or '+')[0]}{minutes or 0}") * 60
        return (timegm(tuple(map(int, moment))) - ahead_s) * 10**9 + int(f"{part or '':0<9.9}")
    if name == "TIMESTAMP" and not meant.unit:
        raise ValueError(f"TIMESTAMP is {text}, no time such as 2023-11-16 18:17:03.9799600")
    _number(name, text)
    return round(Decimal(text).scaleb(UNITS[OF_ONE_UNIT.get(name) or meant.unit or "s"]))


def _number(name: str, given: object, most: float = math.inf) -> float:
    if given in (None, ""):
        raise ValueError(f"no {name}")
    try:
        value = float(str(given))
    except ValueError:
        value = math.nan
    if not 0 <= value <= most or value == math.inf:
        at_most = f" and at most {most:,}" if most < math.inf else ""
        raise ValueError(f"{name} is {given}; make it a number, not below 0{at_most}, decimals with a point")
    return value


def _prompt(fields: dict[str, object], default_id: str, scale: float, folder: Path) -> Prompt:
    if any(fields.get(name) not in (None, "") for name in TEXTS):
        return _own_text(fields, default_id, scale, folder)
    if fields.get("prompt_tokens") not in (None, ""):
        prompt, limit = (_number(name, fields.get(name), MOST) for name in ("prompt_tokens", "output_tokens"))
        recipe = Recipe(parse(str(max(1, int(prompt)))))
    else:
        numbers = {
            name: int(text) if isinstance(text, str) and text.isdigit() else text for name, text in fields.items()
        }
        recipe, limit = recipe_and_limit(numbers)
    if scale != 1:
        tokens = parse(str(max(1, round(recipe.tokens.first * scale))), most=MOST)
        recipe = replace(recipe, tokens=tokens, block_tokens=recipe.block_tokens * scale)
    output = max(1, round(limit * scale))
    return Prompt(default_id, (Message("user", NOT_MADE),), max_tokens=output, recipe=recipe)


def _own_text(fields: dict[str, object], default_id: str, scale: float, folder: Path) -> Prompt:
    """The text that a row has itself, with its output limit."""
    kept = {name: value for name, value in fields.items() if name in (*own.FIELDS, *own.REQUEST) and value != ""}
    if "text_input" in fields and "prompt" not in kept:
        kept["prompt"] = fields["text_input"]
    limit = next((name for name in TRACE_OUTPUT if fields.get(name) not in (None, "")), None)
    kept = {name: value for name, value in kept.items() if name not in OUTPUT and name != "prompt_tokens"}
    prompt = own.read(kept, default_id, folder)
    return prompt if limit is None else replace(prompt, max_tokens=_limit(fields, limit, scale))


def _limit(fields: dict[str, object], name: str, scale: float) -> int:
    return max(1, round(_number(name, fields[name], MOST) * scale))
