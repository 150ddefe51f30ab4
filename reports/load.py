"""Reading a run folder: requests.csv as a DataFrame, run.json as it stands, and what was odd about them."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from tokenswarm.folder.damage import Odd
from tokenswarm.metrics.clock import TIMES, ClockOffset, tracks
from tokenswarm.reports.columns import Wholes
from tokenswarm.reports.errors import ReportError
from tokenswarm.reports.gaps import Gaps
from tokenswarm.reports.looks import Look, looks
from tokenswarm.reports.output import Window, output, window
from tokenswarm.reports.reading import pool_gaps, read
from tokenswarm.reports.readings import Readings, readings
from tokenswarm.reports.rejudging import dicts, judged_again, lost_rows
from tokenswarm.reports.render.numbers import many
from tokenswarm.reports.rows import Rows
from tokenswarm.reports.run_json import read_info

MOST_SAID = 20  # rows that are left out are named one by one up to here
MOST_APART_DAYS = 30


@dataclass(frozen=True)
class Run:
    """A run folder: `info` is run.json ({} without one), `frame` has one row a request, texts left out
    but for the beginning of the answer where it was kept.

    Columns are those of `folder.row`: `*_unix_ns` are nullable Int64 (never float: a double cannot hold a wall-clock
    nanosecond), by the master's clock, counts nullable integers; durations and rates floats with NaN where absent;
    texts categories; and those of `reports.output`. They are had one at a time, for no long run fits into memory whole.
    Histograms of gaps are pooled in `gaps`, of a row there is `gaps_ms`, their sum. `notices` says what was odd,
    `looks` what the server had in memory; a `damaged` requests.csv has rows that are not in the frame.
    """

    folder: Path
    info: dict[str, Any]
    frame: Rows
    notices: tuple[str, ...]
    looks: tuple[Look, ...] = ()
    damaged: bool = False
    gaps: Gaps = field(default_factory=Gaps)

    @cached_property
    def measured(self) -> Rows:
        """The rows that figures are made of: all but those of the warm-up."""
        made: Rows = self.frame[self.frame["phase"] != "warm-up"]
        return made

    @cached_property
    def readings(self) -> Readings:
        """What the server said of itself; read where it is asked for."""
        return readings(self.folder)

    @cached_property
    def span(self) -> Window | None:
        """First sent to last ended of the measured rows."""
        return window(self.measured)


def load(folder: Path) -> Run:
    """Read a run folder. Raises ReportError, with one line, where there is nothing that can be read.

    Where rows are lost, or damaged, the run is judged again by those that are there.
    """
    if not folder.is_dir():
        raise ReportError(f"{folder}: no such folder; give the folder of a run, as in runs/20261123T111733Z-demo")
    info, notices = read_info(folder / "run.json")
    path = folder / "requests.csv"
    found = read(path)
    if found.absent:
        notices.append(f"requests.csv comes from another version; absent in it: {', '.join(found.absent)}")
    frame, count, gone = found.rows, len(found.rows), set[int]()
    if n := int((twice := _twice(frame)).sum()):
        gone = set(frame["file_row"][twice])
        frame = frame[~twice]
        notices.append(f"{n} rows had come twice (same worker and sequence); one of each is kept")
    frame, astray = _of_one_time(_onto_one_clock(frame, dicts(info.get("workers"))))
    odd = sorted((*found.odd, *astray), key=lambda one: one.row)
    notices = [*notices[:MOST_SAID], *(one.describe(path.name) for one in odd[:MOST_SAID])]
    if len(odd) > MOST_SAID:
        notices.append(f"{path.name}: {len(odd) - MOST_SAID} more rows are left out, in like manner")
    gone |= {one.row for one in astray}
    if gone:
        found.gaps.take_out(pool_gaps(path, gone))
    frame = _in_stages(frame.assign(**output(frame)), dicts(info.get("stages")))
    if lost := lost_rows(info, len(frame), len(odd)):
        notices.append(f"{lost.what}; judged by {many(len(frame), 'row')}")
        info = judged_again(path, info, frame["file_row"], lost)
    damaged = len(frame) < count + len(found.odd)
    return Run(folder, info, frame, tuple(notices), looks(folder / "server.csv"), damaged, found.gaps)


def _in_stages(frame: Rows, stages: list[dict[str, Any]]) -> Rows:
    """Where users were changed by hand, what was sent before the first change is of the first stage."""
    if not stages or not stages[0].get("by_hand"):
        return frame
    stage = Wholes()
    for rows in frame[["stage"]].parts():
        stage.put(Wholes.piece(rows["stage"].fillna(1)), len(rows))
    return frame.assign(stage=stage)


def _twice(frame: Rows) -> Any:
    """Which rows have the worker and the sequence of one before them."""
    identity, begin = np.empty(len(frame), dtype=np.int64), 0
    for rows in frame.parts():
        worker, sequence = (rows[name].to_numpy("int64", na_value=-1) for name in ("worker", "sequence"))
        # Two of them may be the same number by chance.
        identity[begin : begin + len(rows)] = worker * 2**50 + sequence
        begin += len(rows)
    identity.sort()
    if not (identity[1:] == identity[:-1]).any():
        return np.zeros(len(frame), dtype=bool)
    return frame.frame(["worker", "sequence"]).duplicated().to_numpy()


def _of_one_time(frame: Rows) -> tuple[Rows, list[Odd]]:
    """Without the rows whose moments lie far from all others'."""
    found = dict[int, str]()
    for name in TIMES:
        there = _moments(frame, name)
        if not len(there):
            continue
        there.partition(len(there) // 2)
        middle_ns, most_ns, begin = int(there[len(there) // 2]), MOST_APART_DAYS * 86_400 * 10**9, 0
        if there.max() - most_ns <= middle_ns <= there.min() + most_ns:
            continue
        for rows in frame[[name]].parts():
            values = rows[name].to_numpy("int64", na_value=middle_ns)
            for at in np.flatnonzero((values < middle_ns - most_ns) | (values > middle_ns + most_ns)):
                found.setdefault(begin + int(at), name)
            begin += len(rows)
    if not found:
        return frame, []
    what = f"a moment more than {MOST_APART_DAYS} days from those of the other rows"
    numbers, kept = frame["file_row"], np.ones(len(frame), dtype=bool)
    kept[list(found)] = False
    return frame[kept], [Odd(int(numbers[at]), name, what) for at, name in sorted(found.items())]


def _moments(frame: Rows, name: str) -> Any:
    """Those of a column that are not absent, in an array of one's own."""
    found, n = np.empty(len(frame), dtype=np.int64), 0
    for rows in frame[[name]].parts():
        moments = rows[name].dropna().to_numpy("int64")
        found[n : n + len(moments)] = moments
        n += len(moments)
    return found[:n]


def _onto_one_clock(frame: Rows, workers: list[dict[str, Any]]) -> Rows:
    """Times of workers whose clocks are not the master's become the master's; requests.csv keeps the workers' own."""
    apart = tracks(workers)
    if not apart:
        return frame
    made = {name: Wholes() for name in TIMES}
    for rows in frame.parts():
        worker = rows["worker"].to_numpy("int64", na_value=-1)
        for name in TIMES:
            absent = rows[name].isna().to_numpy()
            moments = rows[name].to_numpy("int64", na_value=0).copy()
            for number, track in apart.items():
                own = (worker == number) & ~absent
                moments[own] -= _ahead_ns(track, moments[own])
            made[name].put((moments, absent), len(rows))
    return frame.assign(**made)


def _ahead_ns(track: Sequence[ClockOffset], moments: Any) -> Any:
    """As `metrics.clock.ahead_ns` has it, of many moments."""
    shown, ahead = (np.array([getattr(point, name) for point in track]) for name in ("worker_ns", "ahead_ns"))
    at = np.searchsorted(shown, moments, side="right")
    after = at.clip(1, max(1, len(track) - 1)) if len(track) > 1 else np.zeros_like(at)
    before = np.maximum(after - 1, 0)
    with np.errstate(invalid="ignore", divide="ignore"):
        part = (moments - shown[before]) / (shown[after] - shown[before])
        between = ahead[before] + np.rint((ahead[after] - ahead[before]) * part)
    return np.where(at == 0, ahead[0], np.where(at == len(track), ahead[-1], between)).astype(np.int64)
