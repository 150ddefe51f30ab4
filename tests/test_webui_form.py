"""The web form through Locust's own HTTP interface: what is checked, what is kept, and who gets the key."""

import json
import socket
import time
from pathlib import Path
from typing import Any

import requests
from locust_process import folder
from scripted import request, serving, whole
from simulator_process import running
from test_webui import web

KEY = "sk-very-secret-9012"


def start(url: str, **fields: str) -> Any:
    """Post the form as the page does: every field, empty ones too."""
    form = {"user_count": "2", "spawn_rate": "2", "run_time": "2s", "model": "", "api_key": "", "max_tokens": "8"}
    return requests.post(f"{url}/swarm", data=form | fields, timeout=60).json()


def wait_for_runs(runs: Path, number: int) -> None:
    for _ in range(200):
        done = [path for path in runs.glob("*/run.json") if json.loads(path.read_text())["state"] == "complete"]
        if len(done) == number:
            return
        time.sleep(0.1)
    raise AssertionError(f"{number} runs should be complete")


def test_an_empty_form_keeps_the_key_and_finds_the_model_and_a_second_run_has_its_own_folder(tmp_path: Path) -> None:
    runs = tmp_path / "runs"
    options = ("--openai-only", "--api-key", KEY, "--models", "only")
    # A server with just one model beside the misbehaving ones: named once, by the command line.
    with running(*options) as simulator, web(simulator, runs, "--api-key", KEY, "--no-report") as url:
        bad = start(url, model="only:latest", max_tokens="0")
        assert bad == {"success": False, "message": "--max-tokens: ▸0◂ is too small or too large; give a whole number "
                       "of tokens, 1 or more", "host": bad["host"]}  # fmt: skip
        bad = start(url, model="only:latest", options="temprature=0")
        assert "takes no option temprature; did you mean temperature?" in bad["message"]
        assert "--history: ▸me◂ is no choice; give one of own, file" in start(url, history="me")["message"]
        assert start(url, model="only:latest", options='seed=7, stop=["x"]')["success"]
        bad = start(url, model="only:latest", warm_requests="x")  # which would change the run that goes on
        assert "--warm-requests: ▸x◂ is no number" in bad["message"]
        wait_for_runs(runs, 1)
        time.sleep(0.5)
        again = start(url, model="only:latest", max_tokens="6")
        assert again["success"], again
        wait_for_runs(runs, 2)
    for path in runs.iterdir():
        text = (path / "requests.csv").read_text()
        assert ",ok," in text
        assert "http_error" not in text
        assert "/api/" not in text
        run = json.loads((path / "run.json").read_text())
        assert run["target"]["model"] == "only:latest"
        assert run["workers"][0]["loop_lag_ms_max"] >= 0
        assert KEY not in json.dumps(run)


def test_the_key_goes_only_where_it_was_meant_for(tmp_path: Path) -> None:
    """A form can name any host; the key of the command line is not for it."""
    heard = []

    def stranger(sock: socket.socket) -> None:
        while said := request(sock):
            heard.append(said)
            sock.sendall(whole(b'{"data":[{"id":"m"}]}', "200 OK", "Content-Type: application/json\r\n"))

    with (
        running("--api-key", KEY) as simulator,
        serving(stranger) as port,
        web(simulator, tmp_path / "runs", "--api-key", KEY, OPENAI_API_KEY=KEY, TOKENSWARM_WEB_PASSWORD="pw") as url,
    ):
        # Without a login nothing happens at all, with or without our checks.
        there = {"host": f"http://127.0.0.1:{port}"}
        answer = requests.post(f"{url}/swarm", data=there, timeout=10, allow_redirects=False)
        assert "success" not in answer.text
        assert heard == []
    with (
        running("--api-key", KEY) as simulator,
        serving(stranger) as port,
        web(simulator, tmp_path / "more", "--api-key", KEY, "--no-report") as url,
    ):
        start(url, host=f"http://127.0.0.1:{port}", model="m")
        time.sleep(1)
    assert heard
    assert not any(KEY.encode() in said for said in heard)


def test_a_form_without_a_model_takes_the_only_one(tmp_path: Path) -> None:
    def one_model(sock: socket.socket) -> None:
        event = b'data: {"choices":[{"index":0,"delta":{"content":"hi"},"finish_reason":"stop"}]}\n\ndata: [DONE]\n\n'
        whole_answer = b'{"choices":[{"index":0,"message":{"content":"hi"},"finish_reason":"stop"}]}'
        while said := request(sock):
            if said.startswith(b"GET /v1/models"):
                sock.sendall(whole(b'{"data":[{"id":"the-one"}]}', "200 OK", "Content-Type: application/json\r\n"))
            elif said.startswith(b"GET"):
                sock.sendall(whole(b"", "404 Not Found"))
            elif b'"stream":true' in said:
                assert b'"model":"the-one"' in said
                sock.sendall(whole(event, "200 OK", "Content-Type: text/event-stream\r\n"))
            else:
                sock.sendall(whole(whole_answer, "200 OK", "Content-Type: application/json\r\n"))

    with running() as simulator, serving(one_model) as port, web(simulator, tmp_path / "runs", "--no-report") as url:
        assert start(url, host=f"http://127.0.0.1:{port}/v1")["success"]
        wait_for_runs(tmp_path / "runs", 1)
    run = folder(tmp_path / "runs")
    assert run.run["target"]["host"] == f"http://127.0.0.1:{port}"
    assert run.run["target"]["model"] == "the-one"
    assert {row["model"] for row in run.rows} == {"the-one"}
    assert run.outcomes["ok"] > 0


def test_classes_picked_in_the_form_must_fit_the_server(tmp_path: Path) -> None:
    runs = tmp_path / "runs"
    with running("--openai-only") as simulator, web(simulator, runs, "--class-picker", "--no-report") as url:
        refused = start(url, model="sim:latest", user_classes="OllamaChatUser")
        assert "OllamaChatUser: the server speaks only /v1" in refused["message"]
        assert start(url, model="sim:latest", user_classes="OpenAIChatUser")["success"]
        wait_for_runs(runs, 1)
    assert {row["endpoint"] for row in folder(runs).rows} == {"/v1/chat/completions"}
