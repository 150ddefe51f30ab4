"""Where a server's paths are, whatever address was pasted: found by asking, kept for the workers, or one line."""

import os
import ssl
import subprocess
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from doors import (
    CHAT,
    COMPLETIONS,
    GOOD,
    GOOD_NATIVE,
    GOOD_TEXT,
    NATIVE,
    NOT_FOUND,
    ONE,
    Door,
    attempt,
    page,
    prepared,
    said,
)
from scripted import serving, whole

from tokenswarm.settings.target import target, unused_proxy

M = ("--model", "m")
DEPLOYMENT = "/openai/deployments/N"
# What is pasted after the host, and where the list of models and the chats are.
PLACES = {
    "/openai/v1": ("/openai/v1/models", "/openai/v1/chat/completions"),
    "/api/v1": ("/api/v1/models", "/api/v1/chat/completions"),
    "/compatible-mode/v1/": ("/compatible-mode/v1/models", "/compatible-mode/v1/chat/completions"),
    "/v1beta/openai": ("/v1beta/openai/models", "/v1beta/openai/chat/completions"),
    "/v1beta/openai/": ("/v1beta/openai/models", "/v1beta/openai/chat/completions"),
    "/v3": ("/v3/models", "/v3/chat/completions"),
    "/api/paas/v4": ("/api/paas/v4/models", "/api/paas/v4/chat/completions"),
    "/openai": ("/openai/v1/models", "/openai/v1/chat/completions"),
    "/api": ("/api/models", "/api/chat/completions"),
    "/proxy": ("/proxy/models", "/proxy/chat/completions"),
    "": ("/models", "/chat/completions"),
    "/v1/chat/completions": ("/v1/models", "/v1/chat/completions"),
    "/api/chat/completions": ("/api/models", "/api/chat/completions"),
    f"{DEPLOYMENT}?api-version=1": (
        f"{DEPLOYMENT}/models?api-version=1",
        f"{DEPLOYMENT}/chat/completions?api-version=1",
    ),
    "/?key=abc": ("/v1/models?key=abc", "/v1/chat/completions?key=abc"),
}  # fmt: skip


@pytest.mark.parametrize("pasted", PLACES)
def test_the_list_of_models_tells_where_the_paths_are(pasted: str) -> None:
    models, chat = PLACES[pasted]
    door = Door({models: ONE, chat: GOOD})
    done = attempt(door, path=pasted, named=("OpenAIChatUser",))
    assert (done.line, done.findings, done.options.model) == ("", "", "m")
    assert len(door.bodies(chat)) == 1
    where = target(done.options.host, {}, done.options.layout)
    assert where.path("/v1/chat/completions") == chat  # as a worker knows it
    assert "?" not in done.options.host


# Addresses whose server has no list of models.
UNLISTED = {
    **{pasted: chat for pasted, (_, chat) in PLACES.items()},
    f"{DEPLOYMENT}/chat/completions?api-version=2024-10-21": f"{DEPLOYMENT}/chat/completions?api-version=2024-10-21",
    "/serving-endpoints/N/invocations": "/serving-endpoints/N/invocations",
    "/my/own/endpoint": "/my/own/endpoint",
    "/v3/": "/v3",
}


@pytest.mark.parametrize("pasted", UNLISTED)
@pytest.mark.parametrize("otherwise", [NOT_FOUND, page("Welcome"), whole(b"", "405 Method Not Allowed")])
def test_without_a_list_the_warm_up_tells_where_the_paths_are(pasted: str, otherwise: bytes) -> None:
    chat = UNLISTED[pasted]
    done = attempt(door := Door({chat: GOOD}, otherwise), *M, path=pasted, named=("OpenAIChatUser",))
    assert done.line == ""
    assert len(door.bodies(chat)) == 1
    assert target(done.options.host, {}, done.options.layout).path("/v1/chat/completions") == chat
    assert "gives no list of its models" in done.findings


def test_a_model_that_is_unknown_where_the_path_is_right_is_not_looked_for_elsewhere() -> None:
    unknown = said({"error": {"message": "model 'm' not found"}}, "404 Not Found")
    done = attempt(door := Door({"/proxy/v1/chat/completions": unknown}), *M, path="/proxy", named=("OpenAIChatUser",))
    assert "/proxy/v1/chat/completions refuses what the run would ask: HTTP 404 model 'm' not found" in done.line
    assert door.bodies("/proxy/chat/completions") == []


@pytest.mark.parametrize("option", ["/invocations", "invocations", "/invocations?x=1"])
def test_a_path_of_the_users_own_is_asked_as_it_is(option: str) -> None:
    path = f"/{option.lstrip('/')}"
    done = attempt(door := Door({"/v1/models": ONE, path: GOOD}), "--path", option)
    assert (done.line, done.findings, len(door.bodies(path))) == ("", "", 1)
    assert [c.__name__ for c in done.prepared.classes] == ["OpenAIChatUser"] if done.prepared else False
    assert target(done.options.host, {}, done.options.layout).path(CHAT) == path


@pytest.mark.parametrize(
    ("option", "name", "body"),
    [
        ("/x/v1/completions", "OpenAICompletionsUser", GOOD_TEXT),
        ("/x/api/chat", "OllamaChatUser", GOOD_NATIVE),
        ("/x/v1/chat/completions/", "OpenAIChatUser", GOOD),
    ],
)
def test_the_end_of_a_path_says_whose_it_is(option: str, name: str, body: bytes) -> None:
    ollama = {"/api/version": said({"version": "0.32.1"}), "/api/tags": said({"models": [{"name": "m:latest"}]})}
    done = attempt(Door({**ollama, option: body}), "--path", option)
    assert done.line == ""
    assert [c.__name__ for c in done.prepared.classes] == [name] if done.prepared else False


def test_a_path_is_that_of_one_class() -> None:
    door = Door({"/v1/models": ONE, "/x": GOOD})
    assert (
        "--path is the path of one API; name one User class"
        in attempt(door, "--path", "/x", named=("OpenAIChatUser", "OpenAICompletionsUser")).line
    )
    assert "--path 'http://x/y' is no path" in attempt(door, "--path", "http://x/y").line


def test_a_class_that_nobody_named_is_left_out_where_the_server_has_not_its_api() -> None:
    done = attempt(Door({"/v1/models": ONE, CHAT: GOOD}))
    assert [c.__name__ for c in done.prepared.classes] == ["OpenAIChatUser"] if done.prepared else False
    assert "OpenAICompletionsUser is left out: " in done.findings
    named = attempt(Door({"/v1/models": ONE, CHAT: GOOD}), named=("OpenAIChatUser", "OpenAICompletionsUser"))
    assert "/v1/completions refuses what the run would ask: HTTP 404 Not Found" in named.line
    other = attempt(Door({"/v1/models": ONE, COMPLETIONS: GOOD_TEXT}))
    assert [c.__name__ for c in other.prepared.classes] == ["OpenAICompletionsUser"] if other.prepared else False


def redirect(status: str, location: str) -> bytes:
    return whole(b"", status, f"Location: {location}\r\n" if location else "")


@pytest.mark.parametrize("given", [(), M])
@pytest.mark.parametrize(
    ("location", "words"),
    [
        ("https://127.0.0.1:9443/v1/{}", "has moved to https://127.0.0.1:9443; give that as --host (HTTP 301, Loc"),
        ("/v1/{}/", "/ (HTTP 301, Location: /v1/{}/); give --path /v1/{}/"),
        ("http://127.0.0.1//v1/{}/", "(HTTP 301, Location: http://127.0.0.1//v1/{}/); give --path /v1/{}/"),
        ("https://sso/login?next=1", "has moved to https://sso/login (HTTP 301, Location: https://sso/login?next=1)"),
        ("http://[::1", "is redirected (HTTP 301, Location: http://[::1), which is no address"),
        ("", "is redirected (HTTP 301), but not said where to"),
    ],
)  # fmt: skip
def test_a_redirect_is_one_line_that_says_where_it_leads(given: tuple[str, ...], location: str, words: str) -> None:
    ends = {"/v1/models": "models", CHAT: "chat/completions"}
    moved = redirect("301 Moved Permanently", "https://sso/login?next=1")
    door = Door({path: redirect("301 Moved Permanently", location.format(end)) for path, end in ends.items()}, moved)
    line = attempt(door, *given, path="/v1", named=("OpenAIChatUser",)).line
    end = ends[CHAT if given else "/v1/models"]
    assert words.format(*[end] * words.count("{}")) in line


@pytest.mark.parametrize("status", ["301 Moved Permanently", "302 Found", "307 Temporary Redirect", "308 Permanent"])
def test_a_chat_that_is_redirected_ends_in_a_line(status: str) -> None:
    done = attempt(Door({"/v1/models": ONE, CHAT: redirect(status, "http://127.0.0.1//v1/chat/completions/")}), *M,
                   named=("OpenAIChatUser",))  # fmt: skip
    assert f"(HTTP {status[:3]}, Location: http://127.0.0.1//v1/chat/completions/)" in done.line
    assert "give --path /v1/chat/completions/" in done.line


def test_a_list_that_is_redirected_is_a_warning_where_the_chat_goes_well() -> None:
    done = attempt(Door({"/v1/models": redirect("307 T", "/v1/models/"), CHAT: GOOD}), *M, named=("OpenAIChatUser",))
    assert done.line == ""
    assert "has moved to" in done.findings


@pytest.fixture(scope="module")
def certified(tmp_path_factory: pytest.TempPathFactory) -> tuple[ssl.SSLContext, Path]:
    """A server's TLS, and the file of the authority that vouches for it."""
    folder = tmp_path_factory.mktemp("tls")
    key, cert = folder / "key.pem", folder / "cert.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", key, "-out", cert, "-days", "2",
         "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"],
        check=True, capture_output=True,
    )  # fmt: skip
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert, key)
    return context, cert


def tls_attempt(tls: ssl.SSLContext, scheme: str, *arguments: str) -> str:
    door = Door({"/v1/models": ONE, CHAT: GOOD})
    with serving(door.handle, tls=tls) as port:
        return prepared("--host", f"{scheme}://127.0.0.1:{port}", *arguments, named=("OpenAIChatUser",)).line


def test_the_certificate_is_checked_as_in_the_load(certified: tuple[ssl.SSLContext, Path], tmp_path: Path) -> None:
    tls, authority = certified
    runs = ("--run-dir", str(tmp_path))
    assert "TLS failed" in (line := tls_attempt(tls, "https", *runs))
    assert "certificate verify failed" in line
    assert "see --ca-cert and --insecure" in line
    assert tls_attempt(tls, "https", *runs, "--insecure") == ""
    assert tls_attempt(tls, "https", *runs, "--ca-cert", str(authority)) == ""
    with mock.patch.dict(os.environ, SSL_CERT_FILE=str(authority)):
        assert tls_attempt(tls, "https", *runs) == ""


def test_http_at_a_tls_port_and_the_other_way_round_are_named(
    certified: tuple[ssl.SSLContext, Path], tmp_path: Path
) -> None:
    runs = ("--run-dir", str(tmp_path))
    assert "answers with TLS; give --host https://127.0.0.1:" in tls_attempt(certified[0], "http", *runs)
    for answer in (ONE, NOT_FOUND, page("hello")):
        line = attempt(Door({}, answer), host="https://127.0.0.1:{port}").line
        assert "speaks no TLS; give --host http://127.0.0.1:" in line


def test_a_plain_word_that_the_port_wants_tls_is_believed_only_if_it_does() -> None:
    words = whole(b"Client sent an HTTP request to an HTTPS server.\n", "400 Bad Request")
    assert "is no LLM server" in attempt(Door({}, words)).line


@pytest.mark.parametrize(
    ("environment", "url", "name"),
    [
        ({"HTTP_PROXY": "http://p:3128"}, "http://box:8000", "HTTP_PROXY"),
        ({"http_proxy": "http://p:3128"}, "http://box:8000", "http_proxy"),
        ({"HTTPS_PROXY": "http://p:3128"}, "https://box", "HTTPS_PROXY"),
        ({"ALL_PROXY": "socks5://p"}, "https://box", "ALL_PROXY"),
        ({"HTTPS_PROXY": "http://p:3128"}, "http://box", ""),
        ({"HTTP_PROXY": ""}, "http://box", ""),
        ({"HTTP_PROXY": "http://p", "NO_PROXY": "localhost,box"}, "http://box:1", ""),
        ({}, "http://box", ""),
    ],
)
def test_a_proxy_of_the_environment_is_said_to_be_unused(environment: dict[str, str], url: str, name: str) -> None:
    line = unused_proxy(target(url, {}), environment)
    assert line == (f"{name} is set and not used: requests go straight to {url}" if name else "")


def test_the_line_on_a_proxy_stands_once(capfd: Any) -> None:
    with mock.patch.dict(os.environ, HTTP_PROXY="http://127.0.0.1:9"):
        done = attempt(Door({"/v1/models": ONE, CHAT: GOOD}), named=("OpenAIChatUser",))
    assert done.err.count("HTTP_PROXY is set and not used: requests go straight to http://127.0.0.1:") == 1
    assert NATIVE not in done.err
