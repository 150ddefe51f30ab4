"""Every route that there is, Locust's and ours: what a stranger gets of it, and a page of another site."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from webui_client import web_ui

PASSWORD = "open sesame"
RUN = "20261123T111733Z-demo"
# Who is not logged in gets these: the page that asks for the password, what it is made of, and where it is sent.
OPEN = {"/login", "/assets/<path:path>", "/tokenswarm-login"}
FILLED = {"<path:path>": "nothing.js", "<path:filename>": "nothing", "<run>": RUN, "<file>": "report.html"}
EVIL = (
    {"Host": "evil.example"},
    {"Origin": "http://evil.example"},
    {"Origin": "null"},
    {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors"},
    {"Sec-Fetch-Site": "same-site", "Sec-Fetch-Mode": "cors"},
    {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "iframe"},
)


@pytest.fixture
def open_ui(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    with web_ui(runs(tmp_path), monkeypatch) as made:
        yield made.app


@pytest.fixture
def closed_ui(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    (tmp_path / "password").write_text(PASSWORD)
    with web_ui(runs(tmp_path), monkeypatch, web_password_file=str(tmp_path / "password")) as made:
        yield made.app


def runs(folder: Path) -> Path:
    (folder / "runs" / RUN).mkdir(parents=True)
    (folder / "runs" / RUN / "report.html").write_text("a report")
    return folder / "runs"


def routes(app: Any) -> list[tuple[str, str, str]]:
    """(the rule, the method, an address) of all there are."""
    found = []
    for rule in app.url_map.iter_rules():
        address = rule.rule
        for name, value in FILLED.items():
            address = address.replace(name, value)
        assert "<" not in address, rule
        found += [(rule.rule, method, address) for method in sorted(rule.methods - {"OPTIONS", "HEAD"})]
    assert len(found) >= 20
    return found


def status(client: Any, method: str, address: str, **more: Any) -> int:
    with client.open(address, method=method, **more) as answer:
        return int(answer.status_code)


def test_without_a_login_all_is_open_to_ones_own_pages(open_ui: Any) -> None:
    client = open_ui.test_client()
    for rule, method, address in routes(open_ui):
        if method == "GET" and "nothing" not in address:
            assert status(client, method, address) in (200, 302, 404), rule
    assert status(client, "POST", "/stats/reset") == 200
    assert status(client, "GET", f"/runs/{RUN}/report.html") == 200


def test_no_route_answers_a_page_of_another_site_or_another_name(open_ui: Any) -> None:
    client = open_ui.test_client()
    for rule, method, address in routes(open_ui):
        for headers in EVIL:
            for asked in (method, "OPTIONS"):
                with client.open(address, method=asked, headers=headers) as answer:
                    assert answer.status_code == 403, (rule, asked, headers)
                    assert answer.text.startswith("tokenswarm: ")
                    assert answer.text.count("\n") == 1
                    assert not [name for name, _ in answer.headers if name.startswith("Access-Control")]


def test_what_is_answered_is_for_this_site_only(open_ui: Any) -> None:
    with open_ui.test_client().get("/stats/requests", headers={"Origin": "http://localhost"}) as answer:
        assert answer.status_code == 200
        assert not [name for name, _ in answer.headers if name.startswith("Access-Control")]
        assert answer.headers["Cross-Origin-Resource-Policy"] == "same-origin"
        assert answer.headers["X-Frame-Options"] == "SAMEORIGIN"


def test_a_link_to_a_report_may_be_followed(open_ui: Any) -> None:
    followed = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}
    client = open_ui.test_client()
    assert status(client, "GET", f"/runs/{RUN}/report.html", headers=followed) == 200
    assert status(client, "POST", "/swarm", headers=followed) == 403


def test_with_a_login_no_route_gives_anything_without_it(closed_ui: Any) -> None:
    for rule, method, address in routes(closed_ui):
        client = closed_ui.test_client()
        if rule in OPEN:
            continue
        for auth in (None, ("tokenswarm", "wrong"), ("wrong", PASSWORD), ("tokenswarm", "")):
            with client.open(address, method=method, auth=auth) as answer:
                assert answer.status_code in (302, 401), rule
                assert "a report" not in answer.text
                if answer.status_code == 302:
                    assert answer.headers["Location"].startswith("/login"), rule


def test_with_the_login_every_route_is_there(closed_ui: Any) -> None:
    client = closed_ui.test_client()
    login = {"username": "tokenswarm", "password": PASSWORD}
    assert status(client, "POST", "/tokenswarm-login", data=login, headers={"Origin": "http://evil.example"}) == 403
    assert status(client, "GET", "/stats/requests") == 302
    assert status(client, "POST", "/tokenswarm-login", data=login) == 302
    for rule, method, address in routes(closed_ui):
        if method == "GET" and "nothing" not in address and rule not in OPEN:
            assert status(client, method, address) in (200, 404), rule
    assert status(client, "GET", "/metrics", headers={"Host": "evil.example"}) == 403
