"""Locust as a process of its own, as a user runs it, and what it left in its run folder."""

import csv
import json
import os
import signal
import socket
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from random import SystemRandom
from typing import Any

from forked import forked

ROOT = Path(__file__).parents[2]
# What makes the run of a client INVALID that is not alone on its machine, whatever the server does.
BUSY_MACHINE = {"late reads", "late dispatch", "loop lag", "worker CPU", "lateness", "clock steps"}


def free_port() -> int:
    """A port that nothing listens on; the kernel, which chooses higher ones, gives it to nobody meanwhile."""
    while True:
        port = SystemRandom().randrange(10_000, 32_000)
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


def processes(number: int) -> tuple[str, ...]:
    """`--processes` on a port of its own, so that runs may go on side by side."""
    port = str(free_port())
    bound = ("--master-bind-host", "127.0.0.1", "--master-bind-port", port, "--master-port", port)
    return ("--processes", str(number), *bound)


def command(url: str, run_dir: Path, *options: str, locustfile: str = "locustfile.py") -> list[str]:
    """Locust's command line; without a URL the host is left to the environment."""
    base = [sys.executable, "-m", "locust", "-f", locustfile, "--run-dir", str(run_dir)]
    return [*base, *(["--host", url] if url else []), *options]


def environment(**changes: str) -> dict[str, str]:
    """The process's environment without anything that would reach our options; no run waits for an idle GPU's power."""
    foreign = ("TOKENSWARM_", "LOCUST_", "OLLAMA_", "OPENAI_")
    return {k: v for k, v in os.environ.items() if not k.startswith(foreign)} | {"TOKENSWARM_IDLE_TIME": "0s"} | changes


def headless(
    url: str, run_dir: Path, *options: str, locustfile: str = "locustfile.py", **env: str
) -> subprocess.CompletedProcess[str]:
    """A headless run to its end."""
    full = forked(command(url, run_dir, "--headless", "--only-summary", *options, locustfile=locustfile))
    env = environment(**env)
    return subprocess.run(full, cwd=ROOT, env=env, capture_output=True, text=True, timeout=180, check=False)


@contextmanager
def started(
    url: str, run_dir: Path, *options: str, itself: bool = False, together: bool = False
) -> Iterator[subprocess.Popen[str]]:
    """A headless run that goes on, in a process group of its own; whatever happens, nothing of it stays.

    `itself`: what is given is Locust, whose workers are its children; else what stands for it (see `forked`).
    """
    full, pipes = command(url, run_dir, "--headless", "--only-summary", *options), (subprocess.PIPE, subprocess.STDOUT)
    full = full if itself else forked(full, together=together)
    process = subprocess.Popen(
        full, cwd=ROOT, env=environment(), text=True, stdout=pipes[0], stderr=pipes[1], start_new_session=True
    )
    try:
        yield process
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


@dataclass
class Run:
    """A run folder, read back."""

    path: Path
    rows: list[dict[str, str]]
    run: dict[str, Any]

    @property
    def outcomes(self) -> Counter[str]:
        return Counter(row["outcome"] for row in self.rows)

    def total(self, column: str) -> int:
        return sum(int(row[column]) for row in self.rows if row[column])

    def identities(self) -> set[tuple[str, str]]:
        return {(row["worker"], row["sequence"]) for row in self.rows}

    def rules(self, level: str = "") -> set[str]:
        """Names of the rules of validity that found something (at that level)."""
        found = self.run["validity"]["findings"]
        return {finding["rule"] for finding in found if finding["level"].startswith(level)}

    def summary(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads((self.path / "summary.json").read_text())
        return found


def folder(run_dir: Path, *, killed: bool = False) -> Run:
    """The one run folder in a run directory; nothing is left of the workers' spools unless one of them was killed."""
    (path,) = (path for path in run_dir.iterdir() if not (killed and path.name == "spool"))
    with (path / "requests.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    return Run(path, rows, json.loads((path / "run.json").read_text()))


def report(*arguments: object) -> subprocess.CompletedProcess[str]:
    """`python -m reports …`."""
    full = forked([sys.executable, "-P", "-m", "tokenswarm.reports", *map(str, arguments)])
    return subprocess.run(full, cwd=ROOT, env=environment(), capture_output=True, text=True, timeout=180, check=False)
