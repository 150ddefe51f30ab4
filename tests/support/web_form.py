"""Starting runs by the form of the web UI."""

import json
import time
from pathlib import Path
from typing import Any

import requests


def start(url: str, **fields: str) -> Any:
    """Post the form as the page does: every field, empty ones too."""
    form = {"user_count": "2", "spawn_rate": "2", "run_time": "2s", "model": "", "api_key": "", "max_tokens": "8"}
    return requests.post(f"{url}/swarm", data=form | fields, timeout=60).json()


def wait_for_runs(runs: Path, number: int, url: str = "") -> None:
    """Wait until so many are complete; with the URL also until the next one may begin."""
    for _ in range(1200):
        done = [path for path in runs.glob("*/run.json") if json.loads(path.read_text())["state"] == "complete"]
        if len(done) == number and (not url or _state(url) in ("ready", "stopped")):
            return
        time.sleep(0.1)
    raise AssertionError(f"{number} runs should be complete")


def _state(url: str) -> str:
    return str(requests.get(f"{url}/stats/requests", timeout=60).json()["state"])
