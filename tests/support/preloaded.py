"""A process that has imported Locust and our engine, and forks for every run that is asked of it (see `forked.py`).

What a run does is the same, but 1.3 s of CPU for its imports. Nothing here may begin a greenlet or a thread, which a
fork would halve: so it keeps to the system's own calls, taken before Locust has gevent patch them.
"""

import _socket
import array
import ast
import gc
import importlib
import json
import os
import runpy
import select
import signal
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
FORK, WAIT, POLL = os.fork, os.waitpid, select.poll


def preload() -> None:
    """All that the locustfile imports, but not itself: it speaks to Locust's events as it is imported."""
    sys.path[0] = str(ROOT)
    for node in ast.parse((ROOT / "locustfile.py").read_text()).body:
        if isinstance(node, ast.ImportFrom) and node.module:
            __import__(node.module, fromlist=[one.name for one in node.names])
    importlib.import_module("locust.main")


def ask(connection: Any) -> tuple[dict[str, Any], list[int]]:
    """What is asked for, and the three files of the one who asks."""
    data, more, _, _ = connection.recvmsg(4, _socket.CMSG_LEN(12))
    files = array.array("i")
    for _, _, part in more:
        files.frombytes(part)
    length = int.from_bytes(data, "big")
    data = b""
    while len(data) < length:
        data += connection.recv(length - len(data))
    return json.loads(data), list(files)


def supervise(connection: Any) -> dict[str, Any] | None:
    """Begin what is asked for, pass signals on, and say how it ended. In the new process it returns what is asked."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    asked, files = ask(connection)
    pid = FORK()
    if not pid:
        for at, file in enumerate(files):
            os.dup2(file, at)
        os.closerange(3, 1024)
        return asked
    os.closerange(0, 3)
    for file in files:
        os.close(file)
    end, poll = os.pidfd_open(pid), POLL()
    poll.register(end, select.POLLIN)
    poll.register(connection.fileno(), select.POLLIN)
    while end not in (ready := dict(poll.poll())):
        if ready:
            number = connection.recv(1)
            os.kill(pid, number[0] if number else signal.SIGKILL)  # who asked is gone
            if not number:
                break
    code = os.waitstatus_to_exitcode(WAIT(pid, 0)[1])
    try:
        connection.send(code.to_bytes(4, "big", signed=True))
    finally:
        os._exit(0)


def serve(listener: Any) -> dict[str, Any]:
    """Until the standard input ends, fork for each connection; returns in a new process only."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    poll = POLL()
    poll.register(listener.fileno(), select.POLLIN)
    poll.register(0, select.POLLIN)
    while True:
        if 0 in dict(poll.poll()):
            os._exit(0)
        connection = _socket.socket(fileno=listener._accept()[0])
        if not FORK():
            asked = supervise(connection)
            assert asked is not None
            return asked
        connection.close()


def become(asked: dict[str, Any]) -> None:
    """Run Locust as `python -m locust` does."""
    import gevent

    gevent.reinit()
    os.environ.clear()
    os.environ.update(asked["env"])
    os.chdir(asked["cwd"])
    sys.path[:1] = [asked["cwd"], *filter(None, asked["env"].get("PYTHONPATH", "").split(os.pathsep))]
    sys.argv = ["locust", *asked["arguments"]]
    runpy.run_module("locust", run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    listener = _socket.socket(fileno=int(sys.argv[1]))
    preload()
    gc.freeze()  # what is here is never garbage, and stays shared
    become(serve(listener))
