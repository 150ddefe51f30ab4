"""Results on file: JSON lines, appended one by one, so that what was measured survives an interruption."""

import json
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

from bench import machine

Row = dict[str, Any]
FOLDER = Path("runs/bench")
CURVE, COMPARISONS, MEMORY = FOLDER / "curve.jsonl", FOLDER / "comparisons.jsonl", FOLDER / "memory.jsonl"
TRIAL = FOLDER / "trial.jsonl"


def read(path: Path) -> list[Row]:
    """All lines; none if there is no such file. A last line that was cut off is left out."""
    if not path.exists():
        return []
    rows = []
    for line in path.read_text().splitlines():
        with suppress(ValueError):
            rows.append(json.loads(line))
    return rows


def begin(path: Path, *, resume: bool) -> list[Row]:
    """Make the file with a line about the machine; give what it holds already. SystemExit if it would be lost."""
    if path.exists() and not resume:
        sys.exit(f"bench: {path} exists; --resume goes on with it, --out names another file")
    known = read(path)
    if not known:
        path.parent.mkdir(parents=True, exist_ok=True)
        append(path, {"machine": machine.facts()})
    elif not path.read_text().endswith("\n"):
        with path.open("a") as file:
            file.write("\n")  # the next line begins a line of its own
    return known


def append(path: Path, row: Row) -> None:
    """One more line."""
    with path.open("a") as file:
        file.write(json.dumps(row) + "\n")
