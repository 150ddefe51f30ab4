"""Reading a run folder: requests.csv as a DataFrame, run.json as it stands, and what was odd about them."""

from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from tokenswarm.folder.damage import Odd
from tokenswarm.metrics.clock import TIMES, ahead_ns, tracks
from tokenswarm.reports.errors import ReportError
from tokenswarm.reports.gaps import Gaps
from tokenswarm.reports.looks import Look, looks
from tokenswarm.reports.output import Window, add_output, window
from tokenswarm.reports.reading import pooled, read
from tokenswarm.reports.readings import Readings, readings
from tokenswarm.reports.rejudging import dicts, judged_again, lost_rows
from tokenswarm.reports.render.numbers import many
from tokenswarm.reports.run_json import read_info

MOST_SAID = 20  # rows that are left out are named one by one up to here
MOST_APART_DAYS = 30


@dataclass(frozen=True)
class Run:
    """A run folder: `info` is run.json ({} without one), `frame` has one row a request, texts left out
    but for the beginning of the answer where it was kept.

    Columns are those of `folder.row`: `*_unix_ns` are nullable Int64 (never float: a double cannot hold a wall-clock
    nanosecond), by the master's clock, counts nullable integers; durations and rates floats with NaN where absent;
    texts categories; and those of `reports.output`. Histograms of gaps are pooled in `gaps`, of a row there is
    `gaps_ms`, their sum. `notices` says what was odd, `looks` what the server had in memory; a `damaged` requests.csv
    has rows that are not in the frame.
    """

    folder: Path
    info: dict[str, Any]
    frame: Any
    notices: tuple[str, ...]
    looks: tuple[Look, ...] = ()
    damaged: bool = False
    gaps: Gaps = field(default_factory=Gaps)

    @cached_property
    def measured(self) -> Any:
        """The rows that figures are made of: all but those of the warm-up."""
        warm_up = (self.frame["phase"] == "warm-up").to_numpy()
        return self.frame[~warm_up].reset_index(drop=True) if warm_up.any() else self.frame

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
    rows = read(path)
    if rows.absent:
        notices.append(f"requests.csv comes from another version; absent in it: {', '.join(rows.absent)}")
    frame, count = rows.frame, len(rows.frame)
    twice = frame[["worker", "sequence"]].duplicated().to_numpy()
    gone = set(frame.loc[twice, "file_row"])
    if n := len(gone):
        frame = frame[~twice].reset_index(drop=True)
        notices.append(f"{n} rows had come twice (same worker and sequence); one of each is kept")
    _onto_one_clock(frame, dicts(info.get("workers")))
    frame, astray = _of_one_time(frame)
    odd = sorted((*rows.odd, *astray), key=lambda one: one.row)
    notices = [*notices[:MOST_SAID], *(one.said(path.name) for one in odd[:MOST_SAID])]
    if len(odd) > MOST_SAID:
        notices.append(f"{path.name}: {len(odd) - MOST_SAID} more rows are left out, in like manner")
    gone |= {one.row for one in astray}
    if gone:
        rows.gaps.take_out(pooled(path, gone))
    add_output(frame)
    if lost := lost_rows(info, len(frame), len(odd)):
        notices.append(f"{lost.what}; judged by {many(len(frame), 'row')}")
        info = judged_again(path, info, frame["file_row"], lost)
    damaged = len(frame) < count + len(rows.odd)
    return Run(folder, info, frame, tuple(notices), looks(folder / "server.csv"), damaged, rows.gaps)


def _of_one_time(frame: Any) -> tuple[Any, list[Odd]]:
    """Without the rows whose moments lie far from all others'."""
    found = []
    for name in TIMES:
        known = frame.loc[frame[name].notna(), name].astype("int64")
        if not len(known):
            continue
        middle_ns = int(np.sort(known.to_numpy())[len(known) // 2])
        far = known[(known - middle_ns).abs() > MOST_APART_DAYS * 86_400 * 10**9]
        what = f"a moment more than {MOST_APART_DAYS} days from those of the other rows"
        found += [Odd(int(frame.loc[at, "file_row"]), name, what) for at in far.index]
    gone = {one.row for one in found}
    unique = [next(one for one in found if one.row == row) for row in sorted(gone)]
    return (frame[~frame["file_row"].isin(gone)].reset_index(drop=True) if gone else frame), unique


def _onto_one_clock(frame: Any, workers: list[dict[str, Any]]) -> None:
    """Times of workers whose clocks are not the master's become the master's; requests.csv keeps the workers' own."""
    for worker, track in tracks(workers).items():
        own = frame["worker"] == worker
        for name in TIMES:
            known = frame[name].notna() & own
            moments = frame.loc[known, name].astype("int64").tolist()
            frame.loc[known, name] = [ns - ahead_ns(track, ns) for ns in moments]
