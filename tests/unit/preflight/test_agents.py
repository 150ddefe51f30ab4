"""Before a load of /v1/messages and /v1/responses: they run where they are named, or where a path is theirs."""

import json
from typing import Any

import pytest
from doors import AGENTS, GENERATING, GOOD_NATIVE, ONE, Door, attempt, said
from scripted import whole
from typed_events import START, STOP, TEXT, ends, events, response

MESSAGES, RESPONSES = "/v1/messages", "/v1/responses"
OLLAMA: dict[str, Any] = {
    "/api/version": said({"version": "0.12.3"}),
    "/api/tags": said({"models": [{"name": "m:latest"}]}),
    "/api/chat": GOOD_NATIVE,
}
SSE = "Content-Type: text/event-stream\r\n"
GOOD = {
    MESSAGES: whole(events(START, *TEXT, ends("end_turn", input_tokens=3, output_tokens=2), STOP), "200 OK", SSE),
    RESPONSES: whole(events({"type": "response.output_text.delta", "delta": "Hi"}, response(output=[])), "200 OK", SSE),
}
NAMES = {MESSAGES: "AnthropicMessagesUser", RESPONSES: "OpenAIResponsesUser"}


def test_without_a_name_they_do_not_run() -> None:
    done = attempt(Door({"/api/generate": GOOD_NATIVE, **OLLAMA}))
    assert done.prepared is not None
    assert not {*done.prepared.classes} & {*AGENTS}
    assert {*done.prepared.classes} == {*GENERATING}


@pytest.mark.parametrize("path", NAMES)
def test_named_it_is_asked_once_as_the_run_will_ask(path: str) -> None:
    door = Door({"/v1/models": ONE, path: GOOD[path]})
    done = attempt(door, "--options", "temperature=0", named=(NAMES[path],))
    assert (done.line, done.findings) == ("", "")
    (body,) = door.bodies(path)
    assert (body["temperature"], body["stream"]) == (0, True)
    assert done.prepared is not None
    (warm_up,) = done.prepared.warm_ups.values()
    assert (warm_up.endpoint, warm_up.outcome) == (path, "ok")


@pytest.mark.parametrize("path", NAMES)
def test_a_path_that_ends_so_is_theirs(path: str) -> None:
    done = attempt(Door({**OLLAMA, f"/proxy{path}": GOOD[path]}), "--path", f"/proxy{path}")
    assert (done.line, [c.__name__ for c in done.prepared.classes] if done.prepared else []) == ("", [NAMES[path]])


def test_an_ollama_that_is_too_old_for_them_says_so_before_the_load() -> None:
    done = attempt(Door(OLLAMA), named=("OllamaChatUser", *NAMES.values()))
    assert done.prepared is None
    assert done.line.startswith("http://127.0.0.1:")
    assert "/v1/responses" in done.line
    assert "404" in done.line


def test_a_limit_that_is_left_out_is_asked_for_by_the_server_in_its_own_words() -> None:
    refusal = {"type": "error", "error": {"type": "invalid_request_error", "message": "max_tokens: Field required"}}

    def answer(request: bytes) -> bytes:
        body = json.loads(request.partition(b"\r\n\r\n")[2])
        return GOOD[MESSAGES] if "max_tokens" in body else said(refusal, "400 Bad Request")

    door = Door({"/v1/models": ONE, MESSAGES: answer})
    assert attempt(door, named=("AnthropicMessagesUser",)).line == ""
    line = attempt(door, "--options", "max_tokens=null", named=("AnthropicMessagesUser",)).line
    assert "HTTP 400 max_tokens: Field required" in line
