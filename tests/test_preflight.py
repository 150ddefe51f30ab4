"""What a run learns before its load of a server's models and words: it begins, or one line says why not."""

import pytest
from doors import CHAT, COMPLETIONS, GOOD, GOOD_TEXT, NOT_FOUND, Door, attempt, page, said
from scripted import whole

M = ("--model", "m")
LISTS = {
    "bare": [{"id": "m", "object": "model"}, {"id": "n"}],
    "names": {"data": ["m", "n"]},
    "bare names": ["m", "n"],
    "models": {"models": [{"name": "m"}, {"name": "n"}]},
    "models and data": {"object": "list", "models": [{"name": "m"}], "data": [{"id": "m"}, {"id": "n"}]},
    "by name": {"data": {"m": {}, "n": {}}},
    "in a result": {"result": {"data": [{"id": "m"}, {"id": "n"}]}},
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
