"""A run whose number of users somebody changes in the web UI says so."""

import json
import time
from pathlib import Path

import pytest
import requests
from locust_process import processes
from simulator_process import running
from web_form import start, wait_for_runs
from web_run import web


@pytest.mark.parametrize("options", [(), processes(2)], ids=["alone", "with workers"])
def test_users_that_are_changed_in_the_web_ui_are_a_remark(tmp_path: Path, options: tuple[str, ...]) -> None:
    runs = tmp_path / "runs"
    with running() as simulator, web(simulator, runs, *options) as url:
        assert start(url, user_count="2", model="sim", spawn_rate="50", run_time="60s")["success"]
        _wait_for_users(url, 2)
        assert start(url, user_count="5", model="sim", spawn_rate="50", run_time="60s")["success"]
        _wait_for_users(url, 5)
        assert requests.post(f"{url}/stop", timeout=30).ok
        wait_for_runs(runs, 1, url)
    (path,) = runs.glob("*/run.json")
    findings = json.loads(path.read_text(encoding="utf-8"))["validity"]["findings"]
    (said,) = (one["what"] for one in findings if one["rule"] == "users changed")
    assert said.startswith("the number of users was changed by hand: 2 → 5 (")


def _wait_for_users(url: str, users: int) -> None:
    until_s = time.monotonic() + 20
    while time.monotonic() < until_s:
        state = requests.get(f"{url}/stats/requests", timeout=10).json()
        if (state["state"], state["user_count"]) == ("running", users):
            return
        time.sleep(0.1)
    pytest.fail(f"there were never {users} users: {state}")
