"""A key in every field that a server or a user fills: it is found in no file, log, page, figure or message."""

import itertools
import json
import re
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import requests
from locust_process import ROOT, command, environment, folder, forked, free_port, headless, processes
from planted import GATEWAY, KEY, PIECES
from scripted import CHUNKED, chunk, request, serving, whole

PIECES += [KEY.replace("/", "\\/")[:12], "sk-4f%2FJq7%2BZrw"]
JSON = "Content-Type: application/json\r\n"
EVENTS = CHUNKED.replace(b"application/x-ndjson", b"text/event-stream")
PAGES = ("", "stats/requests", "stats/report", "stats/report?download=1", "exceptions", "tasks", "logs", "metrics")
PAGES += ("stats/requests/csv", "stats/failures/csv", "exceptions/csv")


def nothing_of_it(where: Path, but: str = "") -> int:
    """How many files were looked through; none holds a piece of the key or of the gateway's value."""
    held = [path for path in where.rglob("*") if path.is_file() and (not but or but not in path.parts)]
    for path in held:
        data = path.read_bytes()
        for piece in PIECES:
            at = data.find(piece.encode())
            assert at < 0, (path, piece, data[max(0, at - 150) : at + 50])
            assert piece.split("/")[0] not in path.name or piece.startswith("gw"), path
    return len(held)


# What a server fills, one plant a line: OpenAI's.


def event(**fields: Any) -> bytes:
    said = {"choices": [{"index": 0, "delta": {"content": "hi"}, "finish_reason": None}], **fields}
    return chunk(f"data: {json.dumps(said)}\n\n".encode())


def choice(delta: dict[str, Any], finish: Any = None, **more: Any) -> dict[str, Any]:
    return {"choices": [{"index": 0, "delta": delta, "finish_reason": finish, **more}]}


END = chunk(b"data: [DONE]\n\n") + chunk(b"")
STOP = event(**choice({}, "stop"), usage={"prompt_tokens": 3, "completion_tokens": 2})
TOOL = {"index": 0, "id": KEY, "type": KEY, "function": {"name": KEY, "arguments": json.dumps({KEY: KEY})}}
ERROR = {"message": f"Incorrect API key provided: {KEY}.", "type": KEY, "code": KEY, "param": KEY}
STREAMED = {
    "id": event(id=KEY) + STOP,
    "model": event(model=KEY) + STOP,
    "fingerprint": event(system_fingerprint=KEY, object=KEY) + STOP,
    "unknown field": event(**{KEY: KEY}) + STOP,
    "role": event(**choice({"role": KEY, "content": "hi"})) + STOP,
    "content": event(**choice({"content": f"your key is {KEY}"})) + STOP,
    "content in pieces": event(**choice({"content": [{"type": "text", "text": KEY}]})) + STOP,
    "thinking": event(**choice({"reasoning_content": f"the key {KEY}"})) + STOP,
    "refusal": event(**choice({"refusal": KEY})) + STOP,
    "tool call": event(**choice({"tool_calls": [TOOL]})) + event(**choice({}, "tool_calls")),
    "log probabilities": event(**choice({"content": "hi"}, logprobs={"content": [{"token": KEY}]})) + STOP,
    "finish reason": event(**choice({"content": "hi"}, f"because {KEY}")),
    "finish reason, an error": event(**choice({"content": "hi"}, f"error: {KEY}")),
    "usage": event() + event(**choice({}, "stop"), usage={"prompt_tokens": KEY, "completion_tokens": 2, KEY: KEY}),
    "error in the stream": event() + chunk(f"data: {json.dumps({'error': ERROR})}\n\n".encode()),
    "error, a text": chunk(f'data: {{"error": "{KEY} is unknown"}}\n\n'.encode()),
    "no JSON": chunk(f"data: Bearer {KEY} is no JSON\n\n".encode()),
    "event's name": chunk(f"event: {KEY}\nid: {KEY}\ndata: {{}}\n\n".encode()) + STOP,
    "comment": chunk(f": {KEY}\n\n".encode()) + STOP,
}
HEAD = "HTTP/1.1 200 OK\r\n"
SAID: dict[str, bytes] = {
    **{name: EVENTS + said + END for name, said in STREAMED.items()},
    "401": whole(json.dumps({"error": ERROR}).encode(), "401 Unauthorized", JSON),
    "401, masked": whole(f'{{"error": "{KEY[:9]}*********{KEY[-4:]}"}}'.encode(), "401 Unauthorized", JSON),
    "401, cut off": whole(f"no such key: {KEY[:17]}".encode(), "401 Unauthorized"),
    "401, as an URL": whole(b"see https://x/?key=sk-4f%2FJq7%2BZrwLmNop91823xyz", "401 Unauthorized"),
    "401, escaped": whole(json.dumps({"error": KEY}).replace("/", "\\/").encode(), "401 Unauthorized", JSON),
    "422": whole(json.dumps({"detail": [{"loc": [KEY], "msg": KEY}]}).encode(), "422 Unprocessable", JSON),
    "500, a page": whole(f"<html><title>{KEY}</title><body>{KEY}".encode(), f"500 {KEY}", f"Server: {KEY}\r\n"),
    "reason phrase": whole(b"", f"503 {KEY}"),
    "redirect": whole(b"", "302 Found", f"Location: http://x/{KEY}?key={KEY}\r\n"),
    "retry": whole(b"", "429 Too Many", f"Retry-After: {KEY}\r\n"),
    "content type": whole(f"{KEY}".encode(), more=f"Content-Type: application/{KEY}\r\n"),
    "encoding": whole(f"{KEY}".encode(), more=f"Content-Encoding: {KEY}\r\n"),
    "header without its colon": f"{HEAD}{KEY}\r\n\r\n".encode(),
    "header's name": whole(b"{}", more=f"{KEY}: {KEY}\r\n"),
    "status line": f"{KEY} 200 OK\r\n\r\n".encode(),
    "length": f"{HEAD}Content-Length: {KEY}\r\n\r\n".encode(),
    "chunk's length": EVENTS + f"{KEY}\r\n".encode(),
    "chunk's extension": EVENTS + f"2;{KEY}={KEY}\r\n{{}}\r\n".encode() + chunk(b""),
    "trailer": EVENTS + STOP + f"0\r\n{KEY}: {KEY}\r\n\r\n".encode(),
    "after the end": EVENTS + STOP + END + KEY.encode(),
    "upgrade": f"HTTP/1.1 101 {KEY}\r\nUpgrade: {KEY}\r\nConnection: upgrade\r\n\r\n".encode(),
}
ECHO = "the whole request, in an error"


def openai(left: Iterator[str]) -> Callable[..., None]:
    def script(sock: Any) -> None:
        while asked := request(sock):
            if asked.startswith(b"GET /v1/models"):
                listing = {"data": [{"id": f"m-{KEY}", "owned_by": KEY, "root": KEY, KEY: KEY}], "object": KEY}
                answer = whole(json.dumps(listing).encode(), more=f"{JSON}Server: {KEY}\r\nX-Key: {KEY}\r\n")
            elif asked.startswith(b"GET"):
                answer = whole(f"{KEY}".encode(), f"404 {KEY}", f"Server: {KEY}\r\n")
            elif b'"stream":true' not in asked:
                said = {"choices": [{"message": {"content": KEY}, "finish_reason": KEY}], "usage": {KEY: 3}}
                answer = whole(json.dumps(said).encode(), more=JSON)
            else:
                name = next(left)
                answer = SAID.get(name) or whole(asked.partition(b"\r\n\r\n")[0], "502 Bad Gateway")
            sock.sendall(answer)
            if b"Content-Length" not in answer and not answer.endswith(b"0\r\n\r\n"):
                return

    return script


LOCUSTFILE = f"""
import logging, sys, warnings
from locust import HttpUser, task
from locustfile import *
KEY = {KEY!r}

class Own(HttpUser):
    host = "http://127.0.0.1:9"
    def on_start(self):
        print("out", KEY)
        print("err", KEY, file=sys.stderr)
        sys.stdout.writelines([KEY])
        logging.info("%s and %(nothing)s" if 0 else "info %s", KEY)
        logging.getLogger("locust.own").warning(KEY)
        try:
            raise KeyError(KEY)
        except KeyError:
            logging.exception("it failed with %s", KEY)
    @task
    def fail(self):
        self.client.get("/x?key=" + KEY, name="own", headers={{"Authorization": KEY}})
        self.environment.events.request.fire(request_type="GET", name="own", response_time=1, response_length=0,
                                             exception=ValueError(KEY), context={{}})
        raise RuntimeError(f"the key {{KEY}} is wrong")
"""


def test_nothing_of_a_key_is_left_where_a_server_plants_it(tmp_path: Path) -> None:
    made, given, web = tmp_path / "made", tmp_path / "given", free_port()
    made.mkdir()
    given.mkdir()
    (given / "own.py").write_text(LOCUSTFILE)
    line = {"id": f"id {KEY}", "prompt": f"my key is {KEY}", "tags": [KEY], "expect": {"contains": KEY}}
    (given / "p.jsonl").write_text(json.dumps(line) + "\n")
    load = ("OpenAIChatUser", "Own", "--users", "4", "--spawn-rate", "4", "--run-time", "8s", *processes(2))
    load += (
        "--name",
        f"with {KEY}",
        "--payloads",
        str(given / "p.jsonl"),
        "--keep-text",
        "--expect",
        f"contains:{KEY}",
    )
    load += ("--header", f"X-Gateway: {GATEWAY}", "--options", json.dumps({"user": KEY}), "--tool-result", KEY)
    load += ("--pause-after-error", "0.02", "--slo", "outcome ok > 99%", "--loglevel", "DEBUG")
    load += ("--autostart", "--autoquit", "2", "--web-host", "127.0.0.1", "--web-port", str(web))
    load += ("--html", str(made / "locust.html"), "--json-file", str(made / "l.json"), "--csv", str(made / "locust"))
    names, told = itertools.cycle([*SAID, ECHO]), list[str]()
    left = (told.append(name) or name for name in names)  # type: ignore[func-returns-value]
    with serving(openai(left)) as port, (made / "log").open("wb") as log:
        full = command(f"http://127.0.0.1:{port}", made / "runs", *load, locustfile=str(given / "own.py"))
        locust = subprocess.Popen(forked(full), cwd=ROOT, env=environment(OPENAI_API_KEY=KEY), stdout=log, stderr=log)
        try:
            _look_while_it_runs(f"http://127.0.0.1:{web}", made, locust)
            locust.wait(180)
        finally:
            locust.kill()
            locust.wait()
    assert set(told) == {*SAID, ECHO}
    looked = nothing_of_it(made)
    run = folder(made / "runs")
    assert len(run.rows) >= len(told) - 8
    said = (made / "log").read_text()
    for ours in ("out [secret]", "err [secret]", "info [secret]", "KeyError: '[secret]'", "the key [secret] is"):
        assert ours in said
    assert run.run["name"] == "with [secret]"
    assert run.run["options"]["header"] == ["X-Gateway: [secret]"]
    assert {row["model"] for row in run.rows} == {"m-[secret]"}
    print(f"{len(SAID) + 1} answers of a server: {looked} files and pages, {len(run.rows)} rows")


def _look_while_it_runs(url: str, made: Path, locust: subprocess.Popen[bytes]) -> None:
    pages = made / "pages"
    pages.mkdir()
    for round_ in range(600):
        for path in (made / "runs").glob("spool/*/*/[rw]*"):  # they are there until the run ends
            with suppress(OSError):
                (pages / f"{round_} {path.parent.name} {path.name}").write_bytes(path.read_bytes())
        if round_ % 20 == 19:
            for page in PAGES:
                with suppress(requests.ConnectionError):
                    answer = requests.get(f"{url}/{page}", timeout=10)
                    assert answer.ok, page
                    kept = f"{answer.headers}\n".encode() + answer.content
                    (pages / f"{round_} {re.sub('[^a-z]', '-', page)}").write_bytes(kept)
        if locust.poll() is not None:
            break
        time.sleep(0.1)
    assert len(list(pages.iterdir())) > len(PAGES)


# Ollama's: its names, versions and times, and what it says of models that are made, pulled and deleted.


def ollama(sock: Any) -> None:
    model = {"name": f"m-{KEY}", "model": f"m-{KEY}", "digest": KEY, "modified_at": KEY, "details": {"family": KEY}}
    while asked := request(sock):
        path = asked.split(b" ")[1]
        if path == b"/api/version":
            said: Any = {"version": f"0.40.2 {KEY}", KEY: KEY}
        elif path == b"/api/tags":
            said = {"models": [model]}
        elif path == b"/api/ps":
            said = {"models": [{**model, "expires_at": f"2026 {KEY}", "size": 1, "size_vram": 1}]}
        elif path in (b"/api/chat", b"/api/generate"):
            done = {"done": True, "done_reason": KEY, "eval_count": 2, "prompt_eval_count": 3, "model": KEY}
            said = {"message": {"role": KEY, "content": KEY, "thinking": KEY}, "response": KEY, **done}
        else:
            said = {"status": KEY, "error": f"{path.decode()}: {KEY}"}
        kind = "application/json" if asked.startswith(b"GET") else "application/x-ndjson"
        sock.sendall(whole(json.dumps(said).encode() + b"\n", more=f"Content-Type: {kind}\r\n"))


def test_nothing_of_a_key_is_left_where_an_ollama_plants_it(tmp_path: Path) -> None:
    load = ("OllamaChatUser", "OllamaGenerateUser", "OllamaLifecycleUser", "--users", "3", "--run-time", "4s")
    load += ("--probe", "--spawn-rate", "3")
    load += ("--pull", f"p-{KEY}", "--push", KEY, "--sample-every", "1s", "--keep-text", "--json", *processes(2))
    with serving(ollama) as port:
        url = f"http://127.0.0.1:{port}"
        done = headless(url, tmp_path / "runs", *load, TOKENSWARM_API_KEY=KEY)
    (tmp_path / "out").write_text(done.stdout)
    (tmp_path / "err").write_text(done.stderr)
    run = folder(tmp_path / "runs")
    assert nothing_of_it(tmp_path) > 8
    assert run.run["target"]["version"] == "0.40.2 [secret]"
    assert "[secret]" in (run.path / "server.csv").read_text()
    assert {"/api/chat", "/api/pull", "/api/push", "/api/create"} <= {row["endpoint"] for row in run.rows}
