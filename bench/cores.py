"""Cores of their own for server and client, as if each had a machine: else the scheduler's turns are what is measured.

With fewer cores than that takes, as for two workers on two cores, they share all.
"""

import os
from collections.abc import Callable

Cores = frozenset[int]


def available() -> Cores:
    """Cores that this process may use; none where the system does not say."""
    return frozenset(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else frozenset()


def split(workers: int) -> tuple[Cores, Cores]:
    """(the server's, the clients')."""
    all_cores = available()
    server = frozenset(sorted(all_cores)[:1])
    clients = all_cores - server
    return (server, clients) if len(clients) >= workers else (all_cores, all_cores)


def pinned(cores: Cores) -> Callable[[], None] | None:
    """For `preexec_fn`: bind the new process to some cores."""
    return (lambda: os.sched_setaffinity(0, cores)) if cores else None
