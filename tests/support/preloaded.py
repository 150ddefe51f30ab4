"""A process that has imported what a module needs, and forks for whoever would start that module (see `forked.py`).

What that does is the same, but for its imports: 1.3 s of CPU for Locust, 0.3 s for the simulator. Nothing here may
begin a greenlet or a thread, which a fork would halve: so it keeps to the system's calls, taken before gevent patches.
"""

import _socket
import array
import ast
import ctypes
import gc
import importlib
import inspect
import json
import os
import runpy
import select
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
RELAY = (sys.executable, "-I", "-S", str(Path(__file__).with_name("relay.py")))
FORK, WAIT, POLL, SIGNAL = os.fork, os.waitpid, select.poll, signal.signal
PR_SET_PDEATHSIG = 1


def preload(module: str) -> None:
    """What the module imports; and what the locustfile does, which itself speaks to Locust's events."""
    sys.path[0] = str(ROOT)
    main = "locust.main" if module == "locust" else f"{module}.__main__"
    importlib.import_module(main)
    sys.modules.pop(f"{module}.__main__", None)  # it is run, not imported
    for node in ast.walk(ast.parse((ROOT / "locustfile.py").read_text())) if module == "locust" else ():
        if isinstance(node, ast.ImportFrom) and node.module:
            __import__(node.module, fromlist=[one.name for one in node.names])
    inspect.stack()  # the first one, which each run needs, looks through all modules
    if module == "tokenswarm.reports":
        report_once()


def report_once() -> None:
    """The first report imports and compiles what the others then have."""
    sys.path.insert(1, str(Path(__file__).parent))
    from golden.make import folder, golden_records

    from tokenswarm.reports.write import report

    with tempfile.TemporaryDirectory() as path:
        report(folder(Path(path), golden_records()))
    del sys.path[1]


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
    asked, files = ask(connection)
    end, wake = os.pipe()
    os.set_blocking(wake, False)
    signal.set_wakeup_fd(wake)
    SIGNAL(signal.SIGCHLD, lambda *_: None)
    pid = FORK()
    if not pid:
        if sys.platform == "linux":  # nobody would end it, nor hear how it ends
            ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if asked["leads"]:
            os.setsid()
        signal.set_wakeup_fd(-1)
        SIGNAL(signal.SIGCHLD, signal.SIG_DFL)
        for at, file in enumerate(files):
            os.dup2(file, at)
        for file in (*files, connection.detach(), end, wake):
            os.close(file)
        return asked
    os.closerange(0, 3)
    for file in files:
        os.close(file)
    poll = POLL()
    poll.register(end, select.POLLIN)
    poll.register(connection.fileno(), select.POLLIN)
    gone = 0
    while not gone:
        ready = dict(poll.poll())
        if connection.fileno() in ready:
            if number := connection.recv(1):
                (os.killpg if asked["together"] else os.kill)(pid, number[0])
            else:  # who asked is gone
                (os.killpg if asked["leads"] else os.kill)(pid, signal.SIGKILL)
                poll.unregister(connection.fileno())
        if end in ready:  # it has ended; or was stopped, or goes on
            os.read(end, 1 << 10)
            gone, status = WAIT(pid, os.WNOHANG)
    code = os.waitstatus_to_exitcode(status)
    try:
        connection.send(code.to_bytes(4, "big", signed=True))
    finally:
        os._exit(0)


def serve(listener: Any) -> dict[str, Any]:
    """Until the standard input ends, fork for each connection; returns in a new process only."""
    SIGNAL(signal.SIGCHLD, signal.SIG_IGN)
    poll = POLL()
    poll.register(listener.fileno(), select.POLLIN)
    poll.register(0, select.POLLIN)
    while True:
        if 0 in dict(poll.poll()):
            os._exit(0)
        connection = _socket.socket(fileno=listener._accept()[0])
        if not FORK():
            os.close(listener.detach())  # no other of the open files is ours: what was imported has some
            asked = supervise(connection)
            assert asked is not None
            return asked
        connection.close()


def fork_reports(listens: str) -> None:
    """Have this process's reports made by one that forks for them, too: their imports take longer than they do."""
    run = subprocess.run

    def relayed(command: list[str], **more: Any) -> Any:
        if "tokenswarm.reports" in command:
            way = json.dumps({"reports": "", "together": False})
            command = [*RELAY, listens, way, *command[command.index("tokenswarm.reports") + 1 :]]
        return run(command, **more)

    subprocess.run = relayed


def become(module: str, asked: dict[str, Any]) -> None:
    """Run the module as `python -m` does."""
    if "gevent" in sys.modules:
        sys.modules["gevent"].reinit()
    signal.signal(signal.SIGINT, signal.default_int_handler)  # ignored where the tests run in the background
    for number, name in enumerate(("stdin", "stdout", "stderr")):  # what they write to may be another kind of file
        was, mode = getattr(sys, name), "w" if number else "r"
        now = open(number, mode, encoding=was.encoding, errors=was.errors, closefd=False)  # noqa: SIM115
        now.reconfigure(line_buffering=number == 2 or now.isatty())
        setattr(sys, name, now)
    os.environ.clear()
    os.environ.update(asked["env"])
    os.chdir(asked["cwd"])
    sys.path[:1] = [asked["cwd"], *filter(None, asked["env"].get("PYTHONPATH", "").split(os.pathsep))]
    sys.argv = [module, *asked["arguments"]]
    if asked["reports"]:
        fork_reports(asked["reports"])
    runpy.run_module(module, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    listener = _socket.socket(fileno=int(sys.argv[1]))
    preload(module := sys.argv[2])
    gc.freeze()  # what is here is never garbage, and stays shared
    become(module, serve(listener))
