"""A run whose number of users somebody changes in the web UI says so, and has a stage for each."""

import json
import time
from pathlib import Path

import pytest
import requests
from locust_process import folder, processes
from simulator_process import running
from web_form import start, wait_for_runs
from web_run import web


@pytest.mark.parametrize("options", [(), processes(2)], ids=["alone", "with workers"])
def test_users_that_are_changed_in_the_web_ui_are_a_remark_and_stages(tmp_path: Path, options: tuple[str, ...]) -> None:
    runs = tmp_path / "runs"
    with running("--decode-tps", "200", "--load-ms", "1") as simulator, web(simulator, runs, *options) as url:
        assert start(url, user_count="2", model="sim", spawn_rate="50", run_time="60s")["success"]
        _wait_for_users(url, 2)
        time.sleep(3)
        assert start(url, user_count="5", model="sim", spawn_rate="50", run_time="60s", max_tokens="9")["success"]
        _wait_for_users(url, 5)
        time.sleep(3)
        assert requests.get(f"{url}/tokenswarm/live.json", timeout=10).json()["doing"].startswith("stage 2: 5 users")
        assert requests.post(f"{url}/stop", timeout=30).ok
        wait_for_runs(runs, 1, url)
    (path,) = runs.glob("*/run.json")
    findings = json.loads(path.read_text(encoding="utf-8"))["validity"]["findings"]
    (said,) = (one["what"] for one in findings if one["rule"] == "users changed")
    assert said.startswith("the number of users was changed by hand: 2 → 5 (")
    found = folder(runs)
    assert {row["stage"] for row in found.rows} == {"", "2"}
    assert (
        max(int(row["sent_unix_ns"]) for row in found.rows if not row["stage"])
        < min(int(row["sent_unix_ns"]) for row in found.rows if row["stage"]) + 1e9
    )  # each worker hears of it in its own moment
    told = found.summary()["stages"]
    assert [stage["users"] for stage in told] == ["2", "5"]
    assert sum(stage["requests"] for stage in told) == len(found.rows)
    assert all(stage["ok"] > 5 and stage["output_tokens_per_s"] > 0 for stage in told)
    report = (found.path / "report.md").read_text()
    assert "closed loop of 2 → 5 users, " in report
    assert "## Stages" in report
    assert {row["max_tokens"] for row in found.rows} == {"8"}  # the other options are those that it began with
    log = (tmp_path / "locust.log").read_text()
    assert "--max-tokens counts from the next run" in log


def _wait_for_users(url: str, users: int) -> None:
    until_s = time.monotonic() + 20
    while time.monotonic() < until_s:
        state = requests.get(f"{url}/stats/requests", timeout=10).json()
        if (state["state"], state["user_count"]) == ("running", users):
            return
        time.sleep(0.1)
    pytest.fail(f"there were never {users} users: {state}")
