"""Management calls on a server whose deletes race, and on one that never deletes: whole runs."""

import json
import signal
import socket
import time
from pathlib import Path

import pytest
import scripted
from locust_process import folder, headless, processes, started
from simulator_process import Simulator, running


def ours(simulator: Simulator) -> list[str]:
    """The models that are not the simulator's own."""
    models = simulator.ask("GET", "/api/tags").json()["models"]
    return [model["name"] for model in models if model["name"].startswith("tokenswarm-")]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_on_a_server_whose_deletes_race_nothing_is_left_of_a_run_that_is_cut(
    number: signal.Signals, tmp_path: Path
) -> None:
    options = ("OllamaLifecycleUser", "--model", "a", "--users", "6", "--spawn-rate", "6", "--no-report")
    two = processes(2) if number == signal.SIGTERM else ()
    with running("--models", "a", "--racing-deletes") as simulator:
        with started(simulator.url, tmp_path, *options, *two) as process:
            while len(ours(simulator)) < 4:
                assert process.poll() is None
                time.sleep(0.05)
            time.sleep(1)
            process.send_signal(number)
            process.communicate(timeout=180)
        time.sleep(0.5)  # what was cut has appeared by then
        assert ours(simulator) == []
        answered = simulator.stats()["requests"]["/api/delete"]
    assert {"404", "500"} <= set(answered)
    rows = [row for row in folder(tmp_path).rows if row["endpoint"] == "/api/delete"]
    refused, cut = (
        sum(row[name] == said for row in rows) for name, said in (("status", "404"), ("outcome", "cancelled"))
    )
    assert refused <= answered["404"] <= refused + cut


def test_what_a_server_will_not_delete_is_said(tmp_path: Path) -> None:
    made: list[str] = []

    def serve(sock: socket.socket) -> None:
        while asked := scripted.request(sock):
            path, body = asked.split()[1].decode(), asked.partition(b"\r\n\r\n")[2]
            status = "404 Not Found" if path == "/api/delete" else "200 OK"
            if path == "/api/copy":
                made.append(json.loads(body)["destination"])
            listed = [{"name": "sim:latest"}, *({"name": f"{name}:latest"} for name in made)]
            said = {"version": "0.32.15"} if path == "/api/version" else {"models": listed}
            if path == "/api/create":
                status, said = "400 Bad Request", {"error": "no"}
            sock.sendall(scripted.whole(json.dumps(said).encode(), status, "Content-Type: application/json\r\n"))

    with scripted.serving(serve) as port:
        options = ("OllamaLifecycleUser", "--model", "sim", "--users", "1", "--run-time", "1s", "--no-report")
        done = headless(f"http://127.0.0.1:{port}", tmp_path, *options)
    assert "Traceback" not in done.stderr, done.stderr
    for name in made:
        assert f"{name} could not be removed: ollama rm {name}" in done.stderr
    run = folder(tmp_path)
    (found,) = (one for one in run.run["validity"]["findings"] if one["rule"] == "left models")
    assert (found["level"], found["figure"]) == ("remark", len(made))
    assert made[0] in found["what"]
