"""What a worker carries: neither what reports and the web UI are made with, nor what few runs need."""

import json
import subprocess
import sys
from pathlib import Path

from locust_process import ROOT, command, environment, processes
from simulator_process import running

# Locust itself imports flask wherever it runs, so that is not among them.
UNWANTED = (
    *("pandas", "numpy", "plotly", "jsonschema_rs", "prometheus_client", "uvicorn", "asyncio"),
    *("tokenswarm.reports", "tokenswarm.web", "tokenswarm.simulator", "reports", "simulator"),
    *("tokenswarm.probe", "tokenswarm.run.otel"),
)
MOST_MB = 62  # 54, of which Locust alone are 47


def test_a_worker_carries_no_more_than_it_needs(tmp_path: Path) -> None:
    told = tmp_path / "told.json"
    mine = tmp_path / "mine.py"
    mine.write_text(f"""
import json, sys
from pathlib import Path
from locust import events
from locust.runners import WorkerRunner
from locustfile import *

@events.test_stop.add_listener
def tell(environment, **_):
    if isinstance(environment.runner, WorkerRunner):
        status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
        kb = int(status["VmRSS"].split()[0])
        Path({str(told)!r}).write_text(json.dumps({{"modules": sorted(sys.modules), "mb": kb / 1024}}))
""")
    load = ("OllamaChatUser", "--model", "sim", "--max-tokens", "8", "-u", "4", "-r", "4", "--run-time", "2s")
    options = ("--headless", "--only-summary", "--no-report", *load, *processes(1))
    with running("--load-ms", "0", "--decode-tps", "500", "--parallel", "16") as sim:
        done = subprocess.run(  # not forked from a process that has imports of its own
            command(sim.url, tmp_path / "runs", *options, locustfile=str(mine)),
            cwd=ROOT,
            env=environment(PYTHONPATH=str(ROOT)),
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
    assert done.returncode == 0, done.stderr
    found = json.loads(told.read_text())
    assert [name for name in found["modules"] if name.startswith(UNWANTED)] == []
    assert found["mb"] < MOST_MB


def test_a_locustfile_is_read_with_the_collector_at_rest_and_without_what_few_runs_need() -> None:
    """What it imports is not walked through by the collector, then and later: a quarter of the time that it takes."""
    code = """
import gc, json, sys
import locust.main, tokenswarm.locustfile
print(json.dumps([gc.isenabled(), gc.get_freeze_count(), len(gc.get_objects()), sorted(sys.modules)]))
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    enabled, frozen, left, modules = json.loads(done.stdout)
    assert enabled
    assert frozen > 100 * left
    few = (*UNWANTED, "tokenswarm.capacity.controller")
    assert [name for name in modules if name.startswith(few)] == []
