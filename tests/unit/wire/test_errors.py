"""An error's own words, in whatever form they come: with an error status, inside a 200, in a page."""

import json
import time
from typing import Any

import pytest
from captures import APIS, read
from embedding_answers import answered
from literals import DONE, FINISH, SENTINEL, USAGE, delta, event, line, ndjson, seen, sse

from tokenswarm.wire import errors, ollama_embed, openai_embeddings
from tokenswarm.wire.values import Transcript

CHAT, V1_CHAT, V1_COMPLETIONS = (APIS[path] for path in ("/api/chat", "/v1/chat/completions", "/v1/completions"))

FORMS: list[tuple[Any, str]] = [
    ({"error": "boom"}, "boom"),
    ({"error": {"message": "boom", "type": "overloaded_error", "code": 529}}, "boom"),
    ({"error": {"code": "boom"}}, '{"code":"boom"}'),
    ({"error": {"code": 502, "message": "boom", "metadata": {"provider_name": "x"}}, "user_id": "u"}, "boom"),
    ({"error": json.dumps({"error": {"message": "boom"}})}, "boom"),
    ({"error": True, "message": "boom"}, "boom"),
    ({"error": ["boom", "bang"]}, "boom; bang"),
    ({"errors": [{"message": "boom"}, {"message": "bang"}]}, "boom; bang"),
    ({"Error": {"Message": "boom", "Code": 3}}, "boom"),
    ({"error": "invalid_token", "error_description": "boom"}, "invalid_token: boom"),
    ({"timestamp": "x", "status": 500, "error": "Internal Server Error", "message": "boom", "path": "/v1"},
     "Internal Server Error: boom"),
    ({"detail": "boom"}, "boom"),
    ({"detail": [{"loc": ["body", "model"], "msg": "field required", "type": "value_error"}]},
     "body.model: field required"),
    ({"type": "about:blank", "title": "Not Found", "status": 404, "detail": "boom"}, "boom"),
    ({"object": "error", "message": "boom", "type": "BadRequestError", "param": None, "code": 400}, "boom"),
    ({"type": "error", "error": {"type": "overloaded_error", "message": "boom"}}, "boom"),
    ({"id": "x", "choices": None, "usage": {"total_tokens": 0},
      "base_resp": {"status_code": 1008, "status_msg": "boom"}}, "boom"),
    ({"code": "ServiceUnavailable", "message": "boom", "request_id": "r"}, "boom"),
    ({"code": 1305, "msg": "boom"}, "boom"),
    ({"code": 500, "msg": "boom", "success": False}, "boom"),
    ({"error_code": 336003, "error_msg": "boom", "id": "as-x"}, "boom"),
    ({"errcode": 40001, "errmsg": "boom"}, "boom"),
    ({"status": "error", "message": "boom"}, "boom"),
    ({"status": 503, "message": "boom"}, "boom"),
    ({"statusCode": 401, "message": "boom"}, "boom"),
    ({"message": "boom"}, "boom"),
    ({"__type": "ThrottlingException", "message": "boom"}, "boom"),
    ({"fault": {"faultstring": "boom", "detail": {"errorcode": "policies.ratelimit"}}}, "boom"),
    ([{"error": {"code": 429, "message": "boom", "status": "RESOURCE_EXHAUSTED"}}], "boom"),
]  # fmt: skip
IDS = [json.dumps(form)[:50] for form, _ in FORMS]


@pytest.mark.parametrize(("form", "words"), FORMS, ids=IDS)
def test_an_error_body(form: Any, words: str) -> None:
    for body in (json.dumps(form), json.dumps(form, indent=2), f"data: {json.dumps(form)}\n\n"):
        status = Transcript(pieces=((1, body.encode()),), status=503, sent_ns=0, ended_ns=1)
        assert read(V1_CHAT, status)[2] == ("http_error", f"HTTP 503 {words}")


@pytest.mark.parametrize(("form", "words"), FORMS, ids=IDS)
def test_an_error_inside_a_200_is_never_called_truncated(form: Any, words: str) -> None:
    body = json.dumps(form).encode()
    broken = event(delta(content="hi"))
    for api in (V1_CHAT, V1_COMPLETIONS):
        for answer in (
            sse(event(form)),
            sse(broken + event(form)),
            sse(broken + b"event: error\n" + event(form)),
            sse(broken + body + b"\n\n"),
            sse(broken + json.dumps(form, indent=2).encode() + b"\n"),
            seen("application/json", (body,), {}),
            seen("application/json", (json.dumps(form, indent=2).encode(),), {}),
        ):
            assert read(api, answer)[2] == ("server_error", words)
    told = line(message={"content": "hi"}, done=False)
    for answer in (ndjson(body + b"\n"), ndjson(told + body + b"\n"), seen("application/json", (body,), {})):
        assert read(CHAT, answer)[2] == ("server_error", words)
    assert answered(ollama_embed, body) == answered(openai_embeddings, body) == (None, "server_error", words)


@pytest.mark.parametrize(
    "fields",
    [
        {"error": None},
        {"error": ""},
        {"error": False},
        {"error": {}},
        {"errors": []},
        {"detail": None},
        {"base_resp": {"status_code": 0, "status_msg": ""}},
        {"base_resp": {"status_code": 0, "status_msg": "success"}},
        {"code": 0, "msg": "ok"},
        {"code": 200, "message": "OK"},
        {"code": "", "message": "", "request_id": "r"},
        {"code": "200", "message": "request done"},
        {"status": "success", "message": "done"},
        {"status": "completed"},
        {"object": "chat.completion.chunk"},
        {"message": "a word beside the choices"},
        {"x_groq": {"id": "r"}},
        {"success": True},
    ],
)
def test_fields_that_say_that_all_is_well(fields: dict[str, Any]) -> None:
    first, finish, last = (delta(content="hi"), delta("stop"), {"choices": [], "usage": {"completion_tokens": 2}})
    body = b"".join(event({**frame, **fields}) for frame in (first, finish, last))
    _, builder, verdict = read(V1_CHAT, sse(body + SENTINEL))
    assert (verdict.outcome, builder.answer().text, builder.usage.output_tokens) == ("ok", "hi", 2)
    fields = {name: value for name, value in fields.items() if name != "message"}  # there a field of the answer
    lines = (line(message={"content": "hi"}, done=False, **fields), line(message={}, done=True, done_reason="stop"))
    assert read(CHAT, ndjson(*lines))[2].outcome == "ok"


def test_other_places_in_an_answer() -> None:
    cut = {"choices": [{"delta": {"content": ""}, "finish_reason": "error", "error": {"message": "boom"}}]}
    assert read(V1_CHAT, sse(event(delta(content="hi")) + event(cut)))[2] == ("server_error", "boom")
    groq = {**delta("stop"), "x_groq": {"id": "r", "error": "boom"}}
    assert read(V1_CHAT, sse(event(delta(content="hi")) + event(groq)))[2] == ("server_error", "boom")
    done = line(message={"content": ""}, done=True, done_reason="stop", error="boom")
    assert read(CHAT, ndjson(done))[2] == ("server_error", "boom")


@pytest.mark.parametrize("name", ["error", "Error", "server_error", "exception"])
def test_an_event_that_is_called_an_error(name: str) -> None:
    body = event(delta(content="hi")) + f"event: {name}\n".encode()
    assert read(V1_CHAT, sse(body + b"data: too many requests\n\n"))[2] == ("server_error", "too many requests")
    assert read(V1_CHAT, sse(body + event({"reason": "boom"})))[2] == ("server_error", "boom")
    fine = b"event: message\n" + event(delta(content="hi")) + FINISH + USAGE + SENTINEL
    assert read(V1_CHAT, sse(fine))[2].outcome == "ok"


NGINX = (
    "<html>\r\n<head><title>502 Bad Gateway</title></head>\r\n<body><center><h1>502 Bad Gateway</h1></center>\r\n"
    "<hr><center>nginx/1.24.0</center></body></html>"
)
EXPRESS = "<!DOCTYPE html>\n<html><head><title>Error</title></head><body><pre>Cannot POST /v1/x</pre></body></html>"
CLOUD = (
    "<!doctype html><html><head><style>a{}</style><title>Attention Required! | Cloudflare</title></head><body>x</body>"
)
XML = '<?xml version="1.0"?><Error><Code>AccessDenied</Code><Message>No &amp; no</Message></Error>'


@pytest.mark.parametrize(
    ("page", "words"),
    [
        (NGINX, "Bad Gateway (an HTML page)"),
        (EXPRESS, "Error Cannot POST /v1/x (an HTML page)"),
        (CLOUD, "Attention Required! | Cloudflare (an HTML page)"),
        (XML, "AccessDenied No & no (XML)"),
        ("<html><body>" + "long " * 1000 + "</body></html>", ("long " * 32).strip() + " (an HTML page)"),
    ],
)
def test_pages_are_named_and_cut(page: str, words: str) -> None:
    status = Transcript(pieces=((1, page.encode()),), status=502, sent_ns=0, ended_ns=1)
    assert read(V1_CHAT, status)[2] == ("http_error", f"HTTP 502 {words}")
    for label in ("text/html", "application/json", "text/event-stream", "application/x-ndjson", ""):
        for api in (CHAT, V1_CHAT):
            assert read(api, seen(label, (page.encode(),), {}))[2] == ("protocol_error", f"not JSON: {words}")


@pytest.mark.parametrize("label", ["text/plain", "text/event-stream", "application/x-ndjson", ""])
def test_plain_words_in_a_200(label: str) -> None:
    outcome, error = read(V1_CHAT, seen(label, (b"upstream connect error\n",), {}))[2]
    assert (outcome, "upstream connect error" in error) == ("protocol_error", True)


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"", ""),
        (b"busy, please try again.  maximum exceeded", "busy, please try again.  maximum exceeded"),
        (b"upstream connect error\r\n  or disconnect\n", "upstream connect error or disconnect"),
        (b"{broken", "{broken"),
        (b"null", "null"),
        (b"[]", ""),
        (b"{}", "{}"),
        (b"\xff\xfe", "\ufffd\ufffd"),
        (b"[1, 2]", "1; 2"),
        (b"< 5 tokens left", "< 5 tokens left"),
    ],
)
def test_other_bodies(body: bytes, words: str) -> None:
    assert errors.text(body) == words


@pytest.mark.parametrize("unit", ["<script>", "<title>", "<!--", "<a ", " ", "\n ", "[", '{"error":', '"', "\\"])
def test_no_body_takes_long(unit: str) -> None:
    for head in ("", "<html>", '{"error": "'):
        began_s = time.process_time()
        errors.text((head + unit * 200_000).encode())
        assert time.process_time() - began_s < 0.5


FOREIGN: list[tuple[Any, dict[str, Any], str]] = [
    (V1_CHAT, {"content": "w", "stop": False, "id_slot": 0}, "content, stop, id_slot"),
    (V1_CHAT, {"type": "message_start", "message": {"role": "assistant"}}, "type, message"),
    (V1_CHAT, {"model": "m", "message": {"content": "w"}, "done": False}, "model, message, done"),
    (V1_COMPLETIONS, {"token": {"id": 1, "text": "w"}, "generated_text": None}, "token, generated_text"),
    (CHAT, {"id": "c", "object": "chat.completion.chunk", "choices": []}, "id, object, choices"),
    (APIS["/api/generate"], {"message": {"content": "w"}, "model": "m"}, "message, model"),
]


@pytest.mark.parametrize(("api", "frame", "keys"), FOREIGN)
def test_an_answer_of_another_api(api: Any, frame: dict[str, Any], keys: str) -> None:
    told = f"frames of an unknown form (keys {keys})"
    for end in (b"", SENTINEL if api.done_by_sentinel else b""):
        assert read(api, sse(event(frame) * 3 + end))[2] == ("protocol_error", told)
    assert read(api, ndjson(line(**frame) * 3))[2] == ("protocol_error", told)
    assert read(api, seen("application/json", (json.dumps(frame).encode(),), {}))[2] == ("protocol_error", told)


def test_frames_that_say_nothing_harm_nothing() -> None:
    for odd in (None, 0, 12.5, True, {}, {"type": "ping"}, {"prompt_progress": {"total": 9}}):
        body = event(odd) + event(delta(content="hi")) + event(odd) + FINISH + USAGE + SENTINEL
        assert read(V1_CHAT, sse(body))[2].outcome == "ok"
        assert read(CHAT, ndjson(json.dumps(odd).encode() + b"\n" + line(message={"content": "a"}) + DONE))[2] == (
            "ok",
            "",
        )
