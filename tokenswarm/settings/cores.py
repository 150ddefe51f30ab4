"""`--processes -1`: one worker for each core that this process may use, less one where the server is this machine."""

import math
import os
import socket
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tokenswarm.settings.addresses import loopback
from tokenswarm.settings.errors import UsageError
from tokenswarm.settings.target import target

CGROUP = Path("/sys/fs/cgroup/cpu.max")


def choose_processes(options: Any, environment: Mapping[str, str] = os.environ) -> None:
    """Put a number in the place of -1, and say which; Locust would count cores that are others'."""
    if options.processes != -1:
        return
    cores = usable()
    try:
        local = here(target(options.host, environment).host)
    except UsageError:  # it is said later
        local = False
    options.processes = max(1, cores - local)
    if not options.worker:
        less = ", less one for the server, which is this machine" if local and cores > 1 else ""
        workers = "1 worker" if options.processes == 1 else f"{options.processes} workers"
        print(f"tokenswarm: {workers}: {cores} core{'' if cores == 1 else 's'}{less}", file=sys.stderr)


def usable(limit: Path = CGROUP) -> int:
    """Cores that this process may use: those it may run on, as far as a container's limit allows; one at least."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    try:
        quota, period = limit.read_text().split()
        return max(1, min(cores, math.floor(int(quota) / int(period))))
    except (OSError, ValueError, ZeroDivisionError):  # none, or "max"
        return cores


def here(host: str) -> bool:
    """Is it this machine, by its name or one of its addresses?"""
    if loopback(host) or host == socket.gethostname():
        return True
    address = host.strip("[]")
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    try:
        socket.inet_pton(family, address)
        with socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.bind((address, 0))
    except OSError:  # a name, or another machine's
        return False
    return True
