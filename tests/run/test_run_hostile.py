"""A server that hands the key back and writes markup, formulas and terminal codes wherever it can."""

import json
import re
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree

import requests
from browser import Browser, browser
from locust_process import ROOT, command, environment, folder, forked, free_port, processes
from scripted import CHUNKED, chunk, request, serving, whole

KEY, GATEWAY = "sk-4fJq7ZrwLmNop91823", "gw-ab98cd76ef54-value"
OWNED = "<img src=x onerror=\"top.document.title='OWNED'\"><script>top.document.title='OWNED'</script>"
MODEL = f"=m {OWNED}"
FORMULA, TERMINAL = "=cmd|' /C calc'!A0", "\x1b]0;OWNED\x07\x1b[2J\nVALID: all is well"
EVENTS = CHUNKED.replace(b"application/x-ndjson", b"text/event-stream")
JSON = "Content-Type: application/json\r\n"
PAGES = ("", "stats/requests", "stats/report", "exceptions", "tasks", "logs", "metrics")
PAGES += ("stats/requests/csv", "stats/failures/csv", "exceptions/csv")


def _said(content: str, finish: str = "stop", *, stream: bool) -> dict[str, object]:
    piece = {"delta": {"content": content}} if stream else {"message": {"content": content}}
    return {"choices": [{**piece, "finish_reason": finish}], "usage": {"prompt_tokens": 3, "completion_tokens": 2}}


def _stream(content: str, finish: str = "stop") -> bytes:
    event = f"data: {json.dumps(_said(content, finish, stream=True))}\n\ndata: [DONE]\n\n"
    return EVENTS + chunk(event.encode()) + chunk(b"")


def _error(text: str) -> bytes:
    return json.dumps({"error": {"message": text}}).encode()


ANSWERS: tuple[Callable[[bytes], bytes], ...] = (
    lambda _: whole(_error(f"Incorrect API key provided: {KEY}."), "401 Unauthorized"),
    lambda _: whole(_error(f"Incorrect API key provided: {KEY[:9]}*********1823."), "401 Unauthorized"),
    lambda asked: whole(b"<h1>Bad gateway</h1>" + asked.partition(b"\r\n\r\n")[0], "502 Bad Gateway"),
    lambda _: EVENTS + chunk(f'data: {{"error": "{GATEWAY} is unknown"}}\n\n'.encode()) + chunk(b""),
    lambda _: EVENTS + chunk(f"data: Bearer {KEY} is no JSON\n\n".encode()) + chunk(b""),
    lambda _: _stream(f"{OWNED} your key is {KEY}", f"{OWNED}{KEY}"),
    lambda _: _stream(f"{FORMULA}"),
    lambda _: whole(_error(FORMULA), "500 Oops"),
    lambda _: EVENTS + chunk(b"data: " + _error(f"{OWNED}{TERMINAL}\x00") + b"\n\n") + chunk(b""),
)


def _hostile() -> Callable[..., None]:
    told = 0

    def script(sock: object) -> None:
        nonlocal told
        while asked := request(sock):  # type: ignore[arg-type]
            if asked.startswith(b"GET /v1/models"):
                listing = json.dumps({"data": [{"id": MODEL}]}).encode()
                answer = whole(listing, more=f"{JSON}Server: hostile {OWNED}\r\n")
            elif asked.startswith(b"GET"):
                answer = whole(b"", "404 Not Found")
            elif b'"stream":true' not in asked:
                answer = whole(json.dumps(_said("hi", stream=False)).encode(), more=JSON)
            else:
                answer = ANSWERS[told % len(ANSWERS)](asked) if told else _stream("hi")  # the warm-up
                told += 1
            sock.sendall(answer)  # type: ignore[attr-defined]

    return script


def _shows(window: Browser, url: str) -> str:
    """The page's text; nothing in it may have run."""
    window.open(url)
    time.sleep(0.5)
    assert "OWNED" not in window.script("return document.title")
    assert window.script("return document.querySelectorAll('img[onerror]').length") == 0
    return window.text()


def test_what_a_hostile_server_says_harms_nobody_and_gives_nothing_away(tmp_path: Path) -> None:
    web = free_port()
    url, runs = f"http://127.0.0.1:{web}", tmp_path / "runs"
    load = ("OpenAIChatUser", "--users", "2", "--run-time", "5s", "--pause-after-error", "0.05", "--keep-text")
    load += ("--slo", "outcome ok > 99%", "--loglevel", "DEBUG", "--header", f"X-Gateway: {GATEWAY}")
    load += ("--autostart", "--autoquit", "1", "--web-host", "127.0.0.1", "--web-port", str(web))
    load += ("--html", str(tmp_path / "locust.html"), "--json-file", str(tmp_path / "locust.json"), *processes(2))
    (tmp_path / "pages").mkdir()
    with serving(_hostile()) as port, browser() as window, (tmp_path / "log").open("wb") as log:
        full = command(f"http://127.0.0.1:{port}", runs, *load)
        env = environment(OPENAI_API_KEY=KEY)
        locust = subprocess.Popen(forked(full), cwd=ROOT, env=env, stdout=log, stderr=log)
        try:
            spools = b""
            for _ in range(300):  # they are there until the run ends
                spools = b"".join(path.read_bytes() for path in runs.glob("spool/*/*/[rw]*"))
                if b"[secret]" in spools:
                    break
                time.sleep(0.05)
            (tmp_path / "spools").write_bytes(spools)
            assert b"[secret]" in spools
            time.sleep(2)  # the workers' reports
            for page in PAGES:
                answer = requests.get(f"{url}/{page}", timeout=10)
                assert answer.ok, page
                (tmp_path / "pages" / page.replace("/", "-")).with_suffix(".txt").write_bytes(answer.content)
            window.open(url)
            window.wait_for("Aggregated")
            for tab in ("Failures", "Exceptions", "Runs", "Logs"):
                window.script(
                    "[...document.querySelectorAll('button, a')].find("
                    f"b => b.innerText.trim().toUpperCase() == '{tab.upper()}')?.click()"
                )
                time.sleep(0.3)
                assert "OWNED" not in window.script("return document.title")
            locust.wait(180)
        finally:
            locust.kill()
            locust.wait()
        run = folder(runs)
        report = _shows(window, f"file://{run.path}/report.html")
        assert "OWNED" in report  # it is there, as text
        assert "OWNED" in _shows(window, f"file://{tmp_path}/locust.html")
    assert len(run.rows) > 2 * len(ANSWERS)
    _nothing_given_away(tmp_path)
    errors = {row["error"] for row in run.rows}
    assert any("Incorrect API key provided: [secret]" in error for error in errors)
    assert f"HTTP 500 {FORMULA}" in errors
    assert {row["model"] for row in run.rows} == {f"'{MODEL}"}
    assert f"'{FORMULA}" in {row["output_text"] for row in run.rows}
    said = (tmp_path / "log").read_text()
    assert "\x1b]0" not in said
    assert not re.search("^VALID: all is well", said, re.MULTILINE)
    assert run.run["target"]["version"] == f"hostile {OWNED}"
    ElementTree.parse(run.path / "slo-junit.xml")
    summary = run.summary()
    assert {group["model"] for group in summary["groups"]} == {MODEL}
    for path in (*tmp_path.rglob("*.csv"), *tmp_path.glob("pages/*csv*")):
        assert not re.search(r'(^|,)"?[=+@]', path.read_text(), re.MULTILINE), path


def _nothing_given_away(where: Path) -> None:
    held = [path for path in where.rglob("*") if path.is_file()]
    assert len(held) > 20
    for path in held:
        data = path.read_bytes()
        for piece in (KEY[:10], KEY[-10:], GATEWAY[:10], GATEWAY[-10:]):
            assert piece.encode() not in data, (path, data[max(0, data.find(piece.encode()) - 100) :][:200])
