"""Every field of every API may be of any type: each request keeps its row, and what the field does not touch is read.

Not a sample: every field of the answers below, also of those that other servers add, is given every value in turn.
"""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from captures import APIS, read
from hypothesis import given
from hypothesis import strategies as st
from literals import MS

from tokenswarm.folder.lines import cells, line
from tokenswarm.folder.row import COLUMNS, Row, row
from tokenswarm.metrics.checks.case import Asked, Case
from tokenswarm.metrics.checks.table import judge
from tokenswarm.metrics.record import Identity
from tokenswarm.metrics.validity.evidence import Evidence
from tokenswarm.settings.redaction import clean_record
from tokenswarm.wire.apis import EMBEDDING
from tokenswarm.wire.decoding import decode
from tokenswarm.wire.reading import OUTCOMES
from tokenswarm.wire.values import Api, Transcript

# What JSON has, and what servers write as if it had; raw, since no writer of JSON makes some of them.
# A field and a value are a pair; the answers below have some 20,000.
VALUES = (
    *("null", "true", "false", "0", "-1", "12", "12.0", "12.5", "1e400", "-1e400", "NaN", "9223372036854775808"),
    *("9" * 400, '""', '"12"', '"-1"', '"text"', '"\\r\\n\\u0000=1\\ud83d"', '"' + "x" * 2000 + '"'),
    *(
        "[]",
        "[null]",
        "[1,-2.5]",
        '["a",["b"]]',
        '[{"type":"text","text":"w"},7]',
        "[[[[[[[[[[1]]]]]]]]]]",
        "[" * 99 + "]" * 99,
    ),
    *("{}", '{"a":1}', '{"type":"x","text":"w"}', '{"message":"w"}', '{"0":{"delta":{"content":"w"}}}'),
    '{"a":' * 99 + "1" + "}" * 99,
)
OLLAMA_END = {
    "done": True, "done_reason": "stop", "total_duration": 70 * MS, "load_duration": MS, "prompt_eval_count": 9,
    "prompt_eval_cached_count": 3, "prompt_eval_duration": 9 * MS, "eval_count": 4, "eval_duration": 30 * MS,
}  # fmt: skip
CALL = {"id": "call_1", "function": {"index": 0, "name": "f", "arguments": {"a": 1}}}
V1_CALL = {"id": "call_1", "index": 0, "type": "function", "function": {"name": "f", "arguments": '{"a":1}'}}
LINE = {"model": "m", "created_at": "2026-11-23T00:00:00.1Z"}
USAGE = {
    "prompt_tokens": 9, "completion_tokens": 4, "total_tokens": 13, "prompt_tokens_details": {"cached_tokens": 3},
    "completion_tokens_details": {"reasoning_tokens": 1}, "prompt_cache_hit_tokens": 3, "cached_tokens": 3,
    "reasoning_tokens": 1,
}  # fmt: skip
TIMINGS = {"cache_n": 3, "prompt_n": 6, "prompt_ms": 9.0, "predicted_n": 4, "predicted_ms": 30.0}
HEAD = {"id": "c1", "object": "chat.completion.chunk", "created": 1, "model": "m", "system_fingerprint": "fp"}


def choice(finish: str | None = None, **said: object) -> dict[str, object]:
    return {**HEAD, "choices": [{"index": 0, **said, "finish_reason": finish, "logprobs": None}]}


def message(**said: object) -> dict[str, object]:
    return {**LINE, "message": {"role": "assistant", **said}, "done": False}


END = {**HEAD, "choices": [], "usage": USAGE, "timings": TIMINGS}
GROQ = {"x_groq": {"id": "r", "usage": USAGE}}
WHOLE = {"role": "assistant", "content": "ab", "reasoning": "hm", "refusal": None, "tool_calls": [V1_CALL]}
NATIVE_WHOLE = {**LINE, "response": "ab", "thinking": "hm", "context": [1, 2, 3], **OLLAMA_END}
EMBEDDED = {
    "model": "m", "embeddings": [[0.5, 1.5], [1.0, 2.0]], "total_duration": 9 * MS, "load_duration": MS,
    "prompt_eval_count": 9,
}  # fmt: skip
VECTORS = [
    {"object": "embedding", "index": 0, "embedding": [0.5, 1.5]},
    {"object": "embedding", "index": 1, "embedding": "AAAAPwAAgD8="},
]
# API, streamed?: its frames.
ANSWERS: dict[tuple[str, bool], tuple[dict[str, Any], ...]] = {
    ("/api/chat", True): (
        message(content="", thinking="hm"),
        message(content="a", tool_calls=[CALL]),
        message(content="b"),
        {**message(content=""), **OLLAMA_END},
    ),
    ("/api/chat", False): ({**message(content="ab", thinking="hm", tool_calls=[CALL]), **OLLAMA_END},),
    ("/api/generate", True): (
        {**LINE, "response": "", "thinking": "hm", "done": False},
        {**LINE, "response": "a", "done": False},
        {**LINE, "response": "b", "done": False},
        {**LINE, "response": "", "context": [1, 2, 3], **OLLAMA_END},
    ),
    ("/api/generate", False): (NATIVE_WHOLE,),
    ("/api/embed", False): (EMBEDDED,),
    ("/v1/chat/completions", True): (
        choice(delta={"role": "assistant", "content": ""}),
        choice(delta={"reasoning": "hm", "reasoning_content": "hm"}),
        choice(delta={"content": "a", "tool_calls": [V1_CALL]}),
        choice(delta={"content": "b"}),
        {**choice("stop", delta={}, usage=USAGE), **GROQ},
        END,
    ),
    ("/v1/chat/completions", False): (
        {**choice("stop", message=WHOLE), "usage": USAGE, "timings": TIMINGS, "service_tier": "x"},
    ),
    ("/v1/completions", True): (choice(text="a"), choice(text="b"), choice("stop", text=""), END),
    ("/v1/completions", False): ({**choice("stop", text="ab"), "usage": USAGE, "timings": TIMINGS},),
    ("/v1/embeddings", False): (
        {"object": "list", "model": "m", "data": VECTORS, "usage": {"prompt_tokens": 9, "total_tokens": 9}},
    ),
}
# Fields that no answer has, but that say what went wrong where they are there.
STRANGE = ("error", "detail", "base_resp", "code", "status", "success", "errors", "object", "type", "choices", "usage")
# In these the text stands, or they say that the answer is one; with any other the text is the same.
BEARS_TEXT = {
    "choices",
    "delta",
    "message",
    "content",
    "response",
    "text",
    "thinking",
    "reasoning",
    "reasoning_content",
}
BEARS_TEXT |= {"embeddings", "data", "embedding", "done"}
MARK = "\u2603"


def paths(value: object, so_far: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Where each field, and each item of a list, stands."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, one in inner:
        yield (*so_far, name)
        yield from paths(one, (*so_far, name))


def replaced(frame: dict[str, Any], path: tuple[Any, ...], raw: str) -> str:
    """The frame as JSON, with a field's value put in as it is to be written."""
    copy = json.loads(json.dumps(frame))
    at = copy
    for name in path[:-1]:
        at = at[name]
    at[path[-1]] = MARK
    return json.dumps(copy).replace(json.dumps(MARK), raw)


def answer(path: str, streamed: bool, frames: list[str]) -> Transcript:
    """Frames 10 ms apart."""
    if not streamed:
        bodies, label = frames, "application/json"
    elif path.startswith("/v1"):
        bodies, label = [f"data: {frame}\n\n" for frame in (*frames, "[DONE]")], "text/event-stream"
    else:
        bodies, label = [f"{frame}\n" for frame in frames], "application/x-ndjson"
    pieces = tuple((n * 10 * MS, body.encode()) for n, body in enumerate(bodies, start=3))
    return Transcript(pieces, sent_ns=0, ended_ns=pieces[-1][0], status=200, content_type=label, complete=True)


def kept(api: Api, seen: Transcript) -> tuple[Row, str]:
    """The row of an answer, written down and read back; and its text."""
    _, builder, verdict = read(api, seen)
    embeds = api in EMBEDDING
    who = Identity(0, 0, "User", api.PATH, "m", "p", None if embeds else 8, batch_size=2 if embeds else None)
    said = builder.answer()
    case = Case(Asked(8, "Hi", tools=({"name": "f"},)), said, verdict.outcome, builder.finish_reason, builder.usage)
    record = builder.record(who, seen, *verdict, prompt_text="Hi", judged=judge(case))
    (back,) = cells(line(row(clean_record(record))))
    assert len(back) == len(COLUMNS)
    return Row(back), said.text + said.thinking


def changes(path: str, streamed: bool) -> Iterator[tuple[tuple[Any, ...], str, Transcript]]:
    """Each field with each value, and the answer that has it so."""
    frames = ANSWERS[path, streamed]
    plain = [json.dumps(frame) for frame in frames]
    for number, frame in enumerate(frames):
        fields = [*paths(frame), *((name,) for name in STRANGE if name not in frame)]
        for field in fields:
            for raw in VALUES:
                changed = [*plain[:number], replaced(frame, field, raw), *plain[number + 1 :]]
                yield (number, *field), raw, answer(path, streamed, changed)


@pytest.mark.parametrize(("path", "streamed"), ANSWERS)
def test_every_request_keeps_its_row(path: str, streamed: bool) -> None:
    api, evidence, asked = APIS[path], Evidence(), 0
    plain, text = kept(api, answer(path, streamed, [json.dumps(frame) for frame in ANSWERS[path, streamed]]))
    assert (plain["outcome"], plain["check_notes"]) == ("ok", None)
    for field, raw, seen in changes(path, streamed):
        asked += 1
        found, said = kept(api, seen)
        evidence.add(found)
        where = f"{field} {raw[:60]}"
        assert found["outcome"] in OUTCOMES, where
        assert "unreadable" not in (found["error"] or ""), where
        for name in ("prompt_tokens", "cached_tokens", "output_tokens", "reasoning_tokens", "total_ms", "eval_ms"):
            assert found[name] is None or 0 <= found[name] < 1e9, f"{name}: {where}"
        if not BEARS_TEXT & set(field) and found["outcome"] == "ok":
            assert said == text, where
        if field[-1] not in {*BEARS_TEXT, *STRANGE, "done_reason", "finish_reason", "index"} and len(field) == 2:
            assert found["outcome"] == "ok", f"{found['error']}: {where}"
    assert evidence.total == asked > 500


@given(st.data())
def test_several_fields_at_once(data: st.DataObject) -> None:
    path, streamed = data.draw(st.sampled_from(sorted(ANSWERS)))
    frames = []
    for frame in ANSWERS[path, streamed]:
        said = json.dumps(frame)
        for _ in range(data.draw(st.integers(0, 3))):
            at = data.draw(st.sampled_from([*paths(json.loads(said)), *((name,) for name in STRANGE)]))
            said = replaced(json.loads(said), at, data.draw(st.sampled_from(VALUES[-20:])))
            said = json.dumps(loaded) if isinstance(loaded := decode(said.encode()), dict) else said
        frames.append(said)
    assert kept(APIS[path], answer(path, streamed, frames))[0]["outcome"] in OUTCOMES
