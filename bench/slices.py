"""Slices of a core: processes that get so much of one and no more, as if each had a slower core of its own.

By Linux's CPU bandwidth control (cgroup v1 or v2), a millisecond at a time, the least that there is. They come before
whatever else the machine does. It takes root, or a cgroup of one's own.
"""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path

ROOT = Path("/sys/fs/cgroup")
QUOTA_US = 1000
SHARES, WEIGHT = 8192, 800  # eight times that of other processes, in the units of v1 and v2
_number = count()


@contextmanager
def slice_of(share: float | None) -> Iterator[Path]:
    """A slice, without a limit for None. SystemExit where there are none to be had."""
    one = (ROOT / "cpu").is_dir()  # cgroup v1 has a tree of its own for each resource
    path = (ROOT / "cpu" if one else ROOT) / f"tokenswarm-bench-{os.getpid()}-{next(_number)}"
    try:
        path.mkdir()
        (path / ("cpu.shares" if one else "cpu.weight")).write_text(str(SHARES if one else WEIGHT))
        if share:
            period_us = round(QUOTA_US / share)
            if one:
                (path / "cpu.cfs_period_us").write_text(str(period_us))
                (path / "cpu.cfs_quota_us").write_text(str(QUOTA_US))
            else:
                (path / "cpu.max").write_text(f"{QUOTA_US} {period_us}")
    except OSError as error:
        if path.exists():
            path.rmdir()
        sys.exit(f"bench: no slices of a core here: {error}; it takes root and cgroups that may be written")
    try:
        yield path
    finally:
        path.rmdir()


def move(path: Path, pid: int | None = None) -> None:
    """Have a process, or this one, live in a slice."""
    (path / "cgroup.procs").write_text(str(pid or os.getpid()))
