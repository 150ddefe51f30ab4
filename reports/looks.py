"""What the server had in memory during a run: the looks in its server.csv."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from tokenswarm.metrics.text import text


@dataclass(frozen=True, slots=True)
class Look:
    """One look: `models` in memory as (name, bytes, bytes of these in VRAM, context length); None: no answer."""

    unix_s: float
    took_ms: float
    version: str
    models: tuple[tuple[str, float, float, int], ...] | None


def looks(path: Path) -> tuple[Look, ...]:
    """The looks in a server.csv; none where there is no such file, or nothing that can be read."""
    if not path.exists():
        return ()
    try:
        # Lines with a source are samples of what the server says of itself (see `readings`).
        frame = pd.read_csv(path, keep_default_na=False, dtype=str, encoding_errors="replace", on_bad_lines="skip")
        if "source" in frame:
            frame = frame[frame["source"].isin(("", None)) | frame["source"].isna()]
        for name in ("unix_s", "took_ms", "size_bytes", "size_vram_bytes", "context_length"):
            frame[name] = pd.to_numeric(frame[name], errors="coerce").fillna(0)
        return tuple(_look(unix_s, rows) for unix_s, rows in frame.groupby("unix_s", sort=True))
    except (OSError, ValueError, KeyError, OverflowError, TypeError):
        return ()


def _look(unix_s: float, rows: Any) -> Look:
    first = rows.iloc[0]
    models = tuple(
        (text(str(row.model)), float(row.size_bytes), float(row.size_vram_bytes), int(row.context_length))
        for row in rows.itertuples()
        if row.model
    )
    return Look(float(unix_s), float(first["took_ms"]), text(str(first["version"])), None if first["error"] else models)
