"""Traces: when requests came somewhere, how long their prompts and answers were, and what prompts shared."""

import csv
import json
import math
import re
import sys
from calendar import timegm
from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal
from itertools import chain, groupby, islice, pairwise, repeat
from pathlib import Path
from typing import NamedTuple

from tokenswarm.payloads.distribution import parse
from tokenswarm.payloads.formats.lengths import MOST, recipe_and_limit
from tokenswarm.payloads.made_up import NOT_MADE
from tokenswarm.payloads.prompt import Message, Prompt
from tokenswarm.payloads.recipe import Recipe
from tokenswarm.payloads.seeded import fraction

# Mooncake's times are those of the tick of 3 s that a request came in (some are 1 ms less apart).
TICK_NS = 3_000_000_000
TIMES = ("at_s", "TIMESTAMP", "Timestamp", "timestamp", "scheduled_unix_ns", "sent_unix_ns")
_STAMP = re.compile(r"(\d{4})-(\d\d)-(\d\d)[ T](\d\d):(\d\d):(\d\d)(?:\.(\d+))?(?: ?(?:Z|UTC|([+-]\d\d):?(\d\d)?))?")
USAGE = "a trace is Azure's or BurstGPT's CSV, Mooncake's JSONL, at_s,prompt_tokens,output_tokens, or a requests.csv"


class TraceError(ValueError):
    """A file that is no trace: `FILE:LINE: what is wrong`, one line."""


class Arrival(NamedTuple):
    """One request of a trace: when it came, s after the first, and a prompt to be made up for it."""

    at_s: float
    prompt: Prompt


def arrivals(path: str, *, seed: int = 0, scale: float = 1.0) -> Iterator[Arrival]:
    """The requests of a trace in order of time, exact to 1 ns, read as they are asked for. Raises TraceError.

    `scale` lengthens prompts and answers. What came in the same tick is spread over it by the seed. A requests.csv,
    which is in order of the answers' ends, is read whole: three numbers a row.
    """
    rows = _ticks(_rows(path, scale), seed)
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


class _Row(NamedTuple):
    at_ns: int
    prompt: Prompt
    ticks: bool = False
    ours: bool = False


def _ticks(rows: Iterator[_Row], seed: int) -> Iterator[_Row]:
    """Spread over its tick what came in one, in the file's order and never beyond the next tick's beginning."""
    number = 0
    groups = ((at_ns, list(group)) for at_ns, group in groupby(rows, key=lambda row: row.at_ns))
    for (at_ns, together), (next_ns, _) in pairwise(chain(groups, [(sys.maxsize, [])])):
        tick_ns = max(0, min(TICK_NS, next_ns - at_ns)) if together[0].ticks else 0
        spread = sorted(fraction("tick", seed, number + at) for at in range(len(together))) if tick_ns else repeat(0)
        for place, row in zip(spread, together, strict=False):
            yield row._replace(at_ns=at_ns + int(tick_ns * place))
        number += len(together)


def _rows(path: str, scale: float) -> Iterator[_Row]:
    csv.field_size_limit(sys.maxsize)  # our own rows may hold a kept text of any length
    kind = Path(path).suffix.lower()
    try:
        with Path(path).open(encoding="utf-8-sig", newline="") as file:
            if kind in (".csv", ".tsv"):
                reader = csv.DictReader(file, delimiter="\t" if kind == ".tsv" else ",", skipinitialspace=True)
                for fields in reader:
                    yield from _row(path, reader.line_num, fields, scale)
                return
            for number, line in enumerate(file, start=1):
                if line.strip():
                    yield from _row(path, number, _object(path, number, line), scale)
    except OSError as error:
        raise TraceError(f"{path}: cannot be read: {error.strerror}; {USAGE}") from None
    except UnicodeDecodeError:
        raise TraceError(f"{path}: is no UTF-8 text; unpack it if it is packed, else save it as UTF-8") from None
    except csv.Error as error:
        raise TraceError(f"{path}: {' '.join(str(error).split())}; {USAGE}") from None


def _object(path: str, line: int, text: str) -> object:
    try:
        return json.loads(text)
    except RecursionError:
        raise TraceError(f"{path}:{line}: is nested too deep; {USAGE}") from None
    except json.JSONDecodeError as error:
        at = error.pos
        near = f"{text[max(0, at - 20) : at]}▸{text[at : at + 1].strip()}◂{text[at + 1 : at + 20]}"
        raise TraceError(f"{path}:{line}: no JSON at {' '.join(near.split())} ({error.msg}); {USAGE}") from None


def _row(path: str, line: int, fields: object, scale: float) -> Iterator[_Row]:
    """The request of one row; none where a requests.csv has one that was never answered."""
    try:
        if not isinstance(fields, dict):
            raise ValueError("not an object")
        if None in fields:
            raise ValueError("more cells than the first line has names; write decimals with a point")
        name = next((name for name in TIMES if fields.get(name) not in (None, "")), None)
        if name is None:
            raise ValueError(f"no time: none of {', '.join(TIMES)}")
        ours = name.endswith("_unix_ns")
        if ours and not (fields.get("prompt_tokens") and fields.get("output_tokens")):
            return
        prompt = _prompt(fields, f"{Path(path).stem}:{line}", scale)
        yield _Row(_ns(name, fields), prompt, "hash_ids" in fields, ours)
    except ValueError as error:
        raise TraceError(f"{path}:{line}: {error}; {USAGE}") from None


def _ns(name: str, fields: dict[str, object]) -> int:
    text = str(fields[name]).strip()
    if found := _STAMP.fullmatch(text):
        *moment, part, hours, minutes = found.groups()
        ahead_s = int(hours or 0) * 3600 + int(f"{(hours or '+')[0]}{minutes or 0}") * 60
        return (timegm(tuple(map(int, moment))) - ahead_s) * 10**9 + int(f"{part or '':0<9.9}")
    if name == "TIMESTAMP":
        raise ValueError(f"TIMESTAMP is {text}, no time such as 2023-11-16 18:17:03.9799600")
    _number(name, text)
    # Mooncake's are ms; Bailian's, which has chats, and all others' seconds.
    digits = 0 if name.endswith("_unix_ns") else 6 if name == "timestamp" and "chat_id" not in fields else 9
    return round(Decimal(text).scaleb(digits))


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


def _prompt(fields: dict[str, object], default_id: str, scale: float) -> Prompt:
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
