"""Locust's web UI in a real browser: the form starts a run, token rows appear, Aggregated counts generations only."""

import json
import os
import time
from pathlib import Path

import requests
from browser import Browser, browser
from locust_process import folder, processes
from simulator_process import running
from web_run import web

KEY = "sk-very-secret-5678"


def _fill(window: Browser, **fields: str) -> None:
    for name, text in fields.items():
        window.fill(f"input[name={name}]", text)


def test_a_run_from_the_form(tmp_path: Path) -> None:
    runs = tmp_path / "runs"
    with (
        running("--parallel", "4", "--decode-tps", "100") as simulator,
        browser() as window,
        web(simulator, runs, *processes(2), "--api-key", KEY) as url,
    ):
        window.open(url)
        window.find("input[name=userCount]")
        assert KEY not in window.script("return document.documentElement.outerHTML")
        # A mistake in the form is answered with its line; nothing starts.
        for button in ("Advanced options", "Custom parameters"):
            window.script(
                f"[...document.querySelectorAll('button')].find(b => b.innerText.includes('{button}'))?.click()"
            )
        _fill(window, userCount="4", spawnRate="4", runTime="8s", model="smi")
        window.click("button[type=submit]")
        window.wait_for("has no model 'smi' (did you mean 'sim'?)")
        assert not list(runs.glob("*"))
        _fill(window, model="sim", maxTokens="30")
        window.click("button[type=submit]")
        window.wait_for("Aggregated")
        text = window.wait_for("decode_tokens_per_s")
        assert all(row in text for row in ("ttft_ms", "tpot_ms", "output_tokens", "queue_ms", "/api/chat sim"))
        stats = requests.get(f"{url}/stats/requests", timeout=10).json()["stats"]
        generations = sum(entry["num_requests"] for entry in stats if entry["method"] == "POST")
        (aggregated,) = (entry for entry in stats if entry["name"] == "Aggregated")
        assert aggregated["num_requests"] == generations > 0
        if picture := os.environ.get("SCREENSHOT"):
            window.screenshot(Path(picture))
        report = _wait_for_report(runs)
        run = report.parent.name
        # The run's verdict is in the tab of its own.
        window.script(
            "[...document.querySelectorAll('button')].find(b => b.innerText.trim().toUpperCase() == 'RUNS').click()"
        )
        text = window.wait_for(run)
        assert "VALID" in text
        if picture := os.environ.get("SCREENSHOT"):
            window.screenshot(Path(picture).with_suffix(".runs.png"))
        assert requests.get(f"{url}/runs/{run}/report.html", timeout=10).text == report.read_text()
        for outside in (f"{run}/../../locust.log", f"{run}/locust_stats.csv", "..%2F..%2Fx/run.json"):
            assert requests.get(f"{url}/runs/{outside}", timeout=10).status_code == 404
    finished = folder(runs)
    assert finished.run["state"] == "complete"
    assert finished.run["options"]["max_tokens"] == 30
    assert {row["worker"] for row in finished.rows} == {"0", "1"}
    assert len(finished.rows) == len(finished.identities())
    assert KEY not in json.dumps(finished.run)
    assert KEY not in (tmp_path / "locust.log").read_text()


def _wait_for_report(runs: Path) -> Path:
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        for report in runs.glob("*/summary.json"):
            if (report.parent / "report.html").exists():
                time.sleep(0.5)
                return report.parent / "report.html"
        time.sleep(0.2)
    raise AssertionError("no report")
