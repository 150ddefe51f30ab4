"""The target as Ollama reads OLLAMA_HOST, and settings out of options."""

from argparse import ArgumentParser
from typing import Any

import pytest

from tokenswarm.settings import options
from tokenswarm.settings.errors import UsageError
from tokenswarm.settings.settings import settings
from tokenswarm.settings.target import at, readings, target
from tokenswarm.transport.connection import Timeouts
from tokenswarm.transport.http1 import request_bytes
from tokenswarm.transport.target import Target
from tokenswarm.wire.values import Call


@pytest.mark.parametrize(
    ("option", "variable", "url"),
    [
        (None, None, "http://127.0.0.1:11434"),
        (None, "", "http://127.0.0.1:11434"),
        (None, "gpu-box", "http://gpu-box:11434"),
        (None, "gpu-box:8080", "http://gpu-box:8080"),
        (None, " '0.0.0.0:9' ", "http://0.0.0.0:9"),
        (None, "http://gpu-box", "http://gpu-box"),
        (None, "https://gpu-box", "https://gpu-box"),
        (None, "https://gpu-box:11434/ollama/", "https://gpu-box:11434/ollama"),
        (None, ":8080", "http://127.0.0.1:8080"),
        (None, "[::1]", "http://[::1]:11434"),
        (None, "[::1]:80", "http://[::1]"),
        ("http://127.0.0.1:8000/v1", "ignored", "http://127.0.0.1:8000"),
        ("http://127.0.0.1:8000/proxy/v1/", None, "http://127.0.0.1:8000/proxy"),
        ("localhost", None, "http://localhost:11434"),
    ],
)
def test_addresses(option: str | None, variable: str | None, url: str) -> None:
    assert target(option, {} if variable is None else {"OLLAMA_HOST": variable}).url == url


@pytest.mark.parametrize("text", ["ftp://x", "http://x:99999", "http://x:abc", "http://a b", "http://u:p@x"])
def test_no_addresses(text: str) -> None:
    with pytest.raises(UsageError, match="--host"):
        target(text, {})


# What people paste, and the paths that it can mean, the likeliest first: where the chat of Ollama's or OpenAI's API is.
PASTED = {
    "http://box:8000/v1/chat/completions": ["/v1/chat/completions"],
    "http://box:8000/v1/chat/completions/": ["/v1/chat/completions"],
    "http://box:8000/v1/models": ["/v1/chat/completions"],
    "http://box:8000//v1": ["/v1/chat/completions"],
    " 'http://box:8000/v1' ": ["/v1/chat/completions"],
    "http://box:8000/#/chat": ["/v1/chat/completions", "/chat/completions"],
    "http://box": ["/v1/chat/completions", "/chat/completions"],
    "https://api.groq.com/openai/v1": ["/openai/v1/chat/completions"],
    "https://openrouter.ai/api/v1/chat/completions": ["/api/v1/chat/completions"],
    "https://x/compatible-mode/v1": ["/compatible-mode/v1/chat/completions"],
    "https://ark.volces.com/v3": ["/v3/chat/completions", "/v3/v1/chat/completions", "/v3"],
    "https://x/api/paas/v4/": ["/api/paas/v4/chat/completions", "/api/paas/v4/v1/chat/completions", "/api/paas/v4"],
    "https://x/api/paas/v4/chat/completions": ["/api/paas/v4/chat/completions"],
    "https://x/v1beta/openai": [
        "/v1beta/openai/chat/completions",
        "/v1beta/openai/v1/chat/completions",
        "/v1beta/openai",
    ],
    "https://x/openai/deployments/N/chat/completions?api-version=2024-10-21": [
        "/openai/deployments/N/chat/completions?api-version=2024-10-21"
    ],
    "https://x/openai/deployments/N?api-version=1": [
        "/openai/deployments/N/chat/completions?api-version=1",
        "/openai/deployments/N/v1/chat/completions?api-version=1",
        "/openai/deployments/N?api-version=1",
    ],
    "https://x/serving-endpoints/N/invocations": [
        "/serving-endpoints/N/invocations",
        "/serving-endpoints/N/invocations/v1/chat/completions",
        "/serving-endpoints/N/invocations/chat/completions",
    ],
    "http://box/proxy": ["/proxy/v1/chat/completions", "/proxy/chat/completions", "/proxy"],
    "http://box:3000/api": ["/v1/chat/completions", "/api/v1/chat/completions", "/api/chat/completions"],
    "http://box:3000/api/chat/completions": ["/api/chat/completions"],
    "http://box/a b?q=x y".replace(" ", "%20"): [
        "/a%20b/v1/chat/completions?q=x%20y",
        "/a%20b/chat/completions?q=x%20y",
        "/a%20b?q=x%20y",
    ],
    "http://box/模型/v1": ["/%E6%A8%A1%E5%9E%8B/v1/chat/completions"],
}


@pytest.mark.parametrize("pasted", PASTED)
def test_what_people_paste(pasted: str) -> None:
    found = readings(pasted, {})
    assert [one.path("/v1/chat/completions") for one in found] == PASTED[pasted]


@pytest.mark.parametrize("pasted", PASTED)
def test_what_was_found_out_is_the_same_on_a_worker(pasted: str) -> None:
    for found in readings(pasted, {}):
        assert target(found.url, {}, found.layout()) == found
        assert "?" not in found.url


@pytest.mark.parametrize("end", ["", "/api/chat", "/api/generate", "/api/tags", "/api"])
def test_an_ollama_by_any_of_its_endpoints(end: str) -> None:
    where = target(f"http://box:11434/ollama{end}", {})
    assert (where.url, where.path("/api/chat")) == ("http://box:11434/ollama", "/ollama/api/chat")


def test_a_path_of_ones_own_is_that_of_one_api() -> None:
    where = at(target("http://box/base?api-version=1", {}), "/v1/chat/completions", "my/chat?v=2")
    assert where.path("/v1/chat/completions") == "/my/chat?v=2"
    assert where.path("/v1/models") == "/base/v1/models?api-version=1"
    with pytest.raises(UsageError, match="--path 'http://x/y' is no path"):
        at(where, "/api/chat", "http://x/y")


def test_a_shorter_total_timeout_bounds_the_first_byte_for_this_run_only() -> None:
    """The options stay as they were given: the next run from the web form may have a longer one."""
    parser = ArgumentParser()
    options.add(parser_of(parser))
    given = parser.parse_args(["--request-timeout", "2"])
    given.host = given.run_time = None
    assert settings(given).timeouts == Timeouts(10.0, 2.0, 2.0)
    assert given.first_byte_timeout == 300.0


def parser_of(parser: ArgumentParser) -> Any:
    """Takes Locust's own words for arguments, as its parser does."""

    class Taking:
        def add_argument(self, *names: str, **details: Any) -> Any:
            ours = ("env_var", "is_secret", "include_in_web_ui")
            return parser.add_argument(*names, **{k: v for k, v in details.items() if k not in ours})

    return Taking()


def test_the_users_own_headers_have_the_last_word() -> None:
    call = Call("POST", "/api/chat", (("Content-Type", "application/json"),), b"{}")
    sent = request_bytes(call, Target("http", "box", 1, "/p"), (("user-agent", "mine"), ("X-A", "机器")))
    head, _, body = sent.partition(b"\r\n\r\n")
    assert head.startswith(b"POST /p/api/chat HTTP/1.1\r\nHost: box:1\r\nuser-agent: mine\r\n")
    assert b"\r\nContent-Length: 2\r\n" in head
    assert "X-A: 机器".encode() in head
    assert body == b"{}"
