"""Traces: when requests came somewhere, how long their prompts and answers were, and what prompts shared."""

import csv
import json
import math
import re
from calendar import timegm
from collections.abc import Iterator
from dataclasses import replace
from itertools import groupby
from pathlib import Path
from typing import NamedTuple

from payloads.chance import fraction
from payloads.distribution import parse
from payloads.lengths import traced
from payloads.making import NOT_MADE
from payloads.prompt import Message, Prompt
from payloads.recipe import Recipe

# Mooncake's times are those of the tick of 3 s that a request came in.
TICK_S = 3.0
TIMES = ("at_s", "TIMESTAMP", "Timestamp", "timestamp", "scheduled_unix_ns", "sent_unix_ns")
_STAMP = re.compile(r"(\d{4})-(\d\d)-(\d\d)[ T](\d\d):(\d\d):(\d\d)(\.\d+)?")
USAGE = "a trace is Azure's or BurstGPT's CSV, Mooncake's JSONL, at_s,prompt_tokens,output_tokens, or a requests.csv"


class TraceError(ValueError):
    """A file that is no trace: `FILE:LINE: what is wrong`, one line."""


class Arrival(NamedTuple):
    """One request of a trace: when it came, s after the first, and a prompt to be made up for it."""

    at_s: float
    prompt: Prompt


def arrivals(path: str, *, seed: int = 0, scale: float = 1.0) -> Iterator[Arrival]:
    """The requests of a trace in order of time, read as they are asked for. Raises TraceError.

    `scale` lengthens prompts and answers. What came in the same tick is spread over it by the seed. A requests.csv,
    which is in order of the answers' ends, is read whole: three numbers a row.
    """
    rows = _ticks(_rows(path, scale), seed)
    if path.endswith("requests.csv"):
        rows = iter(sorted(rows, key=lambda row: row.at_s))
    first_s, last_s = None, -math.inf
    for number, (at_s, prompt) in enumerate(rows, start=1):
        first_s = at_s if first_s is None else first_s
        if at_s < last_s:
            raise TraceError(f"{path}: row {number} comes {last_s - at_s:g} s before the row above it; sort the file")
        last_s = at_s
        yield Arrival(at_s - first_s, prompt)
    if first_s is None:
        raise TraceError(f"{path}: no requests in it; {USAGE}")


class _Row(NamedTuple):
    at_s: float
    prompt: Prompt
    ticks: bool = False


def _ticks(rows: Iterator[_Row], seed: int) -> Iterator[Arrival]:
    number = 0
    for _, group in groupby(rows, key=lambda row: row.at_s):
        together = list(group)
        # Sorted, so that the order of the file stays.
        spread = sorted(fraction("tick", seed, number + at) for at in range(len(together)))
        for place, row in zip(spread, together, strict=True):
            yield Arrival(row.at_s + (TICK_S * place if row.ticks else 0.0), row.prompt)
        number += len(together)


def _rows(path: str, scale: float) -> Iterator[_Row]:
    try:
        with Path(path).open(encoding="utf-8-sig", newline="") as file:
            if path.endswith((".csv", ".tsv")):
                reader = csv.DictReader(file, delimiter="\t" if path.endswith(".tsv") else ",")
                for fields in reader:
                    yield from _row(path, reader.line_num, fields, scale)
                return
            for number, line in enumerate(file, start=1):
                if line.strip():
                    yield from _row(path, number, json.loads(line), scale)
    except OSError as error:
        raise TraceError(f"{path}: cannot be read: {error.strerror}; {USAGE}") from None
    except (UnicodeDecodeError, json.JSONDecodeError, csv.Error) as error:
        raise TraceError(f"{path}: {' '.join(str(error).split())}; {USAGE}") from None


def _row(path: str, line: int, fields: object, scale: float) -> Iterator[_Row]:
    """The request of one row; none where a requests.csv has one that was never answered."""
    try:
        if not isinstance(fields, dict):
            raise ValueError("not an object")
        name = next((name for name in TIMES if fields.get(name) not in (None, "")), None)
        if name is None:
            raise ValueError(f"no time: none of {', '.join(TIMES)}")
        if name.endswith("_unix_ns") and not (fields.get("prompt_tokens") and fields.get("output_tokens")):
            return
        yield _Row(_seconds(name, fields), _prompt(fields, f"{Path(path).stem}:{line}", scale), "hash_ids" in fields)
    except (ValueError, KeyError, StopIteration) as error:
        raise TraceError(f"{path}:{line}: {error}; {USAGE}") from None


def _seconds(name: str, fields: dict[str, object]) -> float:
    text = str(fields[name])
    if name == "TIMESTAMP":
        found = _STAMP.match(text)
        if not found:
            raise ValueError(f"TIMESTAMP is {text}, no time such as 2023-11-16 18:17:03.9799600")
        return timegm(tuple(map(int, found.groups()[:6]))) + float(f"0{found[7] or ''}")
    value = float(text)
    if not math.isfinite(value) or value < 0:
        raise ValueError(f"{name} is {text}, no time")
    if name.endswith("_unix_ns"):
        return value / 1e9
    # Mooncake's are ms; Bailian's, which has chats, and all others' seconds.
    return value / 1e3 if name == "timestamp" and "chat_id" not in fields else value


def _prompt(fields: dict[str, object], default_id: str, scale: float) -> Prompt:
    if fields.get("prompt_tokens"):
        recipe, limit = Recipe(parse(str(int(float(str(fields["prompt_tokens"])))), least=1)), fields["output_tokens"]
    else:
        numbers = {
            name: int(text) if isinstance(text, str) and text.isdigit() else text for name, text in fields.items()
        }
        recipe, limit = traced(numbers)
    if scale != 1:
        tokens = parse(str(max(1, round(recipe.tokens.first * scale))))
        recipe = replace(recipe, tokens=tokens, block_tokens=max(1, round(recipe.block_tokens * scale)))
    output = max(1, round(float(str(limit)) * scale))
    return Prompt(default_id, (Message("user", NOT_MADE),), max_tokens=output, recipe=recipe)
