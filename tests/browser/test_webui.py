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

from tokenswarm.settings.options import SECTIONS

KEY = "sk-very-secret-5678"


def _fill(window: Browser, **fields: str) -> None:
    for name, text in fields.items():
        window.fill(f"input[name={name}]", text)


def test_a_run_from_the_form(tmp_path: Path) -> None:
    runs = tmp_path / "runs"
    with (
        running("--parallel", "4", "--decode-tps", "100", "--load-ms", "4000") as simulator,
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
        # What was typed is still there, the options are in groups, their texts below their fields.
        assert window.script("return document.querySelector('input[name=runTime]').value") == "8s"
        assert window.script("return document.querySelector('input[name=userCount]').value") == "4"
        headings = window.script(
            "return [...document.querySelectorAll('h3.tokenswarm-section')].map(each => each.innerText)"
        )
        assert headings == [section.english for section in SECTIONS if any(option.form for option in section.options)]
        assert window.script(
            "return document.querySelector('input[name=scale]').offsetParent === null"
        )  # set by the master
        below = "return document.querySelector('input[name=maxTokens]').closest('.MuiFormControl-root').innerText"
        assert "Output limit of every request" in window.script(below)
        if picture := os.environ.get("SCREENSHOT"):
            window.screenshot(Path(picture).with_suffix(".form.png"))
        # The field offers what the server has; any other name can be typed.
        window.click("input[name=model]")
        window.wait_for("models; any other name can be typed")
        assert "sim:latest" in window.script(
            "return [...document.querySelector('input[name=model]').list.options].map(one => one.value)"
        )
        _fill(window, model="sim", maxTokens="30")
        window.click("button[type=submit]")
        window.wait_for("warming up sim (loading,")  # who waits for a start sees for what
        window.wait_for("Aggregated")
        text = window.wait_for("decode_tokens_per_s")
        assert "Rows of a metric are in its own unit" in text
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
        window.wait_for("summary.json")
        (row,) = window.script(
            "return [...document.querySelectorAll('#tokenswarm-runs tr')].slice(1).map(r => r.innerText)"
        )
        assert run in row
        assert "VALID" in row
        links = window.script("return [...document.querySelectorAll('#tokenswarm-runs a')].map(link => link.href)")
        assert f"{url}/runs/{run}/requests.csv" in links
        for link in links:
            assert requests.get(link, timeout=10).ok
        assert requests.get(f"{url}/runs/latest/requests.csv", timeout=10).url == f"{url}/runs/{run}/requests.csv"
        if picture := os.environ.get("SCREENSHOT"):
            window.screenshot(Path(picture).with_suffix(".runs.png"))
        assert f"{url}/runs/latest/report.html" in _downloads(window)
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


def _downloads(window: Browser) -> list[str]:
    """What "Download data" offers."""
    found = "[...document.querySelectorAll('button')].find(b => b.innerText.trim().toUpperCase() == 'DOWNLOAD DATA')"
    window.script(f"{found}.click()")
    window.wait_for("The newest run's report.html")
    links: list[str] = window.script("return [...document.querySelectorAll('a')].map(link => link.href)")
    return links


def _wait_for_report(runs: Path) -> Path:
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        for report in runs.glob("*/summary.json"):
            if (report.parent / "report.html").exists():
                time.sleep(0.5)
                return report.parent / "report.html"
        time.sleep(0.2)
    raise AssertionError("no report")
