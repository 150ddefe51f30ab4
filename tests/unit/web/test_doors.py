"""Who gets an answer from the web UI: by the names in a request's headers, and by where it listens."""

import logging
import socket
from argparse import ArgumentTypeError
from types import SimpleNamespace

import pytest

from tokenswarm.settings.addresses import allowed_hosts, choose_web_host
from tokenswarm.settings.errors import UsageError
from tokenswarm.web import doors
from tokenswarm.web.doors import Door

HOST = "127.0.0.1:8089"
NAVIGATE = {"Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}


@pytest.fixture
def door(monkeypatch: pytest.MonkeyPatch) -> Door:
    monkeypatch.setattr(socket, "gethostname", lambda: "Box7.lab.internal")
    return Door("bench-ui", "ui.example.com, *.lab.example.org;[fd00::1]")


KNOWN = """localhost LOCALHOST:8089 localhost. ui.localhost 127.0.0.1:8089 127.8.0.1 [::1]:8089 [fe80::1]
192.168.1.20:9000 203.0.113.5 box7.lab.internal:8089 BOX7 box7.local bench-ui:1
ui.example.com UI.example.com:443 a.lab.example.org a.b.lab.example.org"""
UNKNOWN = """evil.example evil.example:8089 ui.example.com.evil.example evil-ui.example.com lab.example.org
127.0.0.1.evil.example localhost.evil.example notlocalhost evil@127.0.0.1 127.0.0.1/x [::1].evil.example
127.0.0.1:80:90 2130706433 0x7f.1 box7.evil.example ::1 evil.example\x1b"""


@pytest.mark.parametrize("host", KNOWN.split())
def test_names_of_this_machine_and_addresses_are_known(door: Door, host: str) -> None:
    assert door.why_not("POST", {"Host": host}) == ""


@pytest.mark.parametrize("host", ["", " ", *UNKNOWN.split()])
def test_any_other_name_is_refused_whatever_else_the_request_says(door: Door, host: str) -> None:
    for headers in ({}, {"Origin": f"http://{host}"}, {"Sec-Fetch-Site": "same-origin"}, NAVIGATE):
        for method in ("GET", "POST"):
            said = door.why_not(method, {"Host": host, **headers})
            assert "is no name of this machine" in said
            assert "--allowed-hosts" in said
            assert "\x1b" not in said


def test_it_is_said_once_for_a_name_and_not_for_ever(door: Door, caplog: pytest.LogCaptureFixture) -> None:
    for number in range(200):
        door.why_not("GET", {"Host": f"evil{number // 2}.example"})
    assert len(caplog.records) == doors.MOST_SAID


ACROSS = [
    {"Sec-Fetch-Site": "cross-site"},
    {"Sec-Fetch-Site": "same-site", "Origin": "http://127.0.0.1:3000"},
    {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "iframe"},
    {"Origin": "http://evil.example"},
    {"Origin": "http://127.0.0.1:3000"},
    {"Origin": "http://127.0.0.1:8089.evil.example"},
    {"Origin": "http://127.0.0.1:80890"},
    {"Origin": "http://evil.example?http://127.0.0.1:8089"},
    {"Origin": "null"},
    {"Origin": ""},
    {"Origin": "file://"},
]
OWN = [
    {},
    {"Sec-Fetch-Site": "none"},
    {"Origin": f"http://{HOST}"},
    {"Sec-Fetch-Site": "same-origin", "Origin": f"http://{HOST}"},
    # Behind a proxy that puts its own Host before what the browser said.
    {"Sec-Fetch-Site": "same-origin", "Origin": "https://behind.a.proxy"},
    {"Origin": "https://ui.example.com"},
]


@pytest.mark.parametrize("headers", ACROSS, ids=str)
def test_pages_of_other_sites_get_nothing(door: Door, headers: dict[str, str]) -> None:
    for method in ("GET", "POST", "OPTIONS", "DELETE"):
        assert "pages of other sites" in door.why_not(method, {"Host": HOST, **headers})


@pytest.mark.parametrize("headers", OWN, ids=str)
def test_our_own_pages_and_programs_get_all(door: Door, headers: dict[str, str]) -> None:
    for method in ("GET", "POST"):
        assert door.why_not(method, {"Host": HOST, **headers}) == ""


def test_a_link_may_be_followed_and_a_form_may_not_be_sent(door: Door) -> None:
    across = {"Host": HOST, "Sec-Fetch-Site": "cross-site", **NAVIGATE}
    assert door.why_not("GET", across) == ""
    assert door.why_not("POST", across) != ""


def test_a_request_without_a_host_comes_from_no_browser(door: Door) -> None:
    assert door.why_not("GET", {}) == ""


def test_any_name_where_that_is_asked_for() -> None:
    assert Door("", "*").why_not("GET", {"Host": "evil.example"}) == ""


@pytest.mark.parametrize("text", ["", "a, b", "*", "*.example.com", "10.0.0.1", "[::1]", "a b;c", "master,", ",a,,b,"])
def test_what_allowed_hosts_may_be(text: str) -> None:
    assert allowed_hosts(text) == text


@pytest.mark.parametrize("text", ["http://a", "a/b", "a*", "*a.example", "a:80", "a@b", "中文"])
def test_what_allowed_hosts_may_not_be(text: str) -> None:
    if text == "中文":  # a browser sends xn--…
        assert not Door("", text).knows("evil.example")
        return
    with pytest.raises(ArgumentTypeError, match="is no host's name"):
        allowed_hosts(text)


def options(tmp_path: object = "", **given: object) -> SimpleNamespace:
    return SimpleNamespace(**{"web_host": "", "web_port": 8089, "open_ui": False, "web_password_file": "", **given})


@pytest.mark.parametrize("host", ["", "*"])
def test_without_a_login_only_this_machine_reaches_it(
    host: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.delenv("TOKENSWARM_WEB_PASSWORD", raising=False)
    caplog.set_level(logging.INFO)
    asked = options(web_host=host)
    choose_web_host(asked)
    assert asked.web_host == "127.0.0.1"
    doors.check(asked)
    assert "Only this machine reaches the web UI, since it has no login; --web-password-file" in caplog.text


@pytest.mark.parametrize("host", ["0.0.0.0", "192.168.1.20", "::", "gpu-box"])
def test_beyond_this_machine_it_asks_for_a_login(
    host: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.delenv("TOKENSWARM_WEB_PASSWORD", raising=False)
    asked = options(web_host=host)
    choose_web_host(asked)
    assert asked.web_host == host
    with pytest.raises(UsageError, match=f"--web-host {host}: .* --web-password-file .* --open-ui leaves it open"):
        doors.check(asked)
    asked.open_ui = True
    doors.check(asked)
    assert f"Whoever reaches {host}:8089 can start runs and read reports" in caplog.text
    monkeypatch.setenv("TOKENSWARM_WEB_PASSWORD", "open sesame")
    doors.check(options(web_host=host))


@pytest.mark.parametrize("given", [{"open_ui": True}, {"web_password_file": __file__}])
def test_with_a_login_or_when_told_so_it_listens_everywhere(given: dict[str, object]) -> None:
    asked = options(**given)
    choose_web_host(asked)
    assert asked.web_host == ""
