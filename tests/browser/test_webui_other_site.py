"""Headless Chromium with a page of another site: it starts no run and reads no report, also by DNS rebinding."""

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from browser import Browser, browser
from locust_process import free_port
from scripted import request, serving, whole
from simulator_process import running
from web_run import web

RUN, REPORT = "20261123T111733Z-demo", "what the report says"
# Both lead to this machine: one is the site of the page, the other is a name made to lead to the web UI (rebinding).
NAMES = "--host-resolver-rules=MAP evil.example 127.0.0.1, MAP rebound.example 127.0.0.1"
FORM = "user_count=1&spawn_rate=1&run_time=2s&model=sim"
URLENCODED = "{'Content-Type': 'application/x-www-form-urlencoded'}"


class Place(NamedTuple):
    """The web UI's port, the folder of its runs, and the evil site's port; the window is at none of them yet."""

    window: Browser
    ui: int
    metrics: int
    evil: int
    runs: Path

    def said(self, script: str) -> Any:
        """What a promise of the page comes to, or how it failed."""
        return self.window.script(f"return (async () => {{ {script} }})().catch(e => 'failed: ' + e.message)")

    def started(self) -> bool:
        time.sleep(1)
        return len(list(self.runs.glob("2*"))) > 1


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    folder = tmp_path_factory.mktemp("other")
    (folder / "runs" / RUN).mkdir(parents=True)
    (folder / "runs" / RUN / "report.html").write_text(f"<p>{REPORT}</p>")
    port = free_port()

    def evil(sock: Any) -> None:
        while request(sock):
            sock.sendall(whole(b"<!doctype html><body>evil", more="Content-Type: text/html\r\n"))

    with (
        running("--load-ms", "0") as simulator,
        serving(evil) as site,
        web(simulator, folder / "runs", "--no-report", "--metrics-port", str(port)) as url,
        browser(NAMES) as window,
    ):
        yield Place(window, int(url.rpartition(":")[2]), port, site, folder / "runs")


@pytest.fixture(params=["127.0.0.1", "localhost", "evil.example"])
def abroad(place: Place, request: pytest.FixtureRequest) -> Place:
    """At a page of another site; the first two are other ports of this machine."""
    place.window.open(f"http://{request.param}:{place.evil}/")
    assert place.window.text() == "evil"
    return place


@pytest.mark.parametrize("ui", ["127.0.0.1", "localhost"])
def test_it_starts_no_run(abroad: Place, ui: str) -> None:
    address = f"http://{ui}:{abroad.ui}"
    sent = f"method: 'POST', body: '{FORM}', headers: {URLENCODED}, credentials: 'include'"
    for mode in ("cors", "no-cors"):
        said = abroad.said(
            f"const a = await fetch('{address}/swarm', {{{sent}, mode: '{mode}'}}); return await a.text()"
        )
        assert said in ("failed: Failed to fetch", "")
    abroad.said(f"navigator.sendBeacon('{address}/swarm', new URLSearchParams('{FORM}'))")
    assert not abroad.started()


def test_a_form_of_its_own_is_refused_in_one_line(abroad: Place) -> None:
    fields = "".join(f"<input name={pair.replace('=', ' value=')}>" for pair in FORM.split("&"))
    page = f"<form method=post action=http://127.0.0.1:{abroad.ui}/swarm>{fields}</form>"
    abroad.window.script(f"document.body.innerHTML = {json.dumps(page)}; document.forms[0].submit()")
    abroad.window.wait_for("tokenswarm: pages of other sites may not use this one")
    assert not abroad.started()


def test_it_reads_no_report(abroad: Place) -> None:
    report = f"http://127.0.0.1:{abroad.ui}/runs/{RUN}/report.html"
    for mode in ("cors", "no-cors"):
        said = abroad.said(f"const a = await fetch('{report}', {{mode: '{mode}'}}); return a.status + await a.text()")
        assert REPORT not in said
        assert said in ("failed: Failed to fetch", "0")
    for tag in ("script", "img", "iframe"):
        said = abroad.said(
            f"const e = document.createElement('{tag}'); const end = new Promise(r => {{ e.onload = () => r('load');"
            f" e.onerror = () => r('error') }}); e.src = '{report}'; document.body.append(e); await end;"
            " let inside = ''; try { inside = e.contentDocument.body.innerText } catch {}; return inside"
        )
        assert said == ""
    assert REPORT not in abroad.window.text()


def test_a_link_that_is_followed_shows_it(abroad: Place) -> None:
    link = f"http://127.0.0.1:{abroad.ui}/runs/{RUN}/report.html"
    abroad.window.script(f"document.body.innerHTML = '<a href={link}>look</a>'")
    abroad.window.click("a")
    abroad.window.wait_for(REPORT)


def test_a_name_that_is_made_to_lead_here_gets_nothing(place: Place) -> None:
    for port in (place.ui, place.metrics):
        place.window.open(f"http://rebound.example:{port}/metrics")
        assert "tokenswarm: 'rebound.example:" in place.window.text()
        assert "--allowed-hosts" in place.window.text()
        # It is of the same origin now, and may read every answer.
        for path in ("/", "/metrics", "/stats/requests", f"/runs/{RUN}/report.html", "/login", "/assets/x.js"):
            said = place.said(f"const a = await fetch('{path}'); return [a.status, await a.text()]")
            assert said[0] == 403
            assert REPORT not in said[1]
    place.window.open(f"http://rebound.example:{place.ui}/")
    said = place.said(f"const a = await fetch('/swarm', {{method: 'POST', body: '{FORM}', headers: {URLENCODED}}});"
                      " return a.status")  # fmt: skip
    assert said == 403
    assert not place.started()


@pytest.mark.parametrize("name", ["localhost", "127.0.0.1"])
def test_its_own_page_may_do_all_of_it(place: Place, name: str) -> None:
    place.window.open(f"http://{name}:{place.ui}/")
    place.window.find("input[name=userCount]")
    said = place.said(f"const a = await fetch('/runs/{RUN}/report.html'); return await a.text()")
    assert REPORT in said
    said = place.said("const a = await fetch('/stats/reset', {method: 'POST'}); return a.status")
    assert said == 200


def test_what_was_refused_above_would_have_started_a_run(place: Place) -> None:
    place.window.open(f"http://localhost:{place.ui}/")
    post = f"{{method: 'POST', body: '{FORM}', headers: {URLENCODED}}}"
    assert place.said(f"const a = await fetch('/swarm', {post}); return (await a.json()).success") is True
    assert place.started()
