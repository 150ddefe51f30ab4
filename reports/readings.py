"""What a server said of itself during a run, and its power: the samples in the run folder's server.csv, as series."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from tokenswarm.folder.server_csv import NAME
from tokenswarm.metrics.server_metrics import BY_NAME, METRICS, POWER
from tokenswarm.metrics.text import text

NEEDED = ["unix_s", "took_ms", "error", "source", "metric", "labels", "value"]
# What is the same once more: a RAPL package by its other interface, SGLang's requests by their priority.
AGAIN = r"(?:^|,)(?:path=[^,]*-mmio|priority=[^,])"
GPU = r"(?:^|,)UUID=([^,]*)"  # dcgm-exporter has a GPU's power for each of its parts, and each pod on it
# Of a machine's own sources: what a scrape says of the same is preferred, so that nothing counts twice.
LOCAL = frozenset({"nvidia-smi", "RAPL"})


@dataclass(frozen=True, slots=True)
class Track:
    """One series of one source: `unix_s` of its looks, and its values; a counter's are its growth since the first."""

    source: str
    series: str
    unix_s: Any
    values: Any


@dataclass(frozen=True, slots=True)
class Looked:
    """How the looks at one source went."""

    source: str
    looks: int
    unanswered: int
    took_ms: float | None


@dataclass(frozen=True, slots=True)
class Readings:
    """All of a run; nothing where nobody looked."""

    sources: tuple[Looked, ...] = ()
    tracks: tuple[Track, ...] = ()

    def of(self, series: str) -> list[Track]:
        """The tracks of one series; a machine's own only where nothing else has it."""
        found = [track for track in self.tracks if track.series == series]
        return [track for track in found if track.source not in LOCAL] or found


def readings(path: Path) -> Readings:
    """Those of a run folder; none where there is no server.csv, or nothing in it that can be read."""
    try:
        frame = pd.read_csv(
            path / NAME, keep_default_na=False, dtype=str, encoding_errors="replace", on_bad_lines="skip"
        )
        frame = frame.loc[frame["source"].fillna("") != "", NEEDED].fillna("")
        for name in ("unix_s", "took_ms", "value"):
            frame[name] = pd.to_numeric(frame[name], errors="coerce")
        frame = frame[np.isfinite(frame["unix_s"])]
        groups = list(frame.groupby("source", sort=True))
        return Readings(
            tuple(_looked(text(str(source)), rows) for source, rows in groups),
            tuple(track for source, rows in groups for track in _tracks(text(str(source)), rows)),
        )
    except (OSError, ValueError, KeyError, OverflowError, TypeError):
        return Readings()


def _looked(source: str, rows: Any) -> Looked:
    looks = rows.drop_duplicates("unix_s")
    answered = looks.loc[looks["error"] == "", "took_ms"].dropna()
    took_ms = round(float(answered.median()), 3) if len(answered) else None
    return Looked(source, len(looks), int((looks["error"] != "").sum()), took_ms)


def _tracks(source: str, rows: Any) -> Iterator[Track]:
    known = rows[
        rows["metric"].isin(METRICS) & np.isfinite(rows["value"]) & ~rows["labels"].str.contains(AGAIN, regex=True)
    ]
    series = known["metric"].map(lambda metric: METRICS[metric][0])
    gpus = known["labels"].str.extract(GPU)[0]
    known = known.assign(labels=known["labels"].where(gpus.isna() | ~series.isin(POWER), gpus))
    values = known["value"] * known["metric"].map(lambda metric: METRICS[metric][1]).astype(float)
    for name, at in series.groupby(series, sort=True).groups.items():
        table = (
            known.loc[at, ["unix_s", "metric", "labels"]]
            .assign(value=values[at])
            .pivot_table(index="unix_s", columns=["metric", "labels"], values="value", aggfunc="last")
            .sort_index()
        )
        combine = BY_NAME[str(name)].combine
        if combine == "counter":
            grown = table.ffill().diff()
            # What has become smaller began anew, at 0.
            table = grown.where(~(grown < 0), table).fillna(0.0).cumsum()
        made = table.mean(axis=1) if combine == "mean" else table.sum(axis=1)
        yield Track(source, str(name), made.index.to_numpy("float64"), made.to_numpy("float64"))


def joules(track: Track) -> Any:
    """Energy since a track's first look, J: a counter's as it is, of a power (W) the area below the line."""
    if BY_NAME[track.series].unit == "J":
        return track.values
    areas = np.diff(track.unix_s) * (track.values[1:] + track.values[:-1]) / 2
    return np.concatenate(([0.0], np.cumsum(areas)))


def growth_per_s(unix_s: Any, amounts: Any, from_s: float, to_s: float) -> tuple[float, float] | None:
    """How fast an amount grew between two moments, and what share of that time its looks cover; None of no time."""
    if not len(unix_s):
        return None
    since, until = max(from_s, float(unix_s[0])), min(to_s, float(unix_s[-1]))
    if until <= since:
        return None
    begin, end = np.interp([since, until], unix_s, amounts)
    return float(end - begin) / (until - since), (until - since) / (to_s - from_s)
