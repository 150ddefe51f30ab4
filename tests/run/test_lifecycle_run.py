"""Management calls, cold starts, models that compete, and the sampler: whole runs."""

import csv
import json
import signal
import socket
from pathlib import Path
from typing import Any

import gevent
import pytest
import scripted
from doors import refused
from gevent.pool import Pool
from locust_process import Run, folder, headless, started
from simulator_process import Simulator, running

from tokenswarm.users.cold_start import OllamaSwapUser
from tokenswarm.users.lifecycle import OllamaLifecycleUser

ONE_AT_A_TIME = ("--models", "a=1gb,b=1gb", "--max-loaded-models", "1")
SIMULATED = (*ONE_AT_A_TIME, "--parallel", "1", "--load-ms", "400", "--output-tokens", "8")
RUNS = {
    "cold": ("OllamaColdStartUser", "--model", "a", "--users", "1", "--cold-keep-alive", "1s", "--run-time", "8s"),
    "unload": (
        "OllamaColdStartUser",
        "--model",
        "a",
        "--users",
        "1",
        "--cold-keep-alive",
        "0s",
        "--run-time",
        "5s",
        "--no-report",
    ),
    "swap": ("OllamaSwapUser", "--model", "a,a,b", "--users", "3", "--spawn-rate", "1", "--run-time", "7s"),
    "life": (
        "OllamaLifecycleUser",
        "--model",
        "a",
        "--users",
        "2",
        "--run-time",
        "2s",
        "--pull",
        "no-such-model",
        "--no-report",
    ),
    "search": (
        "OllamaLifecycleUser",
        "--model",
        "a",
        "--users",
        "1",
        "--find-capacity",
        "--trial-time",
        "1s",
        "--slo",
        "e2e_ms p95 < 5000",
    ),
}


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Run]:
    """One run of each kind, at once, each on a server of its own."""
    parent = tmp_path_factory.mktemp("lifecycle")

    def one(kind: str) -> Run:
        with running(*SIMULATED) as simulator:
            before = simulator.ask("GET", "/api/tags").json()
            options = ("--spawn-rate", "3", "--max-tokens", "8", "--sample-every", "1s", *RUNS[kind])
            headless(simulator.url, parent / kind, *options)
            after = simulator.ask("GET", "/api/tags").json()
            assert names(after) == names(before)
        return folder(parent / kind)

    return dict(zip(RUNS, Pool(4).map(one, RUNS), strict=True))


def test_a_capacity_search_sees_the_calls_and_holds_them_back_between_two_trials(runs: dict[str, Run]) -> None:
    run = runs["search"]
    found = run.run["capacity"]
    assert (found["answer"], found["qualifier"]) == (1, "at least"), found
    assert {row["stage"] for row in run.rows} == {str(trial["trial"]) for trial in found["trials"]}


def names(tags: dict[str, Any]) -> list[str]:
    return sorted(model["name"] for model in tags["models"])


def test_cold_starts_are_marked(runs: dict[str, Run]) -> None:
    run = runs["cold"]
    ended = [row for row in run.rows if row["outcome"] == "ok"]
    cold = [row for row in ended if row["load_state"] == "cold"]
    assert len([row for row in cold if float(row["load_ms"]) >= 400]) >= 2
    assert len(ended) > len(cold)
    states = {state["state"]: state for state in run.summary()["loading"]["states"]}
    assert states["cold"]["n"] == len(cold)
    assert states["cold"]["ttft_ms"]["p50"] > max(400, states["warm"]["ttft_ms"]["p50"])
    assert {"cold loads", "model memory"} <= run.rules("remark")
    with (run.path / "server.csv").open(newline="") as file:
        looks = list(csv.DictReader(file))
    assert {row["model"] for row in looks} == {"a:latest", ""}
    assert all(row["version"] == "0.32.15" and row["error"] == "" for row in looks)
    assert any(int(row["size_bytes"]) > 1e9 for row in looks if row["model"])
    assert not [row for row in run.rows if row["endpoint"] in ("/api/ps", "/api/version")]
    report = (run.path / "report.md").read_text()
    assert "## Loading: cold and warm" in report
    assert "## Models in memory" in report


def test_a_keep_alive_of_0_unloads_after_the_warm_requests(runs: dict[str, Run]) -> None:
    states = [row["load_state"] for row in runs["unload"].rows if row["outcome"] == "ok"]
    assert min(states.count("cold"), states.count("warm")) >= 2


def test_the_loaded_model_starves_the_other(runs: dict[str, Run]) -> None:
    run = runs["swap"]
    waits = {wait["model"]: wait for wait in run.summary()["loading"]["waits"]}
    # Two users keep a busy when b is asked for. (Without anything under way, it would be b's turn at once.)
    assert waits["b"]["overtaken"] > 3
    assert waits["b"]["longest_wait_ms"] > 1000
    assert waits["b"]["ok"] < waits["a"]["ok"]


def test_management_calls_are_rows(runs: dict[str, Run]) -> None:
    run = runs["life"]
    # (What the end has cut is asked to be deleted, too: 404 where it had not come so far.)
    loaded = [row for row in run.rows if row["phase"] != "drain"]
    outcomes = {(row["endpoint"], row["outcome"]) for row in loaded}
    paths = ("version", "tags", "ps", "show", "copy", "create", "delete")
    assert outcomes == {(f"/api/{path}", "ok") for path in paths} | {("/api/pull", "server_error")}
    assert {row["status"] for row in loaded} == {"200"}
    assert all(float(row["e2e_ms"]) > 0 for row in run.rows)
    (error,) = {row["error"] for row in run.rows if row["outcome"] == "server_error"}
    assert error.startswith("pull model manifest")
    assert not run.rules() & {"uncounted tokens"}
    assert "tokenswarm-" not in (run.path / "requests.csv").read_text()


class Managed:
    """An Ollama that never ends a copy, and remembers what was asked of it."""

    def __init__(self) -> None:
        self.copied: list[str] = []
        self.deleted: list[str] = []

    def serve(self, sock: socket.socket) -> None:
        while asked := scripted.request(sock):
            path, body = asked.split()[1].decode(), asked.partition(b"\r\n\r\n")[2]
            if path == "/api/copy":
                self.copied.append(json.loads(body)["destination"])
                gevent.sleep(60)
            if path == "/api/delete":
                self.deleted.append(json.loads(body)["model"])
            said = {"version": "0.32.15"} if path == "/api/version" else {"models": [{"name": "sim:latest"}]}
            sock.sendall(scripted.whole(json.dumps(said).encode(), more="Content-Type: application/json\r\n"))


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_run_that_is_cut_removes_what_it_may_have_made(number: signal.Signals, tmp_path: Path) -> None:
    server = Managed()
    with scripted.serving(server.serve) as port:
        options = ("OllamaLifecycleUser", "--model", "sim", "--users", "2", "--spawn-rate", "2", "--no-report")
        with started(f"http://127.0.0.1:{port}", tmp_path, *options) as process:
            while len(server.copied) < 2:
                assert process.poll() is None
                gevent.sleep(0.05)
            process.send_signal(number)
            process.communicate(timeout=180)
    assert len(server.copied) == 2
    assert sorted(server.deleted) == sorted(server.copied)
    assert all(name.startswith("tokenswarm-") for name in server.deleted)
    run = folder(tmp_path)
    assert [row["outcome"] for row in run.rows if row["endpoint"] == "/api/copy"] == ["cancelled"] * 2
    assert [row["outcome"] for row in run.rows if row["endpoint"] == "/api/delete"] == ["ok"] * 2


def test_without_a_list_of_models_nothing_is_made(tmp_path: Path) -> None:
    asked_for: list[str] = []

    def serve(sock: socket.socket) -> None:
        while asked := scripted.request(sock):
            path = asked.split()[1].decode()
            asked_for.append(path)
            said = b'{"version": "0.32.15"}' if path == "/api/version" else b'{"models": [{"name": "sim:latest"}]}'
            if path == "/api/tags" and asked_for.count(path) > 1:  # the first is the preflight's
                said = b""
            sock.sendall(scripted.whole(said, more="Content-Type: application/json\r\n"))
            gevent.sleep(0.02)

    with scripted.serving(serve) as port:
        options = ("OllamaLifecycleUser", "--model", "sim", "--users", "1", "--run-time", "2s", "--no-report")
        done = headless(f"http://127.0.0.1:{port}", tmp_path, *options)
    assert "Traceback" not in done.stderr, done.stderr
    assert asked_for.count("/api/tags") > 2
    assert "/api/copy" not in asked_for


def test_the_sampler_survives_a_server_that_does_not_say(tmp_path: Path) -> None:
    looks = 0

    def serve(sock: socket.socket) -> None:
        nonlocal looks
        while asked := scripted.request(sock):
            path = asked.split()[1].decode()
            if path == "/api/ps":
                looks += 1
                if looks in (2, 3):  # after the preflight's
                    sock.sendall(scripted.whole(b"{}", "500 Internal Server Error"))
                    continue
                if looks > 3:
                    gevent.sleep(60)
            said: dict[str, Any] = {"models": [{"name": "m:latest"}], "version": "0.32.15"}
            if path == "/api/embed":
                said = {"embeddings": [[1.0]], "prompt_eval_count": 3}
            sock.sendall(scripted.whole(json.dumps(said).encode(), more="Content-Type: application/json\r\n"))

    with scripted.serving(serve) as port:
        options = ("OllamaEmbedUser", "--users", "1", "--run-time", "4s", "--sample-every", "1s", "--no-report")
        done = headless(f"http://127.0.0.1:{port}", tmp_path, *options)
    assert done.returncode == 0, done.stderr
    run = folder(tmp_path)
    assert set(run.outcomes) <= {"ok", "cancelled"}
    assert len(run.rows) > 100
    with (run.path / "server.csv").open(newline="") as file:
        errors = [row["error"] for row in csv.DictReader(file)]
    assert errors == ["HTTP 500 {}"] * 2


def test_these_classes_run_only_where_they_fit(tmp_path: Path) -> None:
    def said(user: type, simulator: Simulator, model: str) -> str:
        given = ("--host", simulator.url, "--run-dir", str(tmp_path), "--model", model)
        return refused(user.__name__, *given, classes=(user,))

    with running("--openai-only", "--models", "a") as simulator:
        assert "OllamaLifecycleUser: the server speaks only /v1" in said(OllamaLifecycleUser, simulator, "a:latest")
    with running(*SIMULATED) as simulator:
        assert "OllamaSwapUser wants 2 models or more" in said(OllamaSwapUser, simulator, "a")
        assert "has no model 'c'" in said(OllamaSwapUser, simulator, "a,c")
    assert not list(tmp_path.iterdir())
