"""Starts a module by a process that has its imports done and forks (see `preloaded.py`)."""

import atexit
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
from functools import cache
from pathlib import Path

HERE = Path(__file__).parent
RELAY = (sys.executable, "-I", "-S", str(HERE / "relay.py"))
REPORTS = "tokenswarm.reports"


def forked(full: list[str], *, together: bool = False) -> list[str]:
    """The same command by `preloaded`, which saves the time of its imports; its children are not this process's.

    The report of a run comes from such a process, too. `together`: a signal goes to its children as well, as in a
    terminal; the command must be given a session of its own.
    """
    at = full.index("-m")
    module, arguments = full[at + 1], full[at + 2 :]
    reports = preloaded(REPORTS, ("-P",)) if module == "locust" and "--no-report" not in arguments else ""
    way = json.dumps({"reports": reports, "together": together})
    return [*RELAY, preloaded(module, tuple(full[1:at])), way, *arguments]


@cache
def preloaded(module: str, options: tuple[str, ...]) -> str:
    """Where a process listens that has the module's imports done; it ends with this one."""
    path = Path(tempfile.mkdtemp()) / module
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen(64)
        number = listener.fileno()
        command = [sys.executable, *options, str(HERE / "preloaded.py"), str(number), module]
        env = {name: value for name, value in os.environ.items() if not name.startswith(("LOCUST_", "TOKENSWARM_"))}
        env["OPENBLAS_NUM_THREADS"] = "1"  # a fork would have none of its threads
        server = subprocess.Popen(command, env=env, stdin=subprocess.PIPE, pass_fds=[number])

    def end() -> None:
        server.kill()
        server.wait()
        shutil.rmtree(path.parent, ignore_errors=True)

    atexit.register(end)
    return str(path)
