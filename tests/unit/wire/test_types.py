"""Fields of another type than their API's: numbers, labels, contents and vectors, on literals."""

import json
from typing import Any

import pytest
from captures import APIS, read
from embedding_answers import answered
from literals import DONE, FINISH, MS, SENTINEL, USAGE, delta, event, line, ndjson, sse

from tokenswarm.wire import ollama_embed, openai_embeddings
from tokenswarm.wire.lenient import label, text_and_thinking, yes
from tokenswarm.wire.numbers import count, duration_ns
from tokenswarm.wire.values import Embeddings

CHAT, V1_CHAT = APIS["/api/chat"], APIS["/v1/chat/completions"]


@pytest.mark.parametrize("said", [12, 12.0, "12", "12.0", " 12 ", "1.2e1"])
def test_a_count_however_it_is_written(said: object) -> None:
    assert count(said) == 12


@pytest.mark.parametrize(
    "said",
    [
        None,
        True,
        False,
        -1,
        -0.5,
        12.5,
        "",
        "twelve",
        "-1",
        "nan",
        "inf",
        [],
        [12],
        {},
        {"value": 12},
        float("nan"),
        float("inf"),
        1e300,
        10**9,
        10**400,
        "9" * 500,
    ],
)
def test_what_is_no_count_is_absent(said: object) -> None:
    assert count(said) is None


@pytest.mark.parametrize(
    ("said", "ns"),
    [
        (0, None),
        (0.0, None),
        (0.25, 1),  # seconds, perhaps: it will be doubted, not passed over
        (220, 220),
        (220.4, 220),
        ("220000000", 220 * MS),
        ("2.2e8", 220 * MS),
        ("220ms", 220 * MS),
        ("1.5s", 1500 * MS),
        ("1m2.5s", 62_500 * MS),
        ("850µs", 850_000),
        (-1, None),
        (-1.5, None),
        ("-1.5s", None),
        ("1.5.1s", None),
        ("soon", None),
        ("s", None),
        ("nan", None),
        (True, None),
        (float("nan"), None),
        (float("inf"), None),
        (2**63, None),
        (10**400, None),
        ("9" * 30 + "h", None),
        ({}, None),
    ],
)
def test_a_duration_however_it_is_written(said: object, ns: int | None) -> None:
    assert duration_ns(said) == ns


def test_milliseconds_as_nanoseconds() -> None:
    assert [duration_ns(said, 1e6) for said in (56, 56.25, "56.25", -1, 10**400)] == [
        56 * MS,
        56_250_000,
        56_250_000,
        None,
        None,
    ]


@pytest.mark.parametrize(
    ("reason", "word"),
    [
        ("stop", "stop"),
        ("\r\n stop\tnow", "stop now"),
        ({"type": "length", "length": 8}, "length"),
        ({"reason": {"name": "stop"}}, "stop"),
        (["stop"], "stop"),
        ([], None),
        ({}, None),
        ({"matched": 5}, '{"matched":5}'),
        (1, "1"),
        (True, "true"),
        (10**400, str(10**400)[:100]),
        (0, None),
        (False, None),
        ("", None),
        (None, None),
    ],
)
def test_a_label_of_any_type(reason: object, word: str | None) -> None:
    assert label(reason) == word


def test_what_is_a_yes() -> None:
    assert all(map(yes, (True, "true", "True", 1)))
    assert not any(map(yes, (False, "false", "", 0, None, [1], {"a": 1}, 2)))


@pytest.mark.parametrize(
    ("content", "text", "thinking"),
    [
        ([{"type": "text", "text": "hi"}], "hi", ""),
        (["h", "i"], "hi", ""),
        (
            [{"type": "thinking", "thinking": [{"type": "text", "text": "hm"}]}, {"type": "text", "text": "hi"}],
            "hi",
            "hm",
        ),
        ([{"type": "thinking", "thinking": "hm"}], "", "hm"),
        ([{"type": "reasoning", "text": "hm"}, {"text": "hi"}], "hi", "hm"),
        ([{"type": "reasoning", "summary": [{"type": "summary_text", "text": "hm"}]}], "", "hm"),
        ([{"text": "hm", "thought": True}, {"text": "hi"}], "hi", "hm"),
        ({"type": "refusal", "refusal": "no"}, "no", ""),
        ({"type": "output_text", "text": {"value": "hi", "annotations": []}}, "hi", ""),
        ([{"type": "image_url", "image_url": {"url": "x"}}, None, True], "", ""),
        (5, "5", ""),
        (2.5, "2.5", ""),
        ([["h"], [["i"]]], "hi", ""),
    ],
)
def test_content_that_is_no_text(content: object, text: str, thinking: str) -> None:
    assert text_and_thinking(content) == (text, thinking)
    native = ndjson(line(message={"content": content}, done=False), DONE)
    events = sse(event(delta(content=content)) + FINISH + USAGE + SENTINEL)
    whole = {"choices": [{"message": {"content": content}, "finish_reason": "stop"}]}
    for api, seen in ((CHAT, native), (V1_CHAT, events), (V1_CHAT, sse(event(whole) + USAGE + SENTINEL))):
        _, builder, verdict = read(api, seen)
        assert (verdict.outcome, builder.answer()[:2]) == ("ok", (text, thinking)), verdict


def test_a_delta_and_a_message_that_are_texts() -> None:
    body = {"choices": [{"index": 0, "delta": "hi", "finish_reason": None}]}
    assert read(V1_CHAT, sse(event(body) + FINISH + USAGE + SENTINEL))[1].answer().text == "hi"
    assert read(CHAT, ndjson(line(message="hi", done=False), DONE))[1].answer().text == "hi"


@pytest.mark.parametrize("empty", [None, {}, [], "", 0, False])
@pytest.mark.parametrize("field", ["choices", "delta", "usage", "timings", "tool_calls"])
def test_a_frame_without_its_middle_says_nothing(field: str, empty: object) -> None:
    frame: dict[str, Any] = delta(content="x")
    {"choices": frame, "usage": frame, "timings": frame}.get(field, frame["choices"][0])[field] = empty
    _, builder, verdict = read(V1_CHAT, sse(event(delta(content="hi")) + event(frame) + FINISH + USAGE + SENTINEL))
    assert (verdict.outcome, builder.usage.output_tokens) == ("ok", 2)
    assert builder.answer().text in ("hi", "hix")


def test_done_that_is_no_truth_value() -> None:
    _, builder, verdict = read(CHAT, ndjson(line(message={"content": "a"}, done="false"), DONE))
    assert (verdict.outcome, builder.answer().text) == ("ok", "a")
    assert read(CHAT, ndjson(line(message={"content": "a"}, done="true", done_reason="stop")))[2].outcome == "ok"


# Vectors


@pytest.mark.parametrize(
    ("frame", "seen"),
    [
        ({"embeddings": [[1, 2], None, "x", {}, 3]}, Embeddings(5, 2, 4)),
        ({"embeddings": [0.5, 1, 2]}, Embeddings(1, 3, 0)),
        ({"embedding": [[1, 2]]}, Embeddings(1, 2, 0)),
        ({"embeddings": [[10**400, 1]]}, Embeddings(1, 2, 1)),
        ({"data": [{"embedding": [1, 2], "index": None}, {"embedding": [1, 2]}]}, Embeddings(2, 2, 0)),
        ({"data": [{"embedding": [1, 2], "index": "0"}, {"embedding": [1, 2], "index": 1.0}]}, Embeddings(2, 2, 0)),
        ({"data": [{"embedding": [1, 2], "index": 0}, {"embedding": None, "index": 1}, 7]}, Embeddings(3, 2, 2)),
        ({"data": {"embedding": [1, 2], "index": 0}}, Embeddings(1, 2, 0)),
        ({"data": [{"embedding": [1, 2], "index": 2}, {"embedding": [1, 2], "index": 1}]}, Embeddings(2, 2, 0)),
        ({"data": [{"embedding": [[1, 2]]}, {"embedding": {"float": [1, 2]}}]}, Embeddings(2, 2, 0)),
        ({"data": None}, Embeddings(0, 0, 0)),
    ],
)
def test_vectors_of_any_type(frame: dict[str, Any], seen: Embeddings) -> None:
    api = openai_embeddings if "data" in frame else ollama_embed
    assert answered(api, json.dumps(frame).encode()) == (seen, "ok", "")
