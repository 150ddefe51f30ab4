"""A server that is not ready, wants a login, or is no Ollama though it seems one: waited for, or one line says so."""

import socket
import time

import pytest
from doors import CHAT, GOOD, GOOD_NATIVE, NATIVE, NOT_FOUND, ONE, Door, attempt, page, prepared, said
from scripted import request, serving, whole

M = ("--model", "m")
NAMED = ("OpenAIChatUser",)
LOADING = {"error": {"code": 503, "message": "Loading model", "type": "unavailable_error"}}
NOT_READY = {
    "llama.cpp": (said(LOADING, "503 Service Unavailable"), "HTTP 503 Loading model"),
    "nginx": (
        page("502 Bad Gateway", "502 Bad Gateway", "Server: nginx/1.25.3\r\n"),
        "HTTP 502 Bad Gateway (nginx)",
    ),
    "a limit": (
        said({"error": {"message": "Rate limit reached"}}, "429 Too Many Requests", "Retry-After: 20\r\n"),
        "HTTP 429 Rate limit reached, Retry-After 20",
    ),
    "HF": (said({"error": "Model x is currently loading", "estimated_time": 20.0}, "503 Service Unavailable"),
           "HTTP 503 Model x is currently loading"),
    "TGI": (said({"error": "Model is overloaded", "error_type": "overloaded"}, "429 Too Many Requests"),
            "HTTP 429 Model is overloaded"),
    "no words": (whole(b"", "504 Gateway Timeout", "Server: awselb/2.0\r\n"), "HTTP 504 Gateway Timeout (awselb)"),
    "too early": (whole(b"", "425 Too Early"), "HTTP 425 Too Early"),
    "Anthropic": (said({"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}, "529 x"),
                  "HTTP 529 Overloaded"),
    "Cloudflare": (page("box | 522: Connection timed out", "522 x", "Server: cloudflare\r\n"),
                   "HTTP 522 Connection timed out (cloudflare)"),
    "plain": (whole(b"503 no healthy upstream", "503 Service Unavailable"), "HTTP 503 no healthy upstream"),
    "KServe": (said({"error": "Model with name m is not ready."}, "503 Service Unavailable"), "m is not ready."),
    "Ollama": (said({"error": "server busy, please try again.  maximum pending requests exceeded"}, "503 x"),
               "HTTP 503 server busy, please try again."),
}  # fmt: skip


@pytest.mark.parametrize("given", [(), M])
@pytest.mark.parametrize("engine", NOT_READY)
def test_a_server_that_is_not_ready_is_said_to_be_in_its_own_words(engine: str, given: tuple[str, ...]) -> None:
    answer, words = NOT_READY[engine]
    line = attempt(Door({}, answer), *given, named=NAMED).line
    assert "is there, but not ready: " in line
    assert words in line
    assert "--wait-ready 60s waits for it" in line


def test_it_is_waited_for_and_then_the_run_begins() -> None:
    looks = 0

    def models(_: bytes) -> bytes:
        nonlocal looks
        looks += 1
        return NOT_READY["llama.cpp"][0] if looks < 3 else ONE

    began_s = time.monotonic()
    done = attempt(Door({"/v1/models": models, CHAT: GOOD}), "--wait-ready", "30s", named=NAMED)
    assert (done.line, done.findings) == ("", "")
    assert time.monotonic() - began_s > 1.9
    assert done.err.count("tokenswarm: waiting 30 s at most: ") == 1
    assert "HTTP 503 Loading model" in done.err


@pytest.mark.parametrize("given", [(), M])
def test_it_is_not_waited_for_longer_than_the_user_will(given: tuple[str, ...]) -> None:
    began_s = time.monotonic()
    done = attempt(Door({}, NOT_READY["a limit"][0]), "--wait-ready", "2s", *given, named=NAMED)
    assert "HTTP 429 Rate limit reached, Retry-After 20; waited 2 s" in done.line
    assert time.monotonic() - began_s > 1.9


def test_the_warm_up_waits_too_and_begins_all_the_same_when_nobody_waits() -> None:
    asked = 0

    def chat(_: bytes) -> bytes:
        nonlocal asked
        asked += 1
        return NOT_READY["HF"][0] if asked < 3 else GOOD

    done = attempt(Door({"/v1/models": ONE, CHAT: chat}), "--wait-ready", "30s", named=NAMED)
    assert (done.line, done.findings, asked) == ("", "", 3)
    without = attempt(Door({"/v1/models": ONE, CHAT: NOT_READY["HF"][0]}), named=NAMED)
    assert without.line == ""
    assert "ended as http_error: HTTP 503 Model x is currently loading" in without.findings


def test_a_server_that_is_not_up_yet_is_waited_for() -> None:
    with socket.socket() as reserved:
        reserved.bind(("127.0.0.1", 0))
        port = reserved.getsockname()[1]
    began_s = time.monotonic()
    with serving(Door({}).handle):
        line = attempt(Door({}), "--wait-ready", "2s", host=f"http://127.0.0.1:{port}").line
    assert f"no server answers at http://127.0.0.1:{port} (Connection refused)" in line
    assert line.endswith("; waited 2 s")
    assert time.monotonic() - began_s > 1.9


UNAUTHORIZED = whole(b"401 Authorization Required", "401 Unauthorized", "Content-Type: text/html\r\n")
VERSION = said({"version": "0.32.15"})


@pytest.mark.parametrize("given", [(), M])
@pytest.mark.parametrize("named", [("OllamaChatUser",), NAMED])
def test_an_ollama_behind_a_login_that_leaves_its_version_open(named: tuple[str, ...], given: tuple[str, ...]) -> None:
    door = Door({"/api/version": VERSION, "/api/tags": UNAUTHORIZED, NATIVE: GOOD_NATIVE, CHAT: GOOD})
    line = attempt(door, *given, named=named).line
    assert "wants an API key (HTTP 401 Authorization Required); set OPENAI_API_KEY or --api-key" in line


def test_a_key_that_is_not_taken_and_one_that_may_not_list() -> None:
    wrong = said({"error": {"message": "Incorrect API key provided"}}, "401 Unauthorized")
    key = ("--api-key", "sk-12345678")
    line = attempt(Door({}, wrong), *key, *M, named=NAMED).line
    assert "wants another API key (HTTP 401 Incorrect API key provided)" in line
    scope = said({"error": {"message": "Missing scopes: api.model.read"}}, "403 Forbidden")
    done = attempt(Door({"/v1/models": scope, CHAT: GOOD}), *key, *M, named=NAMED)
    assert done.line == ""
    assert "Missing scopes: api.model.read" in done.findings


def test_a_proxy_that_wants_a_login() -> None:
    proxy = page("407 Proxy Authentication Required", "407 x", "Server: squid/6\r\nProxy-Authenticate: Basic\r\n")
    for paths in ({}, {"/v1/models": ONE}):
        line = attempt(Door(paths, proxy), *M, named=NAMED).line
        assert "a proxy before http://127.0.0.1:" in line
        assert "wants a login (HTTP 407 Proxy Authentication Required (squid))" in line


TAGS = said({"models": [{"name": "m:latest", "model": "m:latest"}]})
MARKED = said({"models": [{"name": "m:latest", "digest": "ab", "modified_at": "2026-01-01T00:00:00Z"}]})
ROOT = whole(b"Ollama is running")
OLLAMAS = {
    "as it is": {"/api/version": VERSION, "/api/tags": TAGS},
    "with an empty list": {"/api/version": VERSION, "/api/tags": said({"models": None})},
    "without its version": {"/api/tags": MARKED},
    "without its version, by its root": {"/": ROOT, "/api/tags": TAGS},
    "without its list": {"/": ROOT, "/api/version": VERSION, "/api/tags": said({"error": "blocked"}, "403 Forbidden")},
    "with an odd version": {"/api/version": said({"version": "\x1b[31m" + "x" * 5000}), "/api/tags": TAGS},
}
OTHERS = {
    "Open WebUI": {"/api/version": said({"version": "0.6.5", "deployment_id": ""}), "/api/tags": page("Open WebUI")},
    "llama.cpp": {"/api/tags": said({"models": [{"name": "m", "digest": "", "modified_at": ""}], "data": []})},
    "a number for a version": {"/api/version": said({"version": 3}), "/api/tags": said({"tags": []})},
    "a list for its clients": {"/api/tags": said({"models": [{"name": "m"}]})},
    "a page for all": {path: page("x") for path in ("/", "/api/version", "/api/tags")},
}


@pytest.mark.parametrize("kind", OLLAMAS)
def test_an_ollama_is_known_by_more_than_its_version(kind: str) -> None:
    shows = {"/api/show": said({"details": {}})}
    done = attempt(Door({**OLLAMAS[kind], **shows, NATIVE: GOOD_NATIVE}), *M, named=("OllamaChatUser",))
    assert done.line == ""
    assert done.prepared
    assert done.prepared.target["kind"] == "ollama"


@pytest.mark.parametrize("kind", OTHERS)
def test_another_server_with_a_version_or_a_list_is_no_ollama(kind: str) -> None:
    done = attempt(Door({**OTHERS[kind], "/v1/models": ONE, CHAT: GOOD}), named=NAMED)
    assert (done.line, done.findings) == ("", "")
    assert done.prepared
    assert done.prepared.target["kind"] == "openai"


def test_an_ollama_that_knows_a_model_by_another_name_is_asked_for_it() -> None:
    """It takes LLAMA3 for llama3, and a name in full."""
    ollama = {"/api/version": VERSION, "/api/tags": TAGS, NATIVE: GOOD_NATIVE}
    done = attempt(Door({**ollama, "/api/show": said({})}), "--model", "M", named=("OllamaChatUser",))
    assert (done.line, done.findings, done.options.model) == ("", "", "M")
    unknown = said({"error": "model 'n' not found"}, "404 Not Found")
    line = attempt(Door({**ollama, "/api/show": unknown}), "--model", "n", named=("OllamaChatUser",)).line
    assert "has no model 'n'; it has: m:latest" in line


def test_classes_of_ollamas_api_can_be_named_where_nothing_tells_what_the_server_is() -> None:
    """A gateway may pass on /api/chat and nothing else."""
    done = attempt(Door({NATIVE: GOOD_NATIVE}, NOT_FOUND), *M, named=("OllamaChatUser",))
    assert done.line == ""
    assert done.prepared
    assert done.prepared.target["kind"] == "ollama"


def test_one_connection_that_breaks_is_not_the_end() -> None:
    seen = 0

    def sometimes(sock: socket.socket) -> None:
        nonlocal seen
        seen += 1
        if seen % 2:
            request(sock)
            return
        Door({"/v1/models": ONE, CHAT: GOOD}).handle(sock)

    with serving(sometimes) as port:
        assert prepared("--host", f"http://127.0.0.1:{port}", named=NAMED).line == ""
