"""The run folder: requests.csv, appended to as rows come, and run.json, replaced whole."""

import json
import os
import re
import shutil
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tokenswarm.folder.append import Appended
from tokenswarm.folder.lines import line
from tokenswarm.folder.row import COLUMNS

FORMAT = 1


class RunFolder:
    """One run's folder. Raises OSError if it cannot be made."""

    def __init__(self, path: Path) -> None:
        path.mkdir(parents=True)
        self.path = path
        self.rows = 0
        self._file = Appended(path / "requests.csv", line(COLUMNS))

    def append(self, rows: bytes, count: int) -> None:
        """Write whole lines of requests.csv, at once to the file system. Raises OSError, and none is written then."""
        self._file.append(rows)
        self.rows += count

    def is_lost(self) -> bool:
        """Has somebody removed it, or moved it away?"""
        return not self._file.is_at(self.path / "requests.csv")

    def restore(self) -> None:
        """Make it anew where it is lost, with all rows. Raises OSError."""
        self.path.mkdir(parents=True, exist_ok=True)
        lost, self._file = self._file, self._file.copy(self.path / "requests.csv")
        lost.close()

    def move(self, parent: Path) -> None:
        """Go on below another folder, with all rows and files. Raises OSError, and goes on here then."""
        path = new_path(str(parent), self.path.name)
        path.mkdir(parents=True)
        for other in self.path.iterdir():
            if other.is_file() and other.name != "requests.csv":
                shutil.copy(other, path)
        left, self._file = self._file, self._file.copy(path / "requests.csv")
        left.close()
        self.path = path

    def sync(self) -> None:
        """What was written is on the disk itself."""
        self._file.sync()

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
    short = safe[:60].encode()[:180].decode(errors="ignore")  # a file's name may have 255 bytes
    return f"{datetime.fromtimestamp(unix_s, UTC):%Y%m%dT%H%M%SZ}-{short}"


def new_path(run_dir: str, name: str) -> Path:
    """A path below `run_dir` that does not exist yet: two runs may begin within one second."""
    path = Path(run_dir) / name
    number = 2
    while path.exists():
        path = Path(run_dir) / f"{name}-{number}"
        number += 1
    return path
