"""The target as Ollama reads OLLAMA_HOST, and settings out of options."""

from argparse import ArgumentParser
from typing import Any

import pytest

from users import options
from users.errors import UsageError
from users.http1 import request_bytes
from users.settings import settings
from users.target import target
from users.transport import Timeouts
from wire.values import Call


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


@pytest.mark.parametrize(
    "text", ["ftp://x", "http://x:99999", "http://x:abc", "http://a b", "http://u:p@x", "http://x?q=1"]
)
def test_no_addresses(text: str) -> None:
    with pytest.raises(UsageError, match="--host"):
        target(text, {})


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
    sent = request_bytes(call, "box:1", "/p", (("user-agent", "mine"), ("X-A", "机器")))
    head, _, body = sent.partition(b"\r\n\r\n")
    assert head.startswith(b"POST /p/api/chat HTTP/1.1\r\nHost: box:1\r\nuser-agent: mine\r\nContent-Length: 2\r\n")
    assert "X-A: 机器".encode() in head
    assert body == b"{}"
