"""Traces read a second time, by other code than that which replays them, and what a prefix cache could serve."""

import csv
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

TICK_NS = 3_000_000_000


@dataclass(frozen=True, slots=True)
class Asked:
    """One row: when, ns; tokens; Mooncake's prefix blocks, whose time is that of a tick."""

    at_ns: int
    prompt_tokens: int
    output_tokens: int
    blocks: tuple[int, ...] = ()


def read(path: Path) -> list[Asked]:
    """All rows in order of time: Azure's, Mooncake's, BurstGPT's, or those of a requests.csv that have their counts."""
    if path.suffix == ".jsonl":
        lines = [json.loads(line) for line in path.read_text().splitlines()]
        return [
            Asked(row["timestamp"] * 10**6, row["input_length"], row["output_length"], tuple(row["hash_ids"]))
            for row in lines
        ]
    with path.open(newline="") as file:
        return sorted((_asked(row) for row in csv.DictReader(file) if row), key=lambda asked: asked.at_ns)


def _asked(row: dict[str, str]) -> Asked:
    if "TIMESTAMP" in row:
        whole, _, fraction = row["TIMESTAMP"].partition(".")
        seconds = datetime.strptime(whole, "%Y-%m-%d %H:%M:%S").replace(tzinfo=UTC).timestamp()
        at_ns = int(seconds) * 10**9 + int(fraction.ljust(9, "0"))
        return Asked(at_ns, int(row["ContextTokens"]), int(row["GeneratedTokens"]))
    if "Timestamp" in row:
        return Asked(round(float(row["Timestamp"]) * 1e9), int(row["Request tokens"]), int(row["Response tokens"]))
    return Asked(int(row["scheduled_unix_ns"]), int(row["prompt_tokens"]), int(row["output_tokens"]))


@dataclass(frozen=True, slots=True)
class Sharing:
    """What of all prompts an endless cache has seen before, as shares of 1: of their blocks, and of their tokens.

    A block counts where it and all before it stood at the beginning of an earlier prompt. Of the last one the cache can
    serve but what the prompt holds of it.
    """

    blocks: float
    tokens: float


def sharing(rows: Sequence[Asked], block_tokens: int = 512) -> Sharing:
    """By the blocks' ids alone, in the file's order."""
    seen: set[tuple[int, ...]] = set()
    known_blocks = known_tokens = 0
    for row in rows:
        beginnings = [row.blocks[: n + 1] for n in range(len(row.blocks))]
        known = sum(beginning in seen for beginning in beginnings)
        known_blocks += known
        known_tokens += min(known * block_tokens, row.prompt_tokens)
        seen.update(beginnings)
    return Sharing(
        known_blocks / sum(len(row.blocks) for row in rows), known_tokens / sum(row.prompt_tokens for row in rows)
    )
