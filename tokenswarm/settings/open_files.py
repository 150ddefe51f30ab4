"""How many files this process may have open: each connection is one, and many systems allow 1,024."""

import contextlib
import math
import sys
from typing import Any

from tokenswarm.settings.errors import UsageError

SPARE = 64  # for all that is no connection of a user
ADVICE = "fewer, more processes (--processes), or ulimit -n"


def allow(connections: int, what: str) -> None:
    """Have so many connections allowed. Raises UsageError where the system does not let us."""
    if sys.platform == "win32":
        return
    import resource

    needed = connections + SPARE
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY or soft >= needed:
        return
    with contextlib.suppress(ValueError, OSError):
        most = hard if hard == resource.RLIM_INFINITY else max(needed, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (needed, most))
        return
    raise UsageError(f"{what} need {needed:,} open files, and this system allows {hard:,}: {ADVICE} {needed}")


def check_users(options: Any, most_users: int) -> None:
    """Can all users of this machine have their connections? Raises UsageError; of other machines nothing is known."""
    processes = options.processes or 1
    if not (options.master or options.worker) or options.processes:
        allow(math.ceil(most_users / processes), f"{most_users:,} users")
