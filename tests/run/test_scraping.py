"""A run as Prometheus sees it, over the UI behind its login or a port of its own; without a login nothing is served."""

import csv
import json
import re
import shutil
import socket
import subprocess
import time
from argparse import ArgumentTypeError
from contextlib import AbstractContextManager, suppress
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import requests
from browser import browser
from doors import refused
from locust_process import ROOT, Run, command, environment, folder, forked, free_port, headless, processes
from prometheus_client.parser import text_string_to_metric_families
from prometheus_process import scraping, skip_without
from simulator_process import Simulator, running
from web_run import web

from tokenswarm.metrics.histogram import decode
from tokenswarm.settings import secrets as secret

PASSWORD, USER = "correct horse battery", "tokenswarm"
FORM = {"user_count": "6", "spawn_rate": "6", "run_time": "4s", "model": "sim"}
PAGES = (
    *("/", "/stats/requests", "/stats/requests/csv", "/stats/report", "/exceptions", "/tasks", "/logs", "/metrics"),
    *("/worker-count", "/runs/x/report.html", "/nowhere", "/stats/failures/csv", "/exceptions/csv"),
)


def sums_of_csv(path: Path) -> dict[str, dict[tuple[str, str, str], float]]:
    """By another way: requests, tokens, gaps and E2E (s) by endpoint, model and outcome."""
    sums: dict[str, dict[tuple[str, str, str], float]] = {}
    with (path / "requests.csv").open(newline="", encoding="utf-8") as file:
        for line in csv.DictReader(file):
            key = (line["endpoint"], line["model"], line["outcome"])
            added = {
                "requests_total": 1,
                "output_tokens_total": int(line["output_tokens"] or 0),
                "prompt_tokens_total": int(line["prompt_tokens"] or 0),
                "itl_seconds_count": sum(decode(line["itl_ms_hist"]).values()),
                "e2e_seconds_sum": round(float(line["e2e_ms"] or 0) * 1e6),
            }
            for name, value in added.items():
                of_name = sums.setdefault(f"tokenswarm_{name}", {})
                of_name[key] = of_name.get(key, 0) + value
    sums["tokenswarm_e2e_seconds_sum"] = {k: v / 1e9 for k, v in sums["tokenswarm_e2e_seconds_sum"].items()}
    return {name: {key: value for key, value in sum_.items() if value} for name, sum_ in sums.items()}


def sums_of(text: str, names: Any) -> dict[str, dict[tuple[str, str, str], float]]:
    """The same of what was scraped."""
    found: dict[str, dict[tuple[str, str, str], float]] = {name: {} for name in names}
    for group in text_string_to_metric_families(text):
        for sample in group.samples:
            if sample.name in found and sample.value:
                labels = sample.labels
                found[sample.name][labels["endpoint"], labels["model"], labels["outcome"]] = sample.value
    return found


def _asked(name: str, text: str) -> float:
    return sum(float(n) for n in re.findall(rf"^tokenswarm_{name}(?:{{.*}})? (.*)$", text, re.MULTILINE))


def test_the_ui_is_closed_without_its_login_and_scraped_with_it(tmp_path: Path) -> None:
    secret = tmp_path / "password"
    secret.write_text(PASSWORD + "\n")
    runs = tmp_path / "runs"
    with (
        running("--parallel", "4", "--decode-tps", "100") as simulator,
        web(simulator, runs, *processes(2), "--web-password-file", str(secret)) as url,
    ):
        _nothing_without(url)
        with requests.Session() as session:
            wrong = session.post(f"{url}/tokenswarm-login", data={"username": USER, "password": "x"}, timeout=10)
            assert "Wrong user name or password" in wrong.text
            assert session.get(f"{url}/metrics", timeout=10).status_code == 401
            session.post(f"{url}/tokenswarm-login", data={"username": USER, "password": PASSWORD}, timeout=10)
            (cookie,) = session.cookies
            assert cookie.has_nonstandard_attr("HttpOnly")
            started = session.post(f"{url}/swarm", data=FORM, timeout=30).json()
            assert started["success"], started
            with scraping(url.removeprefix("http://"), tmp_path, PASSWORD) as prometheus:
                text = _until_it_ended(session, url)
                run = folder(runs)
                _same(run.path, text)
                _no_complaints(text)
                _seen_live(session, url, run)
                # Prometheus itself, where it is installed: it takes the text, and finds the run's own sum.
                if prometheus:
                    total = len(run.rows)
                    assert _wait_for(lambda: prometheus.value("sum(tokenswarm_requests_total)") == total)
            report = f"{url}/runs/{run.path.name}/report.html"
            assert _wait_for(lambda: session.get(report, timeout=10).ok)
            assert session.get(f"{url}/runs/{run.path.name}/.env", timeout=10).status_code == 404
            assert requests.get(report, timeout=10, allow_redirects=False).status_code == 302
    assert PASSWORD not in (tmp_path / "locust.log").read_text() + json.dumps(run.run)
    skip_without()  # all but Prometheus itself was tried


def test_the_login_page_in_a_browser(tmp_path: Path) -> None:
    with web_alone(tmp_path) as url, browser() as window:
        window.open(f"{url}/runs/x/report.html")
        for given, expected in (("nope", "Wrong user name or password."), (PASSWORD, "Start new load test")):
            window.find("input[name=password]")
            window.fill("input[name=username]", USER)
            window.fill("input[name=password]", given)
            window.click("button[type=submit]")
            window.wait_for(expected)


def web_alone(tmp_path: Path) -> AbstractContextManager[str]:
    """A UI with a login, before any run: it needs no server."""
    return web(Simulator(None, "http://127.0.0.1:9"), tmp_path / "runs", TOKENSWARM_WEB_PASSWORD=PASSWORD)


def _nothing_without(url: str) -> None:
    for page in PAGES:
        answer = requests.get(url + page, timeout=10, allow_redirects=False)
        shown = page == "/metrics"
        assert (answer.status_code, answer.headers.get("Location", "")[:6]) == ((401, "") if shown else (302, "/login"))
        assert "sim" not in answer.text.replace("simple", "")
    for page in ("/swarm", "/stop", "/stats/reset", "/user"):
        answer = requests.post(url + page, data=FORM, timeout=10, allow_redirects=False)
        assert answer.status_code == 302, page
    for wrong in ((USER, ""), ("", PASSWORD), ("", ""), (USER.upper(), PASSWORD), (USER, PASSWORD + " ")):
        assert requests.get(f"{url}/metrics", auth=wrong, timeout=10).status_code == 401, wrong
    # A cookie that another process signed is worth nothing.
    forged = {f"tokenswarm-{url.rpartition(':')[2]}": "eyJfdXNlcl9pZCI6InRva2Vuc3dhcm0ifQ.aaaaaa.bbbbbbbbbbbbbbbb"}
    assert requests.get(f"{url}/metrics", cookies=forged, timeout=10).status_code == 401
    assert requests.get(f"{url}/metrics", auth=(USER, PASSWORD), timeout=10).ok


def _until_it_ended(session: requests.Session, url: str) -> str:
    """Scrape all along; what the last scrape gave, when the folder had been closed."""
    seen_users = seen_in_flight = 0.0
    for _ in range(1200):
        text = session.get(f"{url}/metrics", timeout=10).text
        seen_users = max(seen_users, _asked("users", text))
        seen_in_flight = max(seen_in_flight, _asked("worker_in_flight", text))
        if seen_users and not _asked("run_info", text):
            assert (seen_users, _asked("users", text)) == (6, 0)
            assert seen_in_flight > 0
            assert re.search(r"^tokenswarm_output_tokens_made_per_second\{endpoint=.*,model=.*\} ", text, re.MULTILINE)
            assert _asked("output_tokens_made_behind_seconds", text) > 0
            assert (
                len(re.findall(r"^tokenswarm_worker_loop_lag_p99_seconds\{.*worker=.\d.\} ", text, re.MULTILINE)) == 2
            )
            return text
        time.sleep(0.1)
    raise AssertionError("the run did not end")


def _seen_live(session: requests.Session, url: str, run: Run) -> None:
    """What the workers told second by second is what is in the folder; the verdict follows when that is closed."""

    def asked(name: str) -> float | None:
        text = session.get(f"{url}/metrics", timeout=10).text
        return _asked(name, text) if f"tokenswarm_{name}" in text else None

    assert _wait_for(lambda: asked("run_valid") is not None)
    assert _wait_for(lambda: asked("asked_total") == len(run.rows)), asked("asked_total")
    assert asked("answered_total") == run.outcomes["ok"]
    verdict = json.loads((run.path / "run.json").read_text())["validity"]["verdict"]
    assert asked("run_valid") == (verdict == "VALID")


def _no_complaints(text: str) -> None:
    """Prometheus' own tool has nothing to say against the names, where it is installed."""
    if shutil.which("promtool"):
        done = subprocess.run(["promtool", "check", "metrics"], input=text, capture_output=True, text=True, check=False)
        assert (done.returncode, done.stdout + done.stderr) == (0, "")


def _same(path: Path, text: str) -> None:
    expected = sums_of_csv(path)
    assert sum(expected["tokenswarm_requests_total"].values()) > 10
    assert sums_of(text, expected) == expected


def _wait_for(true: Any) -> bool:
    deadline = time.monotonic() + 90
    while not (said := true()) and time.monotonic() < deadline:
        time.sleep(0.2)
    return bool(said)


def test_a_headless_run_is_scraped_on_a_port_of_its_own(tmp_path: Path) -> None:
    port = free_port()
    load = ("--headless", "--only-summary", "--model", "sim", "--users", "4", "--run-time", "2s")
    load += ("--spawn-rate", "4", "--no-report")
    with running("--decode-tps", "100") as simulator:
        full = command(simulator.url, tmp_path / "runs", *load, "--metrics-port", str(port))
        process = subprocess.Popen(forked(full), cwd=ROOT, env=environment(), stderr=subprocess.DEVNULL)
        try:
            last = ""
            while process.poll() is None:
                with suppress(requests.ConnectionError):
                    last = requests.get(f"http://127.0.0.1:{port}/metrics", timeout=5).text
                    assert requests.get(f"http://127.0.0.1:{port}/", timeout=5).status_code == 404
                    rebound = {"Host": "evil.example"}
                    assert requests.get(f"http://127.0.0.1:{port}/metrics", headers=rebound).status_code == 403
                time.sleep(0.05)
            assert process.returncode == 0
        finally:
            process.kill()
            process.wait()
    # It went on until the folder had been closed; and to the loopback interface only.
    run = folder(tmp_path / "runs")
    assert sums_of(last, sums_of_csv(run.path)) == sums_of_csv(run.path)
    assert len(run.rows) > 3


@pytest.mark.parametrize("port", ["many", "0", "70000", "127.0.0.1:"])
def test_what_is_no_port_is_one_line(port: str) -> None:
    assert "give 9464, or HOST:9464" in refused("--host", "http://127.0.0.1:9", "--metrics-port", port)


def test_a_port_that_cannot_be_had_is_one_line(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        done = headless("http://127.0.0.1:9", tmp_path / "runs", "--metrics-port", str(taken.getsockname()[1]))
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    assert "give another one" in done.stderr.splitlines()[-1]


def test_a_login_without_a_password_is_refused_and_a_key_comes_from_its_file(tmp_path: Path) -> None:
    empty = tmp_path / "empty"
    empty.write_text("")
    given = ("--web-login", "--web-password-file", str(empty), "--web-host", "127.0.0.1", "--web-port")
    for wrong, said in (
        ((*given, str(free_port())), "--web-login needs a password"),
        (("--web-host", "0.0.0.0", "--web-port", str(free_port())), "has no login; --web-password-file"),
    ):
        full = forked(command("http://127.0.0.1:9", tmp_path / "runs", *wrong))
        done = subprocess.run(full, cwd=ROOT, env=environment(), capture_output=True, text=True, timeout=180)
        assert done.returncode == 2
        assert said in done.stderr.splitlines()[-1]
        assert "Traceback" not in done.stderr
    key = tmp_path / "key"
    key.write_text("sk-from-a-file\n")
    options = SimpleNamespace(api_key="", api_key_file=str(key), web_password_file="")
    assert secret.api_key(options, {"OPENAI_API_KEY": "other"}) == "sk-from-a-file"
    assert secret.api_key(SimpleNamespace(api_key="", api_key_file=""), {"OPENAI_API_KEY": "other"}) == "other"
    assert secret.web_password(options, {secret.PASSWORD: "pw"}) == "pw"
    for path in (tmp_path, tmp_path / "none"):
        with pytest.raises(ArgumentTypeError, match="name a file that holds the secret"):
            secret.file(str(path))
