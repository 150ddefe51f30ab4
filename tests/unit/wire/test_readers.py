"""The readers against literals: each oddity of the wire has one defined result."""

import json
from typing import Any

import pytest
from captures import read
from literals import (
    CHAT,
    DONE,
    FINISH,
    GENERATE,
    MS,
    SENTINEL,
    USAGE,
    V1_CHAT,
    V1_COMPLETIONS,
    WHO,
    delta,
    event,
    line,
    ndjson,
    seen,
    sse,
)

from tokenswarm.metrics.interpret import interpret
from tokenswarm.metrics.record import Record
from tokenswarm.wire import framing, reading
from tokenswarm.wire.values import Failure, Transcript


def test_text_and_numbers_on_the_final_line() -> None:
    final = line(message={"content": "b"}, done=True, done_reason="stop", eval_count=2, eval_duration=10 * MS)
    chunks, builder, verdict = read(CHAT, ndjson(line(message={"content": "a"}, done=False), final))
    assert "".join(c.text for c in chunks) == "ab"
    assert verdict.outcome == "ok"
    record = builder.record(WHO, ndjson(b"", b""), *verdict)
    assert record.last_output_ns == 20 * MS
    assert record.usage.output_tokens == 2
    assert record.usage.total_ns is None  # absent, not 0


def test_last_token_and_final_line_in_one_read() -> None:
    chunks, _, verdict = read(CHAT, ndjson(line(message={"content": "a"}, done=False) + DONE))
    assert [c.text for c in chunks] == ["a", ""]
    assert verdict.outcome == "ok"


def test_line_separators_inside_a_string_do_not_cut() -> None:
    body = json.dumps({"response": "a\u2028b\u0085c", "done": False}, ensure_ascii=False).encode() + b"\n"
    assert [c.text for c in read(GENERATE, ndjson(body))[0]] == ["a\u2028b\u0085c"]


@pytest.mark.parametrize(
    ("body", "outcome"),
    [
        (b"", "truncated"),
        (line(message={"content": "a"}, done=False), "truncated"),
        (line(message={"content": "a"}, done=False) + b'{"message":{"con', "truncated"),
        (line(error="out of memory"), "server_error"),
        (line(message={"content": "a"}, done=False) + line(error="boom"), "server_error"),
        (b"<html>oops</html>\n" + DONE, "protocol_error"),
        (b"[1,2]\n" + DONE, "protocol_error"),
        (line(message="text", done=False) + DONE, "ok"),
        (line(message={"content": 5}, done=False) + DONE, "ok"),
        (line(message={"content": "x"}, done=True, eval_count=-3), "ok"),
        (b"\xff\xfe\n" + DONE, "protocol_error"),
        (b"\n \r\n" + DONE, "ok"),
        (DONE.rstrip(), "ok"),
    ],
)
def test_how_a_native_stream_can_end(body: bytes, outcome: str) -> None:
    _, _, verdict = read(CHAT, ndjson(body))
    assert verdict.outcome == outcome
    assert bool(verdict.error) == (outcome != "ok")


def test_a_huge_line_is_a_fault_and_costs_no_memory_beyond_the_limit() -> None:
    piece = b"x" * (framing.MAX_FRAME_BYTES // 4)
    _, _, verdict = read(CHAT, ndjson(*[piece] * 5))
    assert verdict.outcome == "protocol_error"
    assert "a line of more than" in verdict.error


@pytest.mark.parametrize(
    ("body", "outcome", "text"),
    [
        (
            event(delta(role="assistant", content="")) + event(delta(content="hi")) + FINISH + USAGE + SENTINEL,
            "ok",
            "hi",
        ),
        (
            event(delta(content="hi"), b"\r\n\r\n") + FINISH.replace(b"\n", b"\r\n") + b"data: [DONE]\r\n\r\n",
            "ok",
            "hi",
        ),
        (b": ping\n\nevent: x\nid: 3\n" + event(delta(content="hi")) + FINISH + SENTINEL, "ok", "hi"),
        (event(delta(content="hi")) + FINISH + b"data: [DONE]", "ok", "hi"),
        (event(delta(content="hi")) + FINISH, "ok", "hi"),
        (event(delta(content="hi")) + SENTINEL, "ok", "hi"),
        (FINISH + SENTINEL, "protocol_error", ""),
        (FINISH + USAGE + SENTINEL, "ok", ""),
        (event(delta(content="hi")) + event(delta("engine_error")) + SENTINEL, "server_error", "hi"),
        (event(delta(content="hi")), "truncated", "hi"),
        (event(delta(content="hi")) + b'data: {"choi', "truncated", "hi"),
        (event(delta(content="hi")) + event({"error": {"message": "boom", "type": "x"}}), "server_error", "hi"),
        (event(delta(content="hi")) + b'error: {"error":{"message":"boom"}}\n\n', "server_error", "hi"),
        (event(delta(content="hi")) + b'{"error":{"message":"boom"}}\n\n', "server_error", "hi"),
        (event({"object": "error", "message": "boom"}), "server_error", ""),
        (event(delta(content="hi")) + b"data: nonsense\n\n" + FINISH + SENTINEL, "protocol_error", "hi"),
        (event({"choices": {"a": 1}}) + SENTINEL, "protocol_error", ""),
    ],
)
def test_how_an_sse_stream_can_end(body: bytes, outcome: str, text: str) -> None:
    chunks, _, verdict = read(V1_CHAT, sse(body))
    assert (verdict.outcome, "".join(c.text for c in chunks)) == (outcome, text), verdict.error


def test_several_data_lines_are_one_event() -> None:
    body = b'data: {"choices":[{"delta":\ndata: {"content":"hi"}}]}\n\n' + FINISH + SENTINEL
    assert read(V1_CHAT, sse(body))[0][0].text == "hi"


def test_zeros_of_usage_on_every_chunk_are_not_counts() -> None:
    zeros = {"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0}
    true = {"prompt_tokens": 5, "completion_tokens": 2, "total_tokens": 7}
    token = {"choices": [{"text": "a", "index": 0, "finish_reason": None}], "usage": zeros}
    last = {"choices": [{"text": "", "index": 0, "finish_reason": "length"}], "usage": zeros}
    body = event(token) + event(last) + event({"choices": [], "usage": true}) + SENTINEL
    _, builder, verdict = read(V1_COMPLETIONS, sse(body))
    assert (verdict.outcome, builder.usage.output_tokens, builder.usage.source) == ("ok", 2, "usage")


@pytest.mark.parametrize("field", ["reasoning", "reasoning_content"])
def test_reasoning_by_both_its_names(field: str) -> None:
    chunks, _, _ = read(V1_CHAT, sse(event(delta(**{field: "hm"})) + event(delta(content="hi")) + FINISH + SENTINEL))
    assert [(c.thinking, c.text) for c in chunks[:2]] == [("hm", ""), ("", "hi")]


def test_llama_cpps_timings_are_durations() -> None:
    timings = {"cache_n": 21, "prompt_n": 5, "prompt_ms": 56.0, "predicted_n": 5, "predicted_ms": 88.0}
    usage = {"prompt_tokens": 26, "completion_tokens": 5, "total_tokens": 31}
    _, builder, _ = read(V1_CHAT, sse(event({"choices": [], "usage": usage, "timings": timings}), ended_ns=200 * MS))
    assert (builder.usage.prompt_eval_ns, builder.usage.eval_ns, builder.usage.cached_tokens) == (56 * MS, 88 * MS, 21)


def test_half_an_emoji_is_no_reason_to_fail() -> None:
    chunks, _, verdict = read(GENERATE, ndjson(b'{"response":"\\ud83d","done":false}\n', b'{"done":true}\n'))
    assert verdict.outcome == "ok"
    chunks[0].text.encode()  # can be written to a file


@pytest.mark.parametrize(
    ("failure", "outcome"),
    [
        (Failure("refused", "no"), "refused"),
        (Failure("timeout", "no end"), "timeout"),
        (Failure("closed", "cut"), "truncated"),
        (Failure("protocol", "not HTTP"), "protocol_error"),
        (Failure("cancelled", "end of run"), "cancelled"),
    ],
)
def test_what_the_transport_saw_decides_when_the_body_does_not(failure: Failure, outcome: str) -> None:
    partial = line(message={"content": "a"}, done=False)
    unfinished = ndjson(partial, complete=False, failure=failure)
    assert read(CHAT, unfinished)[2].outcome == outcome
    # After done:true a broken connection takes nothing away.
    assert read(CHAT, ndjson(partial, DONE, complete=False, failure=failure))[2].outcome == "ok"


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (b'{"error":"model is required"}', "model is required"),
        (b'{"error":{"message":"no key","type":"auth"}}', "no key"),
        (b'{"error":"{\\"error\\":{\\"code\\":400,\\"message\\":\\"too long\\"}}"}', "too long"),
        (b'{"detail":"Not Found"}', "Not Found"),
        (b"404 page not found", "404 page not found"),
        (b"", ""),
    ],
)
def test_error_bodies_of_every_kind(body: bytes, text: str) -> None:
    _, _, verdict = read(CHAT, Transcript(pieces=((1, body),) if body else (), status=404, sent_ns=0, ended_ns=1))
    assert verdict == reading.Verdict("http_error", f"HTTP 404 {text}".strip())


# What it comes to


def test_times_of_a_stream_in_round_numbers() -> None:
    def said(**message: str) -> bytes:
        return line(message=message, done=False)

    stream = ndjson(said(thinking="hm"), said(thinking="so"), said(content="a"), said(content="b"), DONE)
    record = _record(CHAT, stream)
    assert record.first_byte_ns == record.first_output_ns == 10 * MS
    assert (record.first_answer_ns, record.last_output_ns, record.ended_ns) == (30 * MS, 40 * MS, 50 * MS)
    assert record.output_chunks == 4
    assert sum(record.gaps.values()) == 3
    assert record.longest_gap_ns == 10 * MS
    assert record.coalesced_chunks == 0


def test_two_tokens_in_one_read_are_counted_as_coalesced() -> None:
    stream = ndjson(line(message={"content": "a"}, done=False) * 2, DONE)
    assert _record(CHAT, stream).coalesced_chunks == 1


def test_an_answer_in_one_piece_has_no_first_token() -> None:
    body = line(message={"content": "whole"}, done=True, done_reason="stop", eval_count=3)
    whole = seen("application/json; charset=utf-8", (body,), {})
    record = _record(CHAT, whole)
    assert (record.outcome, record.streamed, record.text_chars) == ("ok", False, 5)
    assert record.first_output_ns is None
    assert record.usage.output_tokens == 3


def _record(api: Any, found: Transcript) -> Record:
    builder, verdict = interpret(api, found, stream=True)
    return builder.record(WHO, found, *verdict)
