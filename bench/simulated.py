"""One run of Locust on the simulator, as a user has it; and where in docs/ its figures go."""

import re
import subprocess
import sys
from contextlib import AbstractContextManager
from pathlib import Path

from bench.measure import clean_environment
from bench.truth import ROOT, listening


def serving(*options: str) -> AbstractContextManager[str]:
    """Run the simulator on a free port; gives its URL."""
    return listening("tokenswarm.simulator", *options)


def run(url: str, runs: Path, *options: str) -> Path:
    """A run of OllamaChatUser to its end; its folder. SystemExit if it went wrong."""
    command = [sys.executable, "-m", "locust", "--host", url, "--model", "sim", "--headless", "--only-summary"]
    command += ["--loglevel", "ERROR", "--no-report", "--run-dir", str(runs), "OllamaChatUser", *options]
    done = subprocess.run(command, cwd=ROOT, env=clean_environment(), capture_output=True, text=True, check=False)
    found = sorted(runs.glob("*/requests.csv"))
    if not found or done.returncode not in (0, 1):
        sys.exit(f"bench: locust ended with {done.returncode}: {done.stderr[-2000:]}")
    return found[-1].parent


def publish(name: str, text: str, path: Path) -> None:
    """Print a result, and put it where a page and its Chinese twin have their place."""
    print(text)
    begin, end = f"<!-- {name}:", f"<!-- /{name} -->"
    pattern = re.compile(rf"({re.escape(begin)}[^\n]*-->\n).*?({re.escape(end)})", re.DOTALL)
    for each in (path, path.with_suffix(".zh-CN.md")):
        if each.exists():
            page = each.read_text(encoding="utf-8")
            each.write_text(pattern.sub(lambda m: f"{m[1]}\n{text}\n\n{m[2]}", page), encoding="utf-8")
