"""The places where text leaves a process, one by one; tests/run/test_planted_key.py tries them together."""

import io
import logging
import os
import sys

import pytest
from planted import KEY, be_the_only_secret

from tokenswarm.run import outlets
from tokenswarm.settings import redaction
from tokenswarm.settings.redaction import redact


@pytest.fixture(autouse=True)
def known(monkeypatch: pytest.MonkeyPatch) -> None:
    be_the_only_secret(monkeypatch)


def test_a_stream_of_text_loses_the_key_and_stays_a_stream() -> None:
    under = io.StringIO()
    stream = outlets._Redacting(under)
    print("a", KEY, 1, file=stream)  # type: ignore[call-overload]
    stream.writelines([KEY, "\n"])
    assert stream.write(KEY) == len(KEY)
    assert under.getvalue() == "a [secret] 1\n[secret]\n[secret]"
    assert stream.isatty() is False
    with pytest.raises(TypeError):
        stream.write(b"bytes")  # type: ignore[arg-type]


def test_a_long_line_of_ours_is_broken_between_words_on_a_terminal_only(monkeypatch: pytest.MonkeyPatch) -> None:
    class Screen(io.StringIO):
        def isatty(self) -> bool:
            return True

        def fileno(self) -> int:
            return 7

    monkeypatch.setattr(outlets.os, "get_terminal_size", lambda _: os.terminal_size((40, 24)))
    long = "tokenswarm: trial 7: 10 users: crossed, not sure (20 requests): ttft_ms p95 < 800"
    screen, file = Screen(), io.StringIO()
    for under in (screen, file):
        print(long, file=outlets._Redacting(under))
        print("a line of Locust's that is longer than the screen, too", file=outlets._Redacting(under))
    first, second, third, fourth, _ = screen.getvalue().split("\n")
    assert [first, second, third] == [
        "tokenswarm: trial 7: 10 users: crossed,", "  not sure (20 requests): ttft_ms p95 <", "  800"
    ]  # fmt: skip
    assert fourth.startswith("a line of Locust's that is longer")
    assert file.getvalue().startswith(f"{long}\n")


def test_a_record_of_the_log_loses_it_in_its_words_its_traceback_and_its_stack() -> None:
    make = outlets._redacting(logging.LogRecord)
    try:
        raise KeyError(KEY)
    except KeyError:
        record = make("x", logging.ERROR, "f.py", 1, "it is %s, %d", (KEY, 7), sys.exc_info(), "f", f"stack {KEY}")
    said = logging.Formatter("%(message)s").format(record)
    assert said.startswith("it is [secret], 7\n")
    assert "KeyError: '[secret]'" in said
    assert "stack [secret]" in said
    assert record.exc_info is None  # of which another handler might make a text of its own
    assert KEY not in said


def test_a_record_whose_words_do_not_fit_is_left_to_logging() -> None:
    make = outlets._redacting(logging.LogRecord)
    record = make("x", logging.ERROR, "f.py", 1, "%d", ("no number",), None)
    assert record.args == ("no number",)


@pytest.mark.parametrize(
    "given",
    [
        ["--api-key", "k3y-of-the-server"],
        ["--api-key=k3y-of-the-server"],
        ["--apikey", "k3y-of-the-server"],
        ["--some-token", "k3y-of-the-server"],
        ["--password", "k3y-of-the-server"],
        ["--header", "Authorization k3y-of-the-server"],
        ["--head", "X-Api-Key: k3y-of-the-server"],
        ["--host", "https://me:k3y-of-the-server@gateway"],
        ["--host=https://gateway/v1?key=k3y-of-the-server"],
    ],
    ids=str,
)
def test_a_command_line_is_read_for_secrets_before_it_is_understood(given: list[str]) -> None:
    outlets.learn_given(["locust", *given], {})
    assert redact("(k3y-of-the-server)") == "([secret])"


@pytest.mark.parametrize("name", ["OPENAI_API_KEY", "TOKENSWARM_API_KEY", "TOKENSWARM_WORKER_TOKEN"])
def test_so_is_the_environment(name: str) -> None:
    outlets.learn_given(["locust"], {name: "k3y-of-the-server"})
    assert redact("(k3y-of-the-server)") == "([secret])"


def test_what_is_no_secret_is_not_taken_for_one() -> None:
    before = dict(redaction._secrets)
    words = ["--max-tokens", "1000000", "--prompt-tokens", "lognormal 512 cv=0.5", "--web-password-file", "/nowhere/x1"]
    words += ["--host", "http://gpu-box-17:8000/v1", "--tls-key", "/nowhere/key.pem", "--header", "X-Env: production"]
    words += ["--api-key-file", "/nowhere/key1", "--api-key", __file__]
    outlets.learn_given(["locust", *words], {"OLLAMA_HOST": "gpu-box-17:11434"})
    assert redaction._secrets == before
