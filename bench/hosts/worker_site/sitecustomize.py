"""What a worker on trial loads before all else, by PYTHONPATH: a clock that can be set, and a witness of its requests.

The kernel has no namespace for the wall clock, so it is shifted where Python reads it (`time`) and where the kernel's
stamps are read. The environment says:

    HOSTS_CLOCK             a file of 8 bytes: how far this host's clock is ahead, ns; it may change at any time
    HOSTS_WITNESS           a file that gets a line for each request that ended here: run, worker, sequence, wall-clock
                            ns of the true clock. Written before the suite hears of the request, and not by the suite
    HOSTS_MASTER_TIMEOUT_S  how long a worker waits for its master's heartbeat, instead of Locust's 60 s
"""

import mmap
import os
import struct
import sys
import time
from collections.abc import Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from types import ModuleType
from typing import Any

_true_time, _true_time_ns = time.time, time.time_ns
_clock = mmap.mmap(os.open(os.environ["HOSTS_CLOCK"], os.O_RDONLY), 8, access=mmap.ACCESS_READ)
_witness = os.open(os.environ["HOSTS_WITNESS"], os.O_WRONLY | os.O_CREAT | os.O_APPEND)


def _ahead_ns() -> int:
    return int(struct.unpack_from("=q", _clock)[0])


def _shift_stamps(stamps: Any) -> None:
    original = stamps.stamp_ns

    def stamp_ns(ancillary: Any) -> int | None:
        found = original(ancillary)
        return None if found is None else found + _ahead_ns()

    stamps.stamp_ns = stamp_ns


def _bear_witness(publish: Any) -> None:
    original = publish.Publisher.on_generation

    def on_generation(publisher: Any, record: Any, *more: Any, **named: Any) -> None:
        who = record.identity
        line = f"{publisher.run_id} {who.worker} {who.sequence} {_true_time_ns()}\n"
        os.write(_witness, line.encode())
        original(publisher, record, *more, **named)

    publish.Publisher.on_generation = on_generation


def _set_timeout(runners: Any) -> None:
    runners.MASTER_HEARTBEAT_TIMEOUT = float(os.environ["HOSTS_MASTER_TIMEOUT_S"])


CHANGES = {
    "tokenswarm.transport.kernel_stamps": _shift_stamps,
    "tokenswarm.run.publisher": _bear_witness,
    "locust.runners": _set_timeout,
}


class _Changed(Loader):
    def __init__(self, loader: Loader) -> None:
        self._loader = loader

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        return self._loader.create_module(spec)

    def exec_module(self, module: ModuleType) -> None:
        self._loader.exec_module(module)
        CHANGES[module.__name__](module)


class _Finder(MetaPathFinder):
    def find_spec(self, name: str, path: Sequence[str] | None, target: ModuleType | None = None) -> ModuleSpec | None:
        spec = PathFinder.find_spec(name, path, target) if name in CHANGES else None
        if spec and spec.loader:
            spec.loader = _Changed(spec.loader)
        return spec


time.time = lambda: _true_time() + _ahead_ns() / 1e9
time.time_ns = lambda: _true_time_ns() + _ahead_ns()
sys.meta_path.insert(0, _Finder())
