"""One run of Locust on the simulator, as a user has it; and where in docs/ its figures go."""

import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench.measure import clean_environment, free_port
from bench.truth import ROOT

LISTENS = "simulator: listening on "


@dataclass(frozen=True, slots=True)
class Server:
    """A simulator that runs."""

    url: str
    process: "subprocess.Popen[str]"


@contextmanager
def serving(*options: str) -> Iterator[Server]:
    """A simulator."""
    command = [sys.executable, "-m", "tokenswarm.simulator", "--port", "0", *options]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield Server(process.stdout.readline().removeprefix(LISTENS).strip(), process)
        finally:
            process.terminate()
            process.communicate()


def start(url: str, runs: Path, *options: str, workers: int = 1) -> "subprocess.Popen[str]":
    """Locust, just begun, with OllamaChatUser."""
    command = [sys.executable, "-m", "locust", "--host", url, "--model", "sim", "--headless", "--only-summary"]
    command += ["--loglevel", "ERROR", "--no-report", "--run-dir", str(runs), "OllamaChatUser", *options]
    if workers > 1:
        port = str(free_port())
        command += ["--processes", str(workers), "--master-bind-host", "127.0.0.1"]
        command += ["--master-bind-port", port, "--master-port", port]
    env = clean_environment()
    return subprocess.Popen(command, cwd=ROOT, env=env, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True)


def finished(process: "subprocess.Popen[str]", runs: Path) -> Path:
    """The run's folder, when it has ended. SystemExit if it went wrong."""
    _, said = process.communicate()
    found = sorted(runs.glob("*/requests.csv"))
    if not found or process.returncode not in (0, 1):
        sys.exit(f"bench: locust ended with {process.returncode}: {said[-2000:]}")
    return found[-1].parent


@contextmanager
def temporary() -> Iterator[Path]:
    """A folder for one run."""
    with tempfile.TemporaryDirectory() as name:
        yield Path(name)


def publish(name: str, text: str, path: Path) -> None:
    """Print a result, and put it where a page and its Chinese twin have their place."""
    print(text)
    begin, end = f"<!-- {name}:", f"<!-- /{name} -->"
    pattern = re.compile(rf"({re.escape(begin)}[^\n]*-->\n).*?({re.escape(end)})", re.DOTALL)
    for each in (path, path.with_suffix(".zh-CN.md")):
        if each.exists():
            page = each.read_text(encoding="utf-8")
            each.write_text(pattern.sub(lambda m: f"{m[1]}\n{text}\n\n{m[2]}", page), encoding="utf-8")
