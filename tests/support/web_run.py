"""Locust's web UI with this suite, as a process."""

import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import requests
from locust_process import ROOT, command, environment, forked, free_port
from simulator_process import Simulator


@contextmanager
def web(simulator: Simulator, run_dir: Path, *options: str, **env: str) -> Iterator[str]:
    """Locust with its UI on a free port; ended by its own id."""
    port = free_port()
    full = command(simulator.url, run_dir, "--web-host", "127.0.0.1", "--web-port", str(port), *options)
    url = f"http://127.0.0.1:{port}"
    with (run_dir.parent / "locust.log").open("w") as log:
        process = subprocess.Popen(forked(full), cwd=ROOT, env=environment(**env), stdout=log, stderr=subprocess.STDOUT)
        try:
            while process.poll() is None:
                with suppress(requests.RequestException):
                    requests.get(url, timeout=5)
                    break
                time.sleep(0.1)
            yield url
        finally:
            process.terminate()
            process.wait(180)
