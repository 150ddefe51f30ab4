"""What servers and proxies hand back of the run's secrets, and what would act on a terminal, is not kept."""

import base64
import json
import time
from contextlib import suppress
from dataclasses import replace
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st
from identities import WHO

from tokenswarm.metrics.checks.case import CheckResults
from tokenswarm.metrics.record import Kept, Record
from tokenswarm.metrics.text import plain
from tokenswarm.settings import redaction
from tokenswarm.settings.errors import UsageError
from tokenswarm.settings.redaction import clean_line, clean_record, learn_query, redact
from tokenswarm.settings.target import target

KEY = "sk-proj-4fJ/q+Zr8=wLmNop"


@pytest.fixture(autouse=True)
def known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(redaction, "_secrets", {})
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
    left = redact(said)
    assert redaction.STAND_IN in left
    for piece in (KEY[:8], KEY[8:16], KEY[-4:], quote(KEY, safe="")[8:16], "dXNl"):
        assert piece not in left


def test_what_is_no_secret_stays() -> None:
    for said in (
        "text/plain is no sk-key of ours, and ab is too short to be one",
        "Incorrect API key provided: sk-proj-of-somebody-else",  # begins as ours does
        "Bearer of good news, Basic needs",
        "dXNlcjp",  # a beginning, but not at the end or masked: of base64, as any "user:" has
    ):
        assert redact(f"{said}!") == f"{said}!"


def test_a_key_that_is_a_word_is_not_looked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(redaction, "_secrets", {})
    for word in ("ollama", "EMPTY", "none", "not", "x", "secret", "12345"):
        redaction.learn(word, [("X-Api-Key", word)])
    said = "ollama: EMPTY is not a secret, none of 12345"
    assert redact(said) == said
    redaction.learn("sk-1234")
    assert redact("key sk-1234 and sk-1235") == f"key {redaction.STAND_IN} and sk-1235"


SECRET = """Authorization:Bearer-x|X-Api-Key:a|api-key:a|Cookie:a=b|X-Auth:a|Proxy-Authorization:Basic-a|X-Session:a
X-Goog-Signature:a|X-Gateway:gw-ab98cd76ef54-value"""
OPEN = """X-Env:production|X-Tenant:550e8400-e29b-41d4-a716-446655440000|anthropic-version:2023-06-01|OpenAI-Beta:v2
User-Agent:a1b2c3d4e5f6|Accept:text/plain|X-Model:meta-llama/Llama-3.1-8B-Instruct|X-Model:qwen2.5-coder:32b-q4_K_M
Content-Type:application/json|traceparent:00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01|Host:gpu7.lab"""


@pytest.mark.parametrize("header", OPEN.replace("\n", "|").split("|"))
def test_headers_that_are_no_secret_may_be_seen(header: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(redaction, "_secrets", {})
    redaction.learn_header(header)
    assert redaction._secrets == {}
    assert redaction.header_shown(header) == header


@pytest.mark.parametrize("header", SECRET.replace("\n", "|").split("|"))
def test_of_a_secret_header_the_name_may_be_seen(header: str) -> None:
    name, _, value = header.partition(":")
    assert redaction.secret_header(name, value)
    assert redaction.header_shown(header) == f"{name}: {redaction.STAND_IN}"


@pytest.mark.parametrize(
    "given",
    [
        "Authorization sk-4fJq7ZrwLmNop",  # without its colon
        "Authorization: Bearer sk-4fJq7ZrwLmNop",
        "Cookie: theme=dark; session=sk-4fJq7ZrwLmNop; x=1",
        "X-Token:sk-4fJq7ZrwLmNop",
        f"Authorization: Basic {base64.b64encode(b'me:sk-4fJq7ZrwLmNop').decode()}",
    ],
)
def test_the_secret_of_a_header_is_known_alone(given: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(redaction, "_secrets", {})
    redaction.learn_header(given)
    assert redact("<sk-4fJq7ZrwLmNop>") == "<[secret]>"
    assert "sk-4fJq7" not in redact(f"there was {given!r}")


@pytest.mark.parametrize(
    "address",
    ["http://me:sk-4fJq7ZrwLmNop@host/v1", "me:sk-4fJq7ZrwLmNop@host", "http://h/v1?api-key=sk-4fJq7ZrwLmNop&v=1"],
)
def test_the_secret_of_an_address_is_known(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(redaction, "_secrets", {})
    redaction.learn_host(address)
    assert redact("<sk-4fJq7ZrwLmNop>") == "<[secret]>"
    with suppress(UsageError):
        target(address, {})
    assert "4fJq7" not in redact(address)


@given(st.text(min_size=12, max_size=60), st.text(max_size=80), st.text(max_size=80), st.data())
def test_no_twelve_characters_of_a_secret_are_left(key: str, before: str, after: str, data: st.DataObject) -> None:
    begin = data.draw(st.integers(0, len(key) - 12))
    end = data.draw(st.integers(begin + 12, len(key)))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(redaction, "_secrets", {})
        redaction.learn(key)
        left = redact(f"{before}{key[begin:end]}{after}")
        for at in range(len(key) - 11):
            assert key[at : at + 12] not in left.replace(redaction.STAND_IN, "\0") or key.isalpha()


def test_a_text_of_nothing_but_beginnings_takes_no_time() -> None:
    for said in (f"{KEY[:8]}**" * 20_000, KEY[:8] * 50_000, f"{KEY[:8]}*{'x' * 200_000}", KEY * 20_000):
        began_s = time.process_time()
        redact(said)
        assert time.process_time() - began_s < 1


@pytest.mark.parametrize("at", [0, redaction.SLICE - 7, redaction.SLICE * 3 - 20, redaction.SLICE * 4 - len(KEY)])
def test_a_long_text_is_looked_through_in_slices(at: int) -> None:
    pauses: list[int] = []
    text = "ab " * (redaction.SLICE * 4 // 3 + 1)
    for said in (text, text[:at] + KEY + text[at + len(KEY) :]):
        record = Record(WHO, "ok", kept=Kept("", said, ""))
        kept = redaction.clean_record(record, lambda: pauses.append(1)).kept
        assert kept
        assert kept.output == redact(said)
        assert (redaction.STAND_IN in kept.output) == (KEY in said)
    assert len(pauses) >= 5


def test_clean_leaves_what_is_no_text_and_the_shape_of_all_else() -> None:
    counts = {1: 2, 3: 4}
    given = {KEY: [KEY, 1, None, {"a": (KEY, b"bytes")}], "times": counts, "b": {f"x {KEY}"}}
    found = redaction.clean(given)
    assert found == {
        "[secret]": ["[secret]", 1, None, {"a": ("[secret]", b"bytes")}],
        "times": counts,
        "b": {"x [secret]"},
    }
    assert found["times"] is counts


def test_texts_are_one_line_that_no_terminal_acts_on() -> None:
    assert clean_line("a\x1b]0;owned\x07\nb\x9b31m\u202ec\x00") == "a\\x1b]0;owned\\x07\\nb\\x9b31m\\u202ec\\x00"
    assert plain("a\tb\nc\x1b[2J", lines=True) == "a\tb\nc\\x1b[2J"
    assert clean_line("中文 – 😀") == "中文 – 😀"
    assert str(UsageError(f"it says {KEY}\n")) == "it says [secret]\\n"


def test_a_record_keeps_none_of_it() -> None:
    record = Record(
        replace(WHO, model=f"a {KEY}", prompt_id=KEY),
        "http_error",
        error=f"HTTP 401 {KEY}\r\n",
        finish_reason="stop\x1b",
        judged=CheckResults({"unexpected": 1}, f"unexpected: {KEY}"),
        kept=Kept(f"say {KEY}", f"{KEY}\n", ""),
    )
    kept = clean_record(record)
    assert (kept.identity.model, kept.identity.prompt_id) == ("a [secret]", "[secret]")
    assert kept.error == "HTTP 401 [secret]\\r\\n"
    assert kept.finish_reason == "stop\\x1b"
    assert kept.judged == CheckResults({"unexpected": 1}, "unexpected: [secret]")
    assert kept.kept == Kept("say [secret]", "[secret]\n", "")
    sound = replace(record, identity=WHO, error="", finish_reason="stop", judged=CheckResults({}), kept=None)
    assert clean_record(sound) is sound


def test_a_key_in_a_query_is_a_secret_and_a_version_is_none() -> None:
    learn_query("api-version=2024-10-21&key=AIza-very-secret")
    assert redact("GET /x?api-version=2024-10-21&key=AIza-very-secret") == "GET /x?api-version=2024-10-21&key=[secret]"
