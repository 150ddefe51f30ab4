"""In the place of `python -m …`: has a process forked that has its imports done, and is it to whoever started this.

It has its input, output, directory and environment, gets its signals (but SIGKILL, with which it dies, and SIGSTOP),
and ends as it ends.
"""

import json
import os
import signal
import socket
import sys

LOST = 70  # how the process ended is not known: who would have said it is gone


def main(path: str, way: str, arguments: list[str]) -> int:
    """The exit code of the process; negative for a signal. `way` is how `forked` wants it, as JSON."""
    asks = {"arguments": arguments, "env": dict(os.environ), "cwd": os.getcwd(), "leads": os.getsid(0) == os.getpid()}
    asked = json.dumps(asks | json.loads(way)).encode()
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(path)
        socket.send_fds(connection, [len(asked).to_bytes(4, "big")], [0, 1, 2])
        connection.sendall(asked)
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, lambda number, _: connection.send(bytes([number])))
        said = connection.recv(4)
    return int.from_bytes(said, "big", signed=True) if len(said) == 4 else LOST


if __name__ == "__main__":
    code = main(sys.argv[1], sys.argv[2], sys.argv[3:])
    if code < 0:
        signal.signal(-code, signal.SIG_DFL)
        os.kill(os.getpid(), -code)
    os._exit(code)
