"""A server with an id in each of its errors: the row has it, Locust's table and the terminal have one line."""

import csv
import json
import socket
import uuid
from pathlib import Path

import gevent
import scripted
from locust_process import folder, headless, processes


def serve(sock: socket.socket) -> None:
    while asked := scripted.request(sock):
        path = asked.split()[1].decode()
        if path != "/api/chat":
            said = {"version": "0.32.15", "models": [{"name": "sim:latest"}]}
            sock.sendall(scripted.whole(json.dumps(said).encode(), more="Content-Type: application/json\r\n"))
            continue
        gevent.sleep(0.01)
        body = json.dumps({"error": f"request {uuid.uuid4()} failed after {uuid.uuid4().int % 999} ms"}).encode()
        sock.sendall(scripted.whole(body, "500 Internal Server Error", "Content-Type: application/json\r\n"))


def test_an_id_in_each_error_is_one_line_in_locusts_table(tmp_path: Path) -> None:
    with scripted.serving(serve) as port:
        options = (
            "OllamaChatUser",
            "--users",
            "4",
            "--spawn-rate",
            "4",
            "--run-time",
            "4s",
            "--pause-after-error",
            "0",
        )
        done = headless(f"http://127.0.0.1:{port}", tmp_path, *options, *processes(2))
    assert "Traceback" not in done.stderr, done.stderr
    run = folder(tmp_path)
    rows = [row for row in run.rows if row["outcome"] == "http_error"]
    assert len({row["error"] for row in rows}) == len(rows) > 100
    with (run.path / "locust_failures.csv").open(newline="") as file:
        (failure,) = csv.DictReader(file)
    assert int(failure["Occurrences"]) == len([row for row in rows if row["phase"] != "warm-up"])
    assert "HTTP 500 request # failed after #" in failure["Error"]
    said = [line for line in (done.stdout + done.stderr).splitlines() if "failed after" in line]
    assert len(said) <= 4, said
    (found,) = (kind for kind in run.summary()["errors"] if kind["outcome"] == "http_error")
    assert found["error"] == "HTTP 500 request # failed after #"
    assert found["example"] in {row["error"] for row in rows}
