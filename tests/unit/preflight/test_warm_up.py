"""The warm-up asks as the run will ask, finds a prompt that the server takes, and says what to do about a refusal."""

import json
from pathlib import Path
from typing import Any

import pytest
from doors import CHAT, GOOD, JSON, ONE, Done, Door, attempt, events, said
from scripted import whole

CHATS = ("OpenAIChatUser",)


def tried(chat: Any, *arguments: str, named: tuple[str, ...] = CHATS) -> tuple[Done, Door]:
    door = Door({"/v1/models": ONE, CHAT: chat})
    return attempt(door, *arguments, named=named), door


def refusing(words: str, when: Any, status: str = "400 Bad Request") -> Any:
    """Refuses the bodies for which `when` is true."""

    def chat(one: bytes) -> bytes:
        body = json.loads(one.partition(b"\r\n\r\n")[2])
        return said({"error": {"message": words}}, status) if when(body) else GOOD

    return chat


def test_it_is_streamed_where_the_run_streams_with_the_same_fields_and_headers() -> None:
    done, door = tried(GOOD, "--header", "X-Own: yes", "--header", "Accept: */*", "--options", "temperature=0")
    assert (done.line, done.findings) == ("", "")
    (body,) = door.bodies(CHAT)
    assert body["messages"][-1]["role"] == "user"
    known = {name: value for name, value in body.items() if name != "messages"}
    stream = {"stream": True, "stream_options": {"include_usage": True}}
    assert known == {"model": "m", "temperature": 0, "max_tokens": 8, **stream}
    head = door.asked[-1].partition(b"\r\n\r\n")[0]
    assert b"\r\nAccept: */*" in head
    assert b"\r\nX-Own: yes" in head
    assert b"\r\nX-Request-Id: " in head
    assert all(b"\r\nAccept: */*" in one for one in door.asked)
    _, door = tried(GOOD, "--no-stream")
    assert door.bodies(CHAT)[0]["stream"] is False


def test_its_times_and_counts_are_those_of_a_stream() -> None:
    done, _ = tried(GOOD)
    assert done.prepared
    warm_up = done.prepared.warm_ups["m"]
    assert (warm_up.outcome, warm_up.facts["prompt_tokens"], warm_up.facts["output_tokens"]) == ("ok", 9, 1)
    assert (warm_up.facts["e2e_ms"] or 0) > 0


def accepts(one: bytes) -> bytes:
    """A server that keeps to Accept."""
    head = one.partition(b"\r\n\r\n")[0].decode().lower()
    wanted = next(line.partition(": ")[2] for line in head.split("\r\n") if line.startswith("accept:"))
    kind = "text/event-stream" if json.loads(one.partition(b"\r\n\r\n")[2])["stream"] else "application/json"
    if kind not in wanted and "*/*" not in wanted:
        return said({"detail": f"{kind} is not accepted"}, "406 Not Acceptable")
    whole_answer = said({"choices": [{"message": {"content": "hi"}, "finish_reason": "stop"}]})
    return GOOD if kind.startswith("text") else whole_answer


@pytest.mark.parametrize("options", [(), ("--no-stream",)])
def test_a_server_that_keeps_to_accept(options: tuple[str, ...]) -> None:
    done, _ = tried(accepts, *options)
    assert (done.line, done.findings) == ("", "")


REFUSED = {
    "max_tokens": (
        "Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead.",
        "--options max_completion_tokens=128 sends it by that name",
    ),
    "stream_options": (
        "Unrecognized request argument supplied: stream_options",
        "--options stream_options=null leaves it out",
    ),
    "temperature": ("temperature is not supported", "--options temperature=null leaves it out"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_field_that_is_refused_ends_in_a_line_that_says_the_way_past(name: str) -> None:
    words, hint = REFUSED[name]
    refuses = refusing(words, lambda body: name in body)
    done, _ = tried(refuses, "--options", "temperature=1")
    assert f"{CHAT} refuses what the run would ask: HTTP 400 {words}; {hint}" in done.line
    way = hint.split()[1]
    done, door = tried(refuses, "--options", way)
    assert (done.line, done.findings) == ("", "")
    assert name not in door.bodies(CHAT)[-1]


def test_a_limit_of_a_few_tokens_that_is_refused_is_none_of_the_runs_affair() -> None:
    """vLLM takes no min_tokens above max_tokens."""
    refuses = refusing("min_tokens must be less than or equal to max_tokens", lambda body: body["max_tokens"] < 64)
    done, door = tried(refuses, "--options", "min_tokens=64")
    assert (done.line, done.findings) == ("", "")
    assert [body["max_tokens"] for body in door.bodies(CHAT)] == [8, 128]


LONG, SHORT = "x" * 2000, "short"

TOO_LONG = "This model's maximum context length is 1024 tokens. However, you requested 2000 tokens."


def written(tmp_path: Path, texts: dict[str, str]) -> tuple[str, str]:
    path = tmp_path / "prompts.jsonl"
    path.write_text("".join(json.dumps({"id": name, "prompt": text}) + "\n" for name, text in texts.items()))
    return ("--payloads", str(path))


def too_long(body: dict[str, Any]) -> bool:
    return len(body["messages"][-1]["content"]) > 1000


@pytest.mark.parametrize("status", ["400 Bad Request", "413 Content Too Large", "422 Unprocessable Entity"])
def test_of_a_prompt_that_is_too_long_the_id_is_said_and_the_next_one_tried(tmp_path: Path, status: str) -> None:
    texts = {**{f"long-{n}": f"{n} {LONG}" for n in range(30)}, "short": SHORT}
    done, door = tried(refusing(TOO_LONG, too_long, status), *written(tmp_path, texts))
    assert done.line == ""
    said_of = [line for line in done.err.splitlines() if "warning" in line]
    assert 1 <= len(said_of) <= 5
    assert all("the server refuses prompt long-" in line and TOO_LONG in line for line in said_of)
    assert door.bodies(CHAT)[-1]["messages"][-1]["content"].endswith(SHORT)


def test_where_every_prompt_is_refused_no_load_is_sent(tmp_path: Path) -> None:
    done, door = tried(refusing(TOO_LONG, too_long), *written(tmp_path, {"a": LONG, "b": LONG + "y"}))
    assert f"refuses what the run would ask: HTTP 400 {TOO_LONG}" in done.line
    assert len(door.bodies(CHAT)) == 4  # each with a few tokens of output, and with the run's own


@pytest.mark.parametrize(
    "answer",
    [
        whole(b"", "500 Internal Server Error"),
        said({"error": {"message": "boom"}}),
        whole(b"\xff\xfe nonsense", "200 OK", JSON),
        events(None, 5, [], {"choices": 3}, {"choices": [{"delta": [{}]}]}),
        b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nContent-Length: 100\r\n\r\ndata: {",
        b"nonsense",
    ],
)
def test_what_else_a_server_does_is_told_and_the_load_may_be_about_that(answer: bytes) -> None:
    done, _ = tried(answer, "--request-timeout", "1")
    assert done.line == ""
    assert "the warm-up request to m ended as " in done.findings


def test_the_count_of_made_up_prompts_is_streamed_too_and_a_model_of_few_tokens_is_asked_for_less() -> None:
    def chat(one: bytes) -> bytes:
        words = len(json.loads(one.partition(b"\r\n\r\n")[2])["messages"][-1]["content"].split())
        if words > 256:
            return said({"error": {"message": TOO_LONG}}, "400 Bad Request")
        return events({"choices": [{"delta": {"content": "x"}, "finish_reason": "length"}]},
                      {"choices": [], "usage": {"prompt_tokens": words + 7, "completion_tokens": 1}})  # fmt: skip

    done, door = tried(chat, "--prompt-tokens", "100")
    assert (done.line, done.findings) == ("", "")
    assert json.loads(done.options.scale) == {"m": [7.0, 1.0]}
    assert all(body["stream"] for body in door.bodies(CHAT))
