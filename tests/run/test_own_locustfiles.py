"""Locustfiles as Locust's people write them: hosts, tasks, shapes, other users, config files, JSON, one user."""

import json
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
from locust_process import ROOT, command, environment, folder, forked, headless, processes
from simulator_process import running

SIM = ("--load-ms", "0", "--decode-tps", "500", "--parallel", "16")
LOAD = ("--model", "sim", "--max-tokens", "4", "-u", "4", "-r", "4", "--run-time", "3s", "--no-report")


def own(tmp_path: Path, text: str) -> str:
    path = tmp_path / "mine.py"
    path.write_text(f"from locustfile import *\n{text}")
    return str(path)


def started(locustfile: str, tmp_path: Path, url: str, *options: str, **env: str) -> "subprocess.CompletedProcess[str]":
    return headless(url, tmp_path / "runs", *options, locustfile=locustfile, PYTHONPATH=str(ROOT), **env)


def test_a_class_has_a_host_of_its_own_and_tasks_of_its_own(tmp_path: Path) -> None:
    with running(*SIM) as sim:
        mine = own(
            tmp_path,
            f"""
from locust import HttpUser, task, constant
from tokenswarm.payloads.prompt import Message, Prompt

class Own(OllamaChatUser):
    host = "{sim.url}"

    @task
    def short(self):
        self.generate(Prompt("short", (Message("user", "Say hi."),)))

class Plain(OllamaChatUser):
    pass

class Web(HttpUser):
    host = "{sim.url}"
    wait_time = constant(0.2)

    @task
    def version(self):
        self.client.get("/api/version")
""",
        )
        done = started(mine, tmp_path, "", "Own", "Plain", "Web", *LOAD, *processes(2), OLLAMA_HOST="127.0.0.1:9")
    assert done.returncode == 0, done.stderr
    found = folder(tmp_path / "runs")
    prompts = {name: {row["prompt_id"] for row in found.rows if row["user_class"] == name} for name in ("Own", "Plain")}
    assert prompts["Own"] == {"short"}
    assert len(prompts["Plain"]) > 1
    assert "short" not in prompts["Plain"]
    (others,) = (one for one in found.run["validity"]["findings"] if one["rule"] == "other requests")
    assert "GET /api/version" in others["what"]


def test_classes_of_several_hosts_are_refused(tmp_path: Path) -> None:
    text = "".join(f"class {name}(OllamaChatUser):\n    host = 'http://{name}'\n" for name in "AB")
    done = started(own(tmp_path, text), tmp_path, "", "A", "B", *LOAD)
    assert done.returncode == 2
    assert "the classes have several hosts (" in done.stderr, done.stderr


@pytest.mark.parametrize("workers", [(), processes(2)])
def test_later_ramps_of_a_shape_are_no_steady_phase(tmp_path: Path, workers: tuple[str, ...]) -> None:
    mine = own(
        tmp_path,
        """
from locust import LoadTestShape

class Steps(LoadTestShape):
    def tick(self):
        at = self.get_run_time()
        return (2, 2) if at < 4 else (8, 1) if at < 13 else None
""",
    )
    with running(*SIM) as sim:
        done = started(mine, tmp_path, sim.url, "OllamaChatUser", *LOAD[:4], "--no-report", *workers)
    assert done.returncode == 0, done.stderr
    rows = sorted(folder(tmp_path / "runs").rows, key=lambda row: int(row["sent_unix_ns"]))
    phases = [phase for at, row in enumerate(rows) if (phase := row["phase"]) != (rows[at - 1]["phase"] if at else "")]
    steady_s = dict.fromkeys(Counter(row["phase"] for row in rows), 0.0)
    first_ns = int(rows[0]["sent_unix_ns"])
    for row in rows:
        if row["phase"] == "ramp-up" and (at_s := (int(row["sent_unix_ns"]) - first_ns) / 1e9) > 3:
            steady_s["ramp-up"] = at_s
    assert steady_s["ramp-up"] > 6  # while users still come, one a second
    assert phases.count("steady") >= 2


def test_lines_of_a_config_file_are_not_lost(tmp_path: Path) -> None:
    (tmp_path / "a.conf").write_text("slo = ttft_ms p50 < 90000\nslo = e2e_ms p50 < 90000\n")
    (tmp_path / "b.conf").write_text("users = 2\nusers = 3\n")
    with running(*SIM) as sim:
        done = started(
            "locustfile.py", tmp_path, sim.url, "OllamaChatUser", *LOAD, "--config", str(tmp_path / "a.conf")
        )
        assert done.stderr.count("tokenswarm: SLO") >= 2, done.stderr
        done = started("locustfile.py", tmp_path, sim.url, "--model", "sim", "--config", str(tmp_path / "b.conf"))
    assert (done.returncode, "users stands 2 times; keep one line of it" in done.stderr) == (2, True), done.stderr


def test_json_is_json_alone(tmp_path: Path) -> None:
    load = ("OllamaChatUser", *LOAD[:-1], "--headless", "--json")
    with running(*SIM) as sim:
        line = command(sim.url, tmp_path / "runs", *load)
        done = subprocess.run(forked(line), cwd=ROOT, env=environment(), capture_output=True, text=True, check=False)
    assert json.loads(done.stdout)
    assert "report.html" in done.stderr


def test_a_fixed_count_has_no_place_in_an_open_loop(tmp_path: Path) -> None:
    mine = own(tmp_path, "class A(OllamaChatUser):\n    fixed_count = 2\n")
    with running(*SIM) as sim:
        done = started(mine, tmp_path, sim.url, "A", *LOAD[:4], "--run-time", "3s", "--arrivals", "9/s")
    assert (done.returncode, "A has a fixed_count in an open loop" in done.stderr) == (2, True), done.stderr


def test_a_single_user_runs_for_a_debugger(tmp_path: Path) -> None:
    mine = own(
        tmp_path,
        "from locust import run_single_user\nif __name__ == '__main__':\n    run_single_user(OllamaChatUser)\n",
    )
    with running(*SIM) as sim:
        env = environment(PYTHONPATH=str(ROOT), OLLAMA_HOST=sim.url, TOKENSWARM_MODEL="sim")
        one = subprocess.Popen(
            [sys.executable, mine], cwd=tmp_path, env=env, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        assert one.stdout
        said = [one.stdout.readline() for _ in range(6)]
        one.send_signal(signal.SIGKILL)
        one.communicate()
    assert sum("/api/chat sim" in line for line in said) >= 2, said
