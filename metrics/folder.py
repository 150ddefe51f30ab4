"""The run folder: requests.csv, appended to and flushed as rows come, and run.json, replaced whole."""

import csv
import json
import os
import re
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from metrics.rows import COLUMNS, Cell

FORMAT = 1


class RunFolder:
    """One run's folder. Raises OSError if it cannot be made."""

    def __init__(self, path: Path) -> None:
        path.mkdir(parents=True)
        self.path = path
        self.rows = 0
        self._file = (path / "requests.csv").open("w", newline="", encoding="utf-8", errors="backslashreplace")
        self._csv = csv.writer(self._file, lineterminator="\n")
        self._csv.writerow(COLUMNS)
        self._file.flush()

    def append(self, rows: Iterable[Sequence[Cell]]) -> None:
        """Write rows in the order of COLUMNS, whole lines, at once to the file system."""
        for cells in rows:
            self._csv.writerow(cells)
            self.rows += 1
        self._file.flush()

    def write_run(self, run: dict[str, Any]) -> None:
        """Replace run.json; a reader finds the old one or the new one, never half of one."""
        text = json.dumps({"format": FORMAT, **run}, indent=2, ensure_ascii=False) + "\n"
        new = self.path / ".run.json.new"
        new.write_text(text, encoding="utf-8")
        os.replace(new, self.path / "run.json")

    def close(self) -> None:
        """No more rows."""
        self._file.close()


def run_name(name: str, unix_s: float) -> str:
    """`<UTC time>-<name>`: a folder's name, whatever the user's name for it holds."""
    safe = re.sub(r"[^\w.-]+", "-", name).strip(".-") or "run"
    return f"{datetime.fromtimestamp(unix_s, UTC):%Y%m%dT%H%M%SZ}-{safe[:60]}"


def new_path(run_dir: str, name: str) -> Path:
    """A path below `run_dir` that does not exist yet: two runs may begin within one second."""
    path = Path(run_dir) / name
    number = 2
    while path.exists():
        path = Path(run_dir) / f"{name}-{number}"
        number += 1
    return path
