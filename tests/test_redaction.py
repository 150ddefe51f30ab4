"""What servers and proxies hand back of the run's secrets, and what would act on a terminal, is not kept."""

import json
from dataclasses import replace
from urllib.parse import quote

import pytest
from test_metrics import WHO

from tokenswarm.metrics.checks.case import Judged
from tokenswarm.metrics.record import Kept, Record
from tokenswarm.metrics.text import plain
from tokenswarm.settings import redaction
from tokenswarm.settings.errors import UsageError
from tokenswarm.settings.redaction import cleaned, learn_query, redacted, shown

KEY = "sk-proj-4fJ/q+Zr8=wLmNop"


@pytest.fixture(autouse=True)
def known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(redaction, "_patterns", {})
    redaction.learn(KEY, [("X-Token", "Basic dXNlcjpwYXNz"), ("Accept", "text/plain"), ("X-Short", "ab")])


@pytest.mark.parametrize(
    "said",
    [
        f"Incorrect API key provided: {KEY}. You can find yours at https://x",
        f"Incorrect API key provided: {KEY[:8]}*************mNop.",
        f"headers: {{'Authorization': 'Bearer {KEY}', 'Accept': '*/*'}}",
        json.dumps({"authorization": f"Bearer {KEY}"}).replace("/", "\\/"),
        f"GET /v1/models?key={quote(KEY, safe='')} failed",
        f"a text that was cut off in the middle of it: {KEY[:-6]}",
        "x-token: Basic dXNlcjpwYXNz",
        "token dXNlcjpwYXNz is unknown",
    ],
)
def test_a_secret_is_found_however_it_comes_back(said: str) -> None:
    left = redacted(said)
    assert redaction.STAND_IN in left
    for piece in (KEY[:8], KEY[8:16], KEY[-4:], quote(KEY, safe="")[8:16], "dXNl"):
        assert piece not in left


def test_what_is_no_secret_stays() -> None:
    said = "text/plain is no sk-key of ours, and ab is too short to be one"
    assert redacted(said) == said


def test_texts_are_one_line_that_no_terminal_acts_on() -> None:
    assert shown("a\x1b]0;owned\x07\nb\x9b31m\u202ec\x00") == "a\\x1b]0;owned\\x07\\nb\\x9b31m\\u202ec\\x00"
    assert plain("a\tb\nc\x1b[2J", lines=True) == "a\tb\nc\\x1b[2J"
    assert shown("中文 – 😀") == "中文 – 😀"
    assert str(UsageError(f"it says {KEY}\n")) == "it says [secret]\\n"


def test_a_record_keeps_none_of_it() -> None:
    record = Record(
        WHO,
        "http_error",
        error=f"HTTP 401 {KEY}\r\n",
        finish_reason="stop\x1b",
        judged=Judged({"unexpected": 1}, f"unexpected: {KEY}"),
        kept=Kept("say it", f"{KEY}\n", ""),
    )
    kept = cleaned(record)
    assert kept.error == "HTTP 401 [secret]\\r\\n"
    assert kept.finish_reason == "stop\\x1b"
    assert kept.judged == Judged({"unexpected": 1}, "unexpected: [secret]")
    assert kept.kept == Kept("say it", "[secret]\n", "")
    sound = replace(record, error="", finish_reason="stop", judged=Judged({}), kept=None)
    assert cleaned(sound) is sound


def test_a_key_in_a_query_is_a_secret_and_a_version_is_none() -> None:
    learn_query("api-version=2024-10-21&key=AIza-very-secret")
    assert (
        redacted("GET /x?api-version=2024-10-21&key=AIza-very-secret") == "GET /x?api-version=2024-10-21&key=[secret]"
    )
