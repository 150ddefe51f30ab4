"""The Tokens tab of Locust's web UI in a real browser: long answers while they run, a stall, the whole at the end."""

import json
import os
import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import requests
from browser import Browser, browser
from locust_process import folder, processes
from simulator_process import running
from web_form import start, wait_for_runs
from web_run import web

TAB = "tokenswarm-tokens"
ROW = f"#{TAB} table tr:nth-child(2)"


def _click(window: Browser, words: str) -> None:
    window.script(
        f"[...document.querySelectorAll('button')].find(b => b.innerText.trim().toUpperCase() == '{words}').click()"
    )


def _open_running(window: Browser, url: str) -> None:
    """Open the page of a run that goes on; before, Locust would show its form."""
    for _ in range(600):
        if requests.get(f"{url}/stats/requests", timeout=10).json()["state"] == "running":
            break
        time.sleep(0.1)
    window.open(f"{url}/?tab=statistics")
    window.find("[role=tablist]")


def _cells(window: Browser) -> list[str]:
    """The first row: name, out and in tok/s, running, waiting, longest waits, TTFT, ITL, TPOT, decode, queue, …"""
    found: list[str] = window.script(f"return [...document.querySelectorAll('{ROW} td')].map(cell => cell.innerText)")
    return found


def _wait(window: Browser, true: Callable[[list[str]], object], seconds: float = 60) -> list[str]:
    deadline = time.monotonic() + seconds
    while not ((cells := _cells(window)) and true(cells)):
        assert time.monotonic() < deadline, cells
        time.sleep(0.1)
    return cells


def _live(url: str) -> dict[str, Any]:
    answer: dict[str, Any] = requests.get(f"{url}/tokenswarm/live.json", timeout=10).json()
    return answer


def test_long_answers_show_while_they_run_and_a_stall_does_at_once(tmp_path: Path) -> None:
    runs, picture = tmp_path / "runs", os.environ.get("SCREENSHOT")
    slow = (
        "--parallel",
        "4",
        "--decode-tps",
        "40",
        "--load-ms",
        "0",
        "--stall-s",
        "5",
        "--output-tokens",
        "400",
        "--output-cv",
        "0",
    )
    with (
        running(*slow) as simulator,
        browser("--window-size=1400,1500") as window,
        web(simulator, runs, *processes(2), "--no-report", "OllamaChatUser") as url,
    ):
        form = {"model": "fault-stall", "user_count": "6", "spawn_rate": "6", "max_tokens": "2000"}
        assert start(url, **form, run_time="60s")["success"]
        _open_running(window, url)
        # Locust's two names that the script stands on: without them the tab would be empty.
        assert window.script("return !!document.querySelector('[role=tablist]').closest('.MuiContainer-root')")
        _click(window, "TOKENS")
        # No answer has ended: 4 streams run at 40 tokens/s, two requests wait, and soon the TTFT of the 4 is there.
        cells = _wait(
            window,
            lambda cells: cells[3:5] == ["4", "2"] and float(cells[1]) > 20 and re.search(r"^\d", cells[6], re.M),
        )
        assert cells[12] == "–"
        # Each answer stalls for 5 s in its middle: it shows long before that is over, and stays in the chart.
        _wait(window, lambda cells: 2 <= float(cells[5].split()[2]) < 5)  # "0.2 / 2.7 s": the next byte's
        _wait(window, lambda cells: float(cells[5].split()[2]) < 1)
        series = _live(url)["series"]
        assert max(series["silent_s"]) >= 3
        if picture:
            time.sleep(3)
            window.screenshot(Path(picture).with_suffix(".light.png"))
            window.script("localStorage.theme = 'dark'; location.reload()")
            _wait(window, lambda cells: len(cells) == 13)
            time.sleep(3)
            window.screenshot(Path(picture).with_suffix(".dark.png"))
        _wait(window, lambda cells: "ok" in cells[12])
        _click(window, "STOP")
        wait_for_runs(runs, 1, url)
        window.wait_for("VALID")
        said = _live(url)
    finished = folder(runs)
    # What the page says of the whole run is what is in its folder.
    (row,) = said["rows"]
    assert row["outcomes"] == dict(finished.outcomes)
    assert row["output_tokens"] == finished.total("output_tokens")
    assert row["prompt_tokens"] == finished.total("prompt_tokens")
    chunks = finished.total("output_chunks")
    made = sum(said["series"]["output_tokens_per_s"]) * said["step_s"]
    assert abs(made - chunks) < 0.1 * chunks, (made, chunks)


def test_nothing_is_asked_for_while_nobody_looks(tmp_path: Path) -> None:
    quiet = ("--no-report", "OllamaChatUser")
    with running() as simulator, browser() as window, web(simulator, tmp_path / "runs", *quiet) as url:
        assert start(url, model="sim", run_time="60s", max_tokens="500")["success"]
        _open_running(window, url)
        window.script("window.asked = []; const f = fetch; fetch = (...a) => (asked.push(String(a[0])), f(...a))")
        asked = "return asked.filter(one => one.includes('live.json')).length"
        time.sleep(5)
        assert window.script(asked) == 0
        _click(window, "TOKENS")
        _wait(window, lambda cells: int(cells[3]) + int(cells[4]) > 0)
        assert window.script(asked) > 0
        assert json.loads(json.dumps(_live(url)))["run"]
        _click(window, "STOP")
