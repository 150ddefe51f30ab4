"""What a command costs: CPU of all its processes, wall time, memory. Linux."""

import os
import resource
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

_SAMPLE_S = 0.25


@dataclass(frozen=True, slots=True)
class Spent:
    """`cpu_s` is user + system time of all its processes, `peak_mb` the greatest sum of their resident sizes.

    Pages that processes share count in each of them. `exit_code` is None of a command that was ended for its time.
    """

    cpu_s: float
    wall_s: float
    peak_mb: float
    exit_code: int | None


def spend(
    command: Sequence[str], *, cwd: Path, log: Path, limit_s: float, environment: Mapping[str, str] | None = None
) -> Spent:
    """Run a command in a session of its own, its output in `log`, and measure it; after `limit_s` it is ended.

    CPU time is the greater of what the kernel says of the child and all that it has waited for, and of the sum over
    the session's processes as they were last seen: the first knows no processes that nobody waited for, the second
    not the last quarter of a second. No other child of ours may end meanwhile.
    """
    began_s, began_cpu_s, peak_mb = time.monotonic(), _children_cpu_s(), 0.0
    seen_cpu_s: dict[int, float] = {}
    with log.open("wb") as output:
        child = subprocess.Popen(
            command,
            cwd=cwd,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    while (exit_code := child.poll()) is None and time.monotonic() - began_s < limit_s:
        time.sleep(_SAMPLE_S)
        processes = _session(child.pid)
        seen_cpu_s |= {pid: cpu_s for pid, (cpu_s, _) in processes.items()}
        peak_mb = max(peak_mb, sum(size_mb for _, size_mb in processes.values()))
    wall_s = time.monotonic() - began_s
    for pid in _session(child.pid):
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    child.wait()
    cpu_s = max(_children_cpu_s() - began_cpu_s, sum(seen_cpu_s.values()))
    return Spent(cpu_s, wall_s, peak_mb, exit_code)


def _children_cpu_s() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def _session(leader: int) -> dict[int, tuple[float, float]]:
    """CPU seconds and resident MB of each living process of a session."""
    found = {}
    for process in psutil.process_iter():
        with suppress(psutil.Error, ProcessLookupError):  # it has just ended
            if os.getsid(process.pid) == leader and process.status() != psutil.STATUS_ZOMBIE:
                times = process.cpu_times()
                found[process.pid] = times.user + times.system, process.memory_info().rss / 2**20
    return found
