"""What a run learns before its load of a server's models and words: it begins, or one line says why not."""

import gzip
import json
import socket

import gevent
import pytest
from doors import (
    CHAT,
    COMPLETIONS,
    GOOD,
    GOOD_NATIVE,
    GOOD_TEXT,
    NATIVE,
    NOT_FOUND,
    Door,
    Said,
    attempt,
    page,
    prepared,
    said,
)
from scripted import request, serving, whole

from tokenswarm.preflight import discovery

M = ("--model", "m")
LISTS = {
    "bare": [{"id": "m", "object": "model"}, {"id": "n"}],
    "names": {"data": ["m", "n"]},
    "bare names": ["m", "n"],
    "models": {"models": [{"name": "m"}, {"name": "n"}]},
    "models and data": {"object": "list", "models": [{"name": "m"}], "data": [{"id": "m"}, {"id": "n"}]},
    "by name": {"data": {"m": {}, "n": {}}},
    "in a result": {"result": {"data": [{"id": "m"}, {"id": "n"}]}},
    "in data, with a code": {"code": 0, "data": {"list": [{"id": "m"}, {"modelName": "n"}], "total": 2}},
    "in capitals": {"Models": [{"Name": "m"}, {"ID": "n"}]},
    "with rubbish": {"data": [None, 3, {"id": None}, {"id": 7, "name": "m"}, {}, [], "n", {"id": "a\nb"}]},
}


@pytest.mark.parametrize("form", LISTS)
def test_a_list_of_models_in_any_form(form: str) -> None:
    door = Door({"/v1/models": said(LISTS[form]), CHAT: GOOD, COMPLETIONS: GOOD_TEXT})
    done = attempt(door, *M)
    assert (done.line, done.findings, done.options.model) == ("", "", "m")
    assert done.prepared
    assert done.prepared.target["kind"] == "openai"
    without = attempt(door)
    assert "which model? Give --model" in without.line
    assert without.line.endswith("has: m, n")


MISSING = {
    "404": NOT_FOUND,
    "401 for all that is no chat": said({"error": "no route"}, "403 Forbidden"),
    "405": said({"detail": "Method Not Allowed"}, "405 Method Not Allowed"),
    "500": said({"error": {"message": "boom"}}, "500 Internal Server Error"),
    "501": whole(b"", "501 Not Implemented"),
    "a page": page("Open WebUI"),
    "no JSON": whole(b"ok", "200 OK"),
    "nothing": whole(b"", "204 No Content"),
    "null": said(None),
    "a number": said(5),
    "an error in a 200": said({"error": {"message": "Unexpected endpoint or method. (GET /v1/models)"}}),
    "deep": whole(b"[" * 200_000, "200 OK", "Content-Type: application/json\r\n"),
    "half a character": whole(b'{"data": "\xff', "200 OK", "Content-Type: application/json\r\n"),
}


@pytest.mark.parametrize("kind", MISSING)
def test_with_a_model_a_missing_list_is_a_warning_and_without_one_a_line(kind: str) -> None:
    door = Door({"/v1/models": MISSING[kind], "/models": MISSING[kind], CHAT: GOOD, COMPLETIONS: GOOD_TEXT})
    done = attempt(door, *M)
    assert (done.line, done.options.model) == ("", "m")
    assert "taking --model for it" in done.findings
    assert "warning: http://127.0.0.1" in done.err
    assert [body["model"] for body in door.bodies(CHAT)] == ["m"]
    without = attempt(door)
    assert "give --model" in without.line or "API key" in without.line
    assert door.bodies(CHAT)[1:] == []


@pytest.mark.parametrize(
    ("listed", "words"),
    [
        ({"data": []}, "has no model 'm'; it has: none; asking it for m all the same"),
        ({"object": "list", "data": None}, "it has: none"),
        ([], "it has: none"),
        ({"data": [{"id": "openai/*"}, {"id": "*"}]}, "has no model 'm'; it has: openai/*, *; asking it"),
        (
            {"data": [{"id": "mm"}], "has_more": True},
            "(did you mean 'mm'?); it has: mm, …; asking it for m all the same",
        ),
    ],
)
def test_a_list_without_the_model_is_a_warning(listed: object, words: str) -> None:
    door = Door({"/v1/models": said(listed), CHAT: GOOD, COMPLETIONS: GOOD_TEXT})
    done = attempt(door, *M)
    assert done.line == ""
    assert words in done.findings
    without = attempt(door)
    assert "has no model; load one first, or give --model" in without.line or "which model?" in without.line


def test_where_the_server_has_not_the_model_indeed_its_words_and_the_hint_stand_together() -> None:
    refusal = said({"error": {"message": "The model `qwen` does not exist."}}, "404 Not Found")
    done = attempt(Door({"/v1/models": said({"data": [{"id": "qwen3"}]}), CHAT: refusal}), "--model", "qwen")
    assert "refuses what the run would ask: HTTP 404 The model `qwen` does not exist." in done.line
    assert "(did you mean 'qwen3'?)" in done.line


def test_a_list_that_comes_compressed_though_nobody_asked_for_it() -> None:
    body = gzip.compress(json.dumps({"data": [{"id": "m"}]}).encode())
    packed = whole(body, "200 OK", "Content-Type: application/json\r\nContent-Encoding: gzip\r\n")
    done = attempt(Door({"/v1/models": packed, CHAT: GOOD, COMPLETIONS: GOOD_TEXT}))
    assert (done.line, done.options.model) == ("", "m")


def test_an_ollamas_models_in_use_are_known_by_their_digests() -> None:
    """Not those of the others, which may be many; an OpenAI-compatible server has none to tell."""
    known = {"m:latest": "5a", "n:1b": "7f", "o:1b": "9c"}
    tags = [{"name": name, "digest": digest * 8} for name, digest in known.items()]
    door = Door({"/api/version": said({"version": "0.32.1"}), "/api/tags": said({"models": tags}), NATIVE: GOOD_NATIVE})
    done = attempt(door, "--model", "m,n:1b", named=("OllamaChatUser",))
    assert done.prepared
    assert done.prepared.target["digests"] == {"m": "5a" * 8, "n:1b": "7f" * 8}
    other = attempt(Door({"/v1/models": said(LISTS["bare"]), CHAT: GOOD, COMPLETIONS: GOOD_TEXT}), *M)
    assert other.prepared
    assert other.prepared.target["digests"] == {}


DEEP: object = []
for _ in range(200):
    DEEP = [DEEP]
ANYTHING = (None, True, 5, -1.5, "", "text", "a\nb", "\ud83d", [], [None], [[]], {}, {"": None}, DEEP, "x" * 5000)
ASKED = ("/api/version", "/api/tags", "/api/ps", "/api/show", "/v1/models", "/")


@pytest.mark.parametrize("path", ASKED)
def test_whatever_a_server_says_to_a_question_is_a_run_a_warning_or_one_line(path: str) -> None:
    """Each as the whole answer, and in the place of its list, of an entry, of a name."""
    good = {
        "/api/version": said({"version": "0.32.1"}),
        "/api/tags": said({"models": [{"name": "m:latest"}]}),
        "/api/show": said({}),
        "/v1/models": said({"data": [{"id": "m"}]}),
        CHAT: GOOD,
        "/api/chat": GOOD_NATIVE,
    }
    for value in ANYTHING:
        named = {"name": value, "id": value, "version": value, "digest": value}
        for body in (
            value,
            {"models": value, "data": value, **named},
            {"models": [value]},
            {"data": [named, value]},
            {"models": [{"name": "m", "digest": value}]},
        ):
            for arguments in ((), ("--model", "m")):
                done = attempt(Door({**good, path: said(body)}), *arguments)
                assert done.prepared or done.line, body


@pytest.mark.parametrize(
    "raw", [b"", b"\0" * 100, b"HTTP/1.1 200 OK\r\n\r\n", b"HTTP/1.1 999 \xff\r\n\r\n", b"HTTP/2 200\r\n"]
)
def test_what_is_no_answer_is_one_line(raw: bytes) -> None:
    def handle(sock: socket.socket) -> None:
        request(sock)
        sock.sendall(raw)

    for arguments in ((), ("--model", "m")):
        with serving(handle) as port:
            done = prepared("--host", f"http://127.0.0.1:{port}", "--connect-timeout", "2", *arguments)
        assert done.line


@pytest.mark.parametrize("one", [{"object": "model", "id": "m"}, {"data": {"id": "m", "object": "model"}}])
def test_one_model_in_no_list_is_a_list_of_one(one: object) -> None:
    done = attempt(Door({"/v1/models": said(one), CHAT: GOOD}), named=("OpenAIChatUser",))
    assert (done.line, done.findings, done.options.model) == ("", "", "m")


@pytest.mark.parametrize("all_else", [said({"error": "no key"}, "401 Unauthorized"), "hangs"])
def test_with_a_model_a_server_that_answers_nothing_but_chats_is_asked(
    all_else: bytes | str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(discovery, "PATIENCE_S", 0.5)
    monkeypatch.setattr(discovery, "SNIFF_S", 0.5)

    def hang(_: bytes) -> bytes:
        gevent.sleep(20)
        return b""

    every: Said = hang if isinstance(all_else, str) else all_else
    for named, path, answer in (("OpenAIChatUser", CHAT, GOOD), ("OllamaChatUser", NATIVE, GOOD_NATIVE)):
        door = Door({**dict.fromkeys((*ASKED, "/v1/models", "/models"), every), path: answer})
        done = attempt(door, *M, named=(named,))
        assert (done.line, done.options.model) == ("", "m")
        assert "taking --model for it" in done.findings


def test_a_proxy_that_knows_no_show_does_not_say_that_there_is_no_such_model() -> None:
    paths: dict[str, Said] = {"/api/version": said({"version": "0.32.2"}), "/api/tags": said({"models": []})}
    done = attempt(Door({**paths, NATIVE: GOOD_NATIVE}), *M, named=("OllamaChatUser",))
    assert (done.line, done.options.model) == ("", "m")
    assert "asking it for m all the same" in done.findings
    shown = {**paths, "/api/show": said({"error": "model 'm' not found"}, "404 Not Found"), NATIVE: GOOD_NATIVE}
    assert "has no model 'm'" in attempt(Door(shown), *M, named=("OllamaChatUser",)).line


@pytest.mark.parametrize("hangs", ["/api/version", "all"])
def test_a_question_that_hangs_is_not_the_end_unless_all_do(hangs: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(discovery, "PATIENCE_S", 0.5)
    monkeypatch.setattr(discovery, "SNIFF_S", 0.5)

    def hang(_: bytes) -> bytes:
        gevent.sleep(20)
        return b""

    paths: dict[str, Said] = {"/v1/models": said({"data": [{"id": "m"}]}), CHAT: GOOD, COMPLETIONS: GOOD_TEXT}
    done = attempt(Door(dict.fromkeys((*ASKED, CHAT), hang) if hangs == "all" else {**paths, hangs: hang}))
    if hangs == "all":
        assert " within 0.5 s); is it running there?" in done.line
    else:
        assert (done.line, done.findings, done.options.model) == ("", "", "m")


@pytest.mark.parametrize(
    "host", ["http://.box", "http://" + "a" * 70 + ".b", "http://a..b", "http://x:y:z", "http://[::1"]
)
def test_an_address_that_is_none_is_one_line(host: str) -> None:
    assert "is no address" in prepared("--host", host).line


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("Qwen 3 (8B, q4)", ("--model", "Qwen 3 (8B, q4)")),
        ("/models/epoch=9-step=1000", ("--model", "/models/epoch=9-step=1000")),
        ("/models/epoch=9-step=20000", ("--model", "/models/epoch=9-step=20000")),
        ("a:3", ("--model", "a:3")),
        ("x,y", ()),
        (" 模型 = 1 ", ()),
    ],
)
def test_a_listed_name_is_asked_for_as_it_stands(name: str, options: tuple[str, ...]) -> None:
    door = Door({"/v1/models": said({"data": [{"id": name}]}), CHAT: GOOD, COMPLETIONS: GOOD_TEXT})
    done = attempt(door, *options)
    assert (done.line, done.findings) == ("", "")
    assert [body["model"] for body in door.bodies(CHAT)] == [name]
    assert done.prepared
    assert done.prepared.target["model"] == name
