"""A real Prometheus as a process, with deploy's configuration: it scrapes an endpoint of ours and is asked."""

import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
import requests
from locust_process import ROOT, free_port

Answers = list[dict[str, Any]]


class Prometheus:
    """One that listens at `base`."""

    def __init__(self, base: str) -> None:
        self._base = base

    def ask(self, query: str, at_s: float | None = None) -> Answers:
        """The series that a query has (now, or at that moment)."""
        return self._get("query", query=query, **({} if at_s is None else {"time": at_s}))

    def over(self, query: str, from_s: float, to_s: float, step_s: float = 1.0) -> Answers:
        """The series that a query has over a time, as a panel asks."""
        return self._get("query_range", query=query, start=from_s, end=to_s, step=step_s)

    def value(self, query: str, at_s: float | None = None) -> float | None:
        """Of a query with one series."""
        found = self.ask(query, at_s)
        return float(found[0]["value"][1]) if found else None

    def _get(self, what: str, **params: Any) -> Answers:
        with suppress(requests.ConnectionError):
            answer = requests.get(f"{self._base}/api/v1/{what}", params=params, timeout=30)
            assert answer.status_code != 400, (params, answer.text)
            return list(answer.json()["data"]["result"]) if answer.ok else []
        return []


@contextmanager
def scraping(target: str, path: Path, password: str = "") -> Iterator[Prometheus | None]:
    """It asks the target (host:port) every second; None where it is not installed."""
    if not shutil.which("prometheus"):
        yield None
        return
    text = (ROOT / "deploy/prometheus/prometheus.yml").read_text()
    given = path / "prometheus-password"
    given.write_text(password)
    replaced = (("master:8089", target), ("/run/secrets/web_password", str(given)), ("interval: 5s", "interval: 1s"))
    for theirs, ours in replaced:
        assert theirs in text
        text = text.replace(theirs, ours)
    (path / "prometheus.yml").write_text(text)
    where = f"127.0.0.1:{free_port()}"
    options = (f"--config.file={path / 'prometheus.yml'}", f"--storage.tsdb.path={path / 'tsdb'}")
    with (path / "prometheus.log").open("w") as log:
        full = ["prometheus", *options, f"--web.listen-address={where}"]
        process = subprocess.Popen(full, stdout=log, stderr=subprocess.STDOUT)
    found = Prometheus(f"http://{where}")
    try:
        for _ in range(600):
            if found.ask("vector(1)"):
                break
            time.sleep(0.1)
        yield found
    finally:
        process.terminate()
        process.wait(180)


def skip_without() -> None:
    """Skip a test that needs it where it is not installed; in CI it must be."""
    if not shutil.which("prometheus"):
        assert not os.environ.get("CI"), "Prometheus is not installed: apt-get install prometheus"
        pytest.skip("apt-get install prometheus")
