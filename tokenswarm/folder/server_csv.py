"""server.csv: what a server has in memory (a line a model and look), and what it says of itself (a line a sample)."""

import csv
from collections.abc import Iterable
from pathlib import Path
from typing import Any

NAME = "server.csv"
SIZES = ("size_bytes", "size_vram_bytes", "context_length")
MEMORY = ("unix_s", "took_ms", "version", "model", *SIZES, "expires_at", "error")
SAMPLE = ("source", "metric", "labels", "value")  # after those of MEMORY, which are empty but for the first two
COLUMNS = (*MEMORY, *SAMPLE)


def append(folder: Path, lines: Iterable[tuple[Any, ...]]) -> None:
    """Put lines of MEMORY, or of all COLUMNS, at its end; it is made with the first. Raises OSError."""
    with (folder / NAME).open("a", newline="", encoding="utf-8", errors="backslashreplace") as file:
        writer = csv.writer(file, lineterminator="\n")
        if not file.tell():
            writer.writerow(COLUMNS)
        writer.writerows((*line, *[""] * (len(COLUMNS) - len(line))) for line in lines)


def sample(
    unix_s: float, took_ms: float, source: str, metric: str = "", labels: str = "", value: Any = "", error: str = ""
) -> tuple[Any, ...]:
    """One sample of a look, or what there is in its place where it failed."""
    return (round(unix_s, 3), round(took_ms, 3), *[""] * 6, error, source, metric, labels, value)
