"""Further habits of servers and gateways, of the kinds that tests/wire_cases has: each with its right value.

The names of the cases say where they were seen: repositories with the number of an issue, or the server.
"""

import gzip
import json

import pytest
from doors import CHAT as PATH
from doors import GOOD as ANSWER
from doors import Door, attempt, said
from raw_answers import (
    CHAT,
    END,
    GOOD,
    LAST,
    LINES,
    NATIVE,
    TEXT,
    TEXTS,
    WHOLE,
    WORDS,
    Frame,
    check,
    delta,
    dumped,
    http,
    message,
    sse,
)

from tokenswarm.settings.target import readings

GEMINI = {"promptTokenCount": 60, "candidatesTokenCount": 12, "totalTokenCount": 72}
CAMEL = {"promptTokens": 60, "completionTokens": 12, "totalTokens": 72}
STREAMS: dict[str, list[bytes]] = {
    "openclaw 97474: data twice": sse(GOOD, before=b"data: data: "),
    "aprender 2015: data twice, its newline framed": [b"data: data: %s\ndata: \n\n" % dumped(f) for f in GOOD]
    + [b"data: data: [DONE]\ndata: \n\n"],
    "llm-gateway 2053: a comment as data": sse([b"data: : OPENROUTER PROCESSING\n\n", *GOOD]),
    "gateways: a word as data": sse([b"data: ping\n\n", *TEXTS, b"data: [HEARTBEAT]\n\n", *END]),
    "gateways: an event of a ping": sse([b"event: ping\ndata: 2026-11-27T10:00:00Z\n\n", *GOOD]),
    "gateways: a ping with a message": sse([b'event: ping\ndata: {"type":"ping","message":"alive"}\n\n', *GOOD]),
    "copilot-api 88: an empty JSON text": sse([b'data: ""\n\n', *GOOD]),
    "queues: states before the answer": sse([{"status": "queued", "message": "position 3"}, *GOOD]),
    "two encoders: JSON in a JSON text": sse([json.dumps(json.dumps(frame)) for frame in GOOD]),
    "two encoders: the sentinel as JSON": sse(GOOD, done=b'"[DONE]"'),
    "small servers: the sentinel in lower case": sse(GOOD, done=b"[done]"),
    "gateways: words after the sentinel": [*sse(GOOD), b"bye bye\n"],
    "TGI 1648: the choice's index counts tokens": sse([delta(w, index=n + 1) for n, w in enumerate(WORDS)] + END),
    "WebAI-to-API 55: messages for deltas": sse([message(word) for word in WORDS] + END),
    "DashScope: messages that hold all before": sse([message("".join(WORDS[: n + 1])) for n in range(12)] + END),
    "freellmapi 1007: deltas that hold all before": sse([delta("".join(WORDS[: n + 1])) for n in range(12)] + END),
    "Vercel: usage as Java writes it": sse([*TEXTS, delta(reason="stop"), {"choices": [], "usage": CAMEL}]),
    "Gemini: usageMetadata": sse([*TEXTS, delta(reason="stop"), {"choices": [], "usageMetadata": GEMINI}]),
    "Yi: an error of code 0": sse([{**frame, "error": {"code": 0, "message": ""}} for frame in GOOD]),  # type: ignore[dict-item]
    "Spark: code 0 in each": sse([{**frame, "code": 0, "message": "Success"} for frame in GOOD]),  # type: ignore[dict-item]
}


@pytest.mark.parametrize("name", STREAMS)
def test_a_good_stream_is_read_whole(name: str) -> None:
    check(http(STREAMS[name]), WHOLE)


@pytest.mark.parametrize("status", ["201 Created", "202 Accepted", "206 Partial Content"])
def test_every_2xx_promises_an_answer(status: str) -> None:
    check(http(sse(GOOD), status=status), WHOLE)


@pytest.mark.parametrize("encoding", ["utf-8", "none", "chunked", "br", "gzip", "identity"])
def test_a_body_that_is_only_said_to_be_encoded_is_read_as_it_is(encoding: str) -> None:
    check(http(sse(GOOD), header=f"Content-Encoding: {encoding}\r\n"), WHOLE)


def test_a_body_that_is_compressed_as_nobody_can_read_is_none() -> None:
    with pytest.raises(ValueError, match=r"compressed \(br\)"):
        check(http([bytes(range(120, 250))], header="Content-Encoding: br\r\n"), {})
    packed = gzip.compress(b"".join(sse(GOOD)))
    check(http([packed], header="Content-Encoding: gzip, identity\r\n"), {"outcome": "ok", "text": TEXT})


def test_an_array_of_chunks_is_read() -> None:
    body = [b"[" + dumped(GOOD[0]), *(b",\n" + dumped(frame) for frame in GOOD[1:]), b"]"]
    check(http(body, "application/json"), {"outcome": "ok", "text": TEXT, "output_tokens": 12})


def test_ollamas_lines_as_events_may_end_with_a_sentinel() -> None:
    check(http(sse([*LINES, LAST])), WHOLE, NATIVE)
    check(http(sse(LINES)), {"outcome": "truncated"}, NATIVE)  # which is not Ollama's own end


def test_choices_that_take_turns_are_no_numbered_tokens() -> None:
    turns: list[Frame] = [delta(word, index=n % 3) for n, word in enumerate(WORDS)]
    check(http(sse(turns + END)), {"outcome": "ok", "text": "".join(WORDS[::3]), "habits": ("other_choices",)})


def test_a_model_that_says_the_same_again_has_said_it() -> None:
    again = ["ha", "ha", "ha", "ha ha ha", "so it goes, and so on and on ", "so it goes, and so on and on "]
    check(http(sse([delta(word) for word in again] + END)), {"text": "".join(again), "output_chunks": 6})
    check(http(sse([message(word) for word in again[:3]] + END)), {"text": "hahaha", "output_chunks": 3})


ERRORS: dict[str, tuple[Frame, str]] = {
    "OpenRouter: in the choice": ({"choices": [{"delta": {}, "error": {"message": "bad upstream"}}]}, "bad upstream"),
    "in the delta": (delta(error={"message": "worker died"}), "worker died"),
    "Xunfei: in a header": ({"header": {"code": 10013, "message": "audit failed", "status": 2}}, "audit failed"),
    "Bedrock": ({"modelStreamErrorException": {"message": "model error"}}, "model error"),
    "retcode": ({"retcode": 1001, "retmsg": "quota used up"}, "quota used up"),
    "words": (b"data: error: CUDA error: out of memory\n\n", "CUDA error: out of memory"),
    "words in brackets": (b"data: [ERROR] model crashed\n\n", "model crashed"),
    "Tencent": ({"Response": {"Error": {"Code": "Failed", "Message": "engine timeout"}}}, "engine timeout"),
    "a status that is false": ({"status": False, "message": "queue full"}, "queue full"),
    "not ok": ({"ok": False, "description": "worker gone"}, "worker gone"),
    "words of an error alone": ({"error_message": "it broke", "id": "x"}, "it broke"),
    "Lambda": ({"errorMessage": "Task timed out", "errorType": "Timeout"}, "Task timed out"),
    "a message alone": ({"message": "Endpoint request timed out"}, "Endpoint request timed out"),
    "a message alone of a failure": ({"message": "Processing failed"}, "Processing failed"),
    "an event without words": (b"event: error\ndata:\n\n", "error"),
    "an event with an empty object": (b"event: error\ndata: {}\n\n", "error"),
    "an event with words": (b"event: error\ndata: worker crashed\n\n", "worker crashed"),
}


@pytest.mark.parametrize("name", ERRORS)
def test_an_error_in_a_200_is_the_servers_with_its_words(name: str) -> None:
    frame, words = ERRORS[name]
    check(http(sse([*TEXTS[:3], frame], done=None)), {"outcome": "server_error", "error": words, "output_chunks": 3})


@pytest.mark.parametrize(
    ("end", "words"),
    [
        (b"Internal Server Error", "Internal Server Error"),
        (b"<html><head><title>504 Gateway Time-out</title></head></html>\n", "Gateway Time-out (an HTML page)"),
    ],
)
def test_what_ends_a_stream_in_words_is_said(end: bytes, words: str) -> None:
    check(http([*sse(TEXTS[:3], done=None), end]), {"outcome": "protocol_error", "error": words, "output_chunks": 3})


REASONS = ["server_shutting_down", "out_of_memory", "stalled", "throttled", "rejected", "connection_lost", "OOM_KILLED"]


@pytest.mark.parametrize("reason", REASONS)
def test_more_reasons_that_name_a_failure(reason: str) -> None:
    check(http(sse([*TEXTS[:3], delta(reason=reason)])), {"outcome": "server_error", "error": reason})


@pytest.mark.parametrize(
    ("pasted", "path"),
    [
        ("https://x.services.ai.azure.com/models?api-version=1", "/models/chat/completions?api-version=1"),
        ("http://h/docs", CHAT),
        ("http://h/prefix/v1/responses", f"/prefix{CHAT}"),
        ("http://h:9997/v1/models/qwen", CHAT),
        ("http://h/health", CHAT),
        ("HTTP://H:8000/V1", CHAT),
        ("//h:8000/v1", CHAT),
        ("<http://h:8000/v1>", CHAT),
    ],
)
def test_what_people_paste_from_their_browser_is_an_address(pasted: str, path: str) -> None:
    assert path in [where.path(CHAT) for where in readings(pasted, {})]


@pytest.mark.parametrize("models", [said({"data": [{"id": "m"}]}, "201 Created"), said({"data": [{"model_id": "m"}]})])
def test_more_lists_of_models_are_read(models: bytes) -> None:
    answer = ANSWER.replace(b"200 OK", b"201 Created")
    done = attempt(Door({"/v1/models": models, PATH: answer}), named=("OpenAIChatUser",))
    assert done.prepared, done.line
    assert (done.prepared.target["model"], done.findings) == ("m", "")
