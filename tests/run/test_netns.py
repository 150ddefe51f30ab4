"""A master, three workers and a server, each in a network namespace: links that are cut lose no row. Linux, root."""

import os
import secrets
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
from locust_process import ROOT, command, environment, folder
from truth_log import read_truth, row_ids

WORKERS = ("w1", "w2", "w3")
HOSTS = ("target", "master", *WORKERS)
ADDRESSES = {host: f"10.77.0.{number}" for number, host in enumerate(HOSTS, 1)}
SWITCH = "switch"
# In the middle of a run of 14 s, and longer than the master waits for a heartbeat.
CUT_AFTER_S, CUT_S, RUN_S = 3.0, 6.0, 14
TARGET = ("--port", "11434", "--models", "sim", "--parallel", "64", "--load-ms", "0", "--decode-tps", "100")
LOAD = ("--users", "12", "--spawn-rate", "12", "--run-time", f"{RUN_S}s", "--max-tokens", "20", "--no-report")
TIMEOUTS = ("--request-timeout", "10", "--connect-timeout", "3")


def ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True, capture_output=True)


def namespace(host: str) -> str:
    return f"ts{os.getpid()}-{host}"


def why_not() -> str:
    """Why there can be no namespaces here; empty if there can."""
    if not shutil.which("ip"):
        return "no command ip: install iproute2"
    made = subprocess.run(["ip", "netns", "add", namespace("probe")], capture_output=True, text=True, check=False)
    if made.returncode:
        return f"no network namespaces: {made.stderr.strip()}"
    ip("netns", "del", namespace("probe"))
    return ""


@contextmanager
def network() -> Iterator[None]:
    """All hosts on one switch; nothing of it is seen in the machine's own namespace."""
    at_switch = ("-n", namespace(SWITCH), "link")
    try:
        for host in (SWITCH, *HOSTS):
            ip("netns", "add", namespace(host))
        ip(*at_switch, "add", "bridge", "type", "bridge")
        ip(*at_switch, "set", "bridge", "up")
        for host in HOSTS:
            there = ("-n", namespace(host))
            ip(*at_switch, "add", f"to-{host}", "type", "veth", "peer", "name", "eth0", "netns", namespace(host))
            ip(*at_switch, "set", f"to-{host}", "up", "master", "bridge")
            ip(*there, "address", "add", f"{ADDRESSES[host]}/24", "dev", "eth0")
            for interface in ("lo", "eth0"):
                ip(*there, "link", "set", interface, "up")
        yield
    finally:
        for host in (SWITCH, *HOSTS):
            subprocess.run(["ip", "netns", "del", namespace(host)], check=False, capture_output=True)


def wait_for(what: Callable[[], object]) -> None:
    until_s = time.monotonic() + 60
    while not what():
        assert time.monotonic() < until_s
        time.sleep(0.05)


def test_links_that_are_cut_in_a_run_lose_no_row(tmp_path: Path) -> None:
    if why := why_not():
        if os.environ.get("CI") == "true":
            pytest.fail(why)
        pytest.skip(why)
    truth, runs, url = tmp_path / "truth.jsonl", tmp_path / "master", f"http://{ADDRESSES['target']}:11434"
    env = environment(PYTHONPATH=str(ROOT), TOKENSWARM_WORKER_TOKEN=secrets.token_hex(32))
    with network(), ExitStack() as stack:

        def start(host: str, *words: str) -> "subprocess.Popen[bytes]":
            log = stack.enter_context((tmp_path / f"{host}.log").open("w"))
            on_host = ["ip", "netns", "exec", namespace(host), *words]
            process = subprocess.Popen(on_host, cwd=ROOT, env=env, stdout=log, stderr=log)
            stack.callback(process.wait)
            stack.callback(process.kill)
            return process

        simulator = (sys.executable, "-m", "tokenswarm.simulator", "--host", "0.0.0.0", "--truth", str(truth))
        target = start("target", *simulator, *TARGET)
        wait_for(lambda: "listening" in (tmp_path / "target.log").read_text())
        as_master = ("--master", "--expect-workers", "3", "--headless", "--only-summary", "OllamaChatUser")
        master = start("master", *command(url, runs, *as_master, "--model", "sim", *LOAD, *TIMEOUTS))
        as_worker = ("--worker", "--master-host", ADDRESSES["master"])
        workers = [start(host, *command("", tmp_path / host, *as_worker)) for host in WORKERS]
        wait_for(lambda: list(runs.glob("*/run.json")))
        time.sleep(CUT_AFTER_S)
        # At the host it is known at once (no route); at the switch, as if the plug were pulled, it has to be found out.
        cut = (("-n", namespace("w1"), "link", "set", "eth0"), ("-n", namespace(SWITCH), "link", "set", "to-w2"))
        for link in cut:
            ip(*link, "down")
        time.sleep(CUT_S)
        for link in cut:
            ip(*link, "up")
        for process in (master, *workers):
            process.wait(120)
        target.terminate()
        target.wait(10)
    run = folder(runs, killed=True)
    assert {"joined", "lost"} <= {one["what"] for one in run.run["attendance"]}
    merge = (sys.executable, "-m", "reports", "merge", str(run.path), *(str(tmp_path / host) for host in WORKERS))
    subprocess.run(merge, cwd=ROOT, env=environment(), capture_output=True, check=True)
    run = folder(runs, killed=True)
    rows = row_ids(run)
    whole = {one["request_id"]: one["output_tokens"] for one in read_truth(truth) if one["end"] == "complete"}
    ok = {name: int(row["output_tokens"]) for name, row in rows.items() if row["outcome"] == "ok"}
    assert len(ok) > 100
    assert ok.items() <= whole.items()
    assert {name for name in whole if (name or "").startswith(run.path.name)} <= rows.keys()
    assert len(run.rows) == len(rows)  # none twice
