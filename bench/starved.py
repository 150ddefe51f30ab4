"""`python -m bench.starved SHARE COMMAND…`: run a command that gets only so much of a core, by stopping it in between.

A process that is stopped and let go 20 times a second stands for a client on a machine with too much else to do.
"""

import os
import signal
import subprocess
import sys
import time

PERIOD_S = 0.05
BEGIN_S = 8.0  # until the load begins it may run


def main() -> int:
    """The command's exit code."""
    share, command = float(sys.argv[1]), sys.argv[2:]
    process = subprocess.Popen(command)
    time.sleep(BEGIN_S)
    while process.poll() is None:
        os.kill(process.pid, signal.SIGSTOP)
        time.sleep(PERIOD_S * (1 - share))
        os.kill(process.pid, signal.SIGCONT)
        time.sleep(PERIOD_S * share)
    return process.returncode


if __name__ == "__main__":
    sys.exit(main())
