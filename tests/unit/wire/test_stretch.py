"""What is read many frames at once comes to what each frame alone comes to."""

import itertools
import json
import re
from collections.abc import Iterator
from copy import deepcopy
from typing import Any
from unittest.mock import patch

import captures
import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from literals import CHAT, GENERATE, MS, V1_CHAT, V1_COMPLETIONS, delta

from tokenswarm.metrics.interpret import interpret
from tokenswarm.wire import reading, stretch
from tokenswarm.wire.stretch import AT_ONCE, Stretch
from tokenswarm.wire.values import Api, Transcript

# A plain frame of each API, and where others have more: the place of an object, and the names of what it may hold.
PLAIN: dict[Any, dict[str, Any]] = {
    CHAT: {"model": "m", "created_at": "7", "message": {"role": "assistant", "content": " a"}, "done": False},
    GENERATE: {"model": "m", "response": " a", "done": False},
    V1_CHAT: {"id": "1", "created": 7, **delta(content=" a")},
    V1_COMPLETIONS: {"id": "1", "created": 7, "choices": [{"index": 0, "text": " a", "finish_reason": None}]},
}
ENDS = {CHAT: ("", "\n"), GENERATE: ("", "\n"), V1_CHAT: ("data: ", "\n\n"), V1_COMPLETIONS: ("data: ", "\n\n")}
FIELDS: dict[Any, dict[tuple[Any, ...], str]] = {
    CHAT: {
        (): "message done error done_reason eval_count choices",
        ("message",): "content thinking tool_calls images error",
    },
    GENERATE: {(): "response done error context thinking done_reason eval_count message"},
    V1_CHAT: {
        (): "choices usage timings metrics stats meta_info error object detail x_groq",
        ("choices", 0): "delta message index finish_reason error habit usage text meta_info",
        ("choices", 0, "delta"): "content reasoning reasoning_content tool_calls function_call refusal error thinking",
    },
    V1_COMPLETIONS: {
        (): "choices usage timings metrics stats meta_info error object detail",
        ("choices", 0): "text index finish_reason error habit usage message meta_info",
    },
}
ODD = [
    *(
        None,
        0,
        1,
        -1.5,
        True,
        False,
        [],
        {},
        "",
        "stop",
        "null",
        "<",
        "</th",
        "<think>",
        "ink>",
        "x" * 24,
        [1, 2],
        ["a"],
    ),
    *({"message": "no"}, [{"type": "text", "text": "t"}], [{"type": "thinking", "thinking": "t"}], {"content": "t"}),
    [{"id": "1", "function": {"name": "f", "arguments": {"a": 1}}}],
    {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5},
    {"prompt_n": 3, "predicted_n": 2, "predicted_ms": 4.5},
    {"queue_time_ms": 0, "time_to_first_token_ms": 3.5, "generation_time_ms": 4.5},
    {"generation_time": 0.01, "completion_tokens": 2},
    [{"index": 1, "delta": {"content": "b"}, "text": "b", "finish_reason": None}],
]
LINES = ["", " ", "[DONE]", "null", "[]", "not JSON", ": ping", "event: error", '{"a":1', '{"a":1},{"a":2}', '"text"']
# In the place of a text, and of what may differ from frame to frame.
TEXTS = [
    *("", "b", "é", "\\u00e9", "\\n", '\\"', "\\\\", "\\\\u003c", "\\u003c", "\\u003C/think>", "a<b", "\\ud83d\\ude00"),
    *(
        "\\ud83d",
        "\\x",
        "\\",
        "\x01",
        "\t",
        "\x7f",
        '"',
        '", "x": "',
        "\udcff",
        "long " * 9,
        "a\\/b",
        "}",
        "[DONE]",
        "\\u00",
        "\\n<think>b",
    ),
]
OTHERS = ["8", "88", "-8", "08", "8.5", "8e", "", "x", "é", "\\u0038", "\\", '"', "\x01", "\udcff", "9" * 30, "<think>"]
LABELS = ("application/x-ndjson", "text/event-stream", "application/json", "")


def _with(frame: dict[str, Any], place: tuple[Any, ...], name: str, value: object) -> dict[str, Any]:
    changed: Any = deepcopy(frame)
    inner = changed
    for step in place:
        inner = inner[step]
    inner[name] = value
    return changed  # type: ignore[no-any-return]


def _otherwise(plain: str, other: str) -> str:
    """The same frame with another id, and another time of making."""
    return re.sub('("created_at": "|"id": "|"created": )[17]', lambda name: name[1] + other, plain)


def _odd(api: Api) -> Iterator[str]:
    """Every frame that has one thing more than a plain one, or another, or one less; and what is no frame."""
    yield from LINES
    yield json.dumps(PLAIN[api], indent=1)
    for place, names in FIELDS[api].items():
        for name, value in itertools.product(names.split(), ODD):
            yield json.dumps(_with(PLAIN[api], place, name, value))
    plain = json.dumps(PLAIN[api])
    for other in TEXTS:
        yield plain.replace('" a"', f'"{other}"')
    for other in OTHERS:
        yield _otherwise(plain, other)
    for name in PLAIN[api]:
        yield json.dumps({other: value for other, value in PLAIN[api].items() if other != name})


def _seen(api: Api, pieces: list[bytes], gaps_ns: list[int], label: str = "", **changes: Any) -> Transcript:
    stamps = list(itertools.accumulate(gaps_ns, initial=MS))[: len(pieces)]
    given = {"status": 200, "complete": True, "sent_ns": 0, "ended_ns": stamps[-1] if stamps else MS, **changes}
    return Transcript(pieces=list(zip(stamps, pieces, strict=True)), content_type=label, **given)


def _both(api: Api, seen: Transcript, *, stream: bool = True) -> list[tuple[Any, ...]]:
    """All that comes of an answer: read as it is, and frame by frame."""
    found = []
    for plain in (api.plain, None):  # type: ignore[attr-defined]
        with patch.object(api, "plain", plain):
            builder, verdict = interpret(api, seen, stream=stream)
        found.append((vars(builder), builder.answer(), verdict))
    return found


@pytest.mark.parametrize("api", PLAIN, ids=lambda api: api.PATH)
def test_one_odd_frame_among_plain_ones_is_what_it_is_alone(api: Api) -> None:
    head, end = ENDS[api]
    for odd, place in itertools.product(_odd(api), (0, 5, AT_ONCE + 2)):
        lines = [json.dumps(PLAIN[api])] * max(20, place + 5)
        lines[place] = odd
        pieces = [f"{head}{line}{end}".encode("utf-8", "surrogateescape") for line in lines]
        together, singly = _both(api, _seen(api, pieces, [20 * MS] * len(pieces)))
        assert together == singly, odd


@pytest.mark.parametrize("api", [CHAT, GENERATE, V1_CHAT], ids=lambda api: api.PATH)
def test_thinking_that_looks_alike_stays_thinking(api: Api) -> None:
    head, end = ENDS[api]
    said = json.dumps(PLAIN[api])
    name = "reasoning_content" if api is V1_CHAT else "thinking"
    thought = said.replace(' a"', f'", "{name}": "b"') if api is not V1_CHAT else said.replace("content", name)
    pieces = [f"{head}{line}{end}".encode() for line in [thought] * 2 * AT_ONCE + [said] * 2 * AT_ONCE]
    for _ in range(3):
        together, singly = _both(api, _seen(api, pieces, [20 * MS] * len(pieces)))
        assert together == singly
    assert together[1].thinking == ("b" if api is not V1_CHAT else " a") * 2 * AT_ONCE


@pytest.mark.parametrize("api", PLAIN, ids=lambda api: api.PATH)
def test_what_stands_elsewhere_too_is_not_taken_for_the_text(api: Api) -> None:
    """The text is written otherwise in its own place."""
    head, end = ENDS[api]
    plain = json.dumps(PLAIN[api]).replace('" a"', r'"a\u0020"')[:-1]
    lines = [f'{plain}, "x": "{x}"}}' for x in ["a "] * AT_ONCE + ["b "] * 2 * AT_ONCE]
    pieces = [f"{head}{line}{end}".encode() for line in lines]
    for _ in range(3):
        together, singly = _both(api, _seen(api, pieces, [20 * MS] * len(pieces)))
        assert together == singly


@pytest.mark.parametrize("api", PLAIN, ids=lambda api: api.PATH)
def test_frames_that_look_alike_are_not_decoded(api: Api) -> None:
    """Once a second answer has shown that they do, whatever their ids and times."""
    head, end = ENDS[api]
    for number in range(8, 12):
        line = _otherwise(json.dumps(PLAIN[api]), str(number))
        texts = [f"t{at}" for at in range(4 * AT_ONCE)]
        pieces = [f"{head}{line.replace(' a', text)}{end}".encode() for text in texts]
        with patch.object(stretch.orjson, "loads", wraps=orjson.loads) as loads:
            builder, _ = interpret(api, _seen(api, pieces, [20 * MS] * len(pieces)), stream=True)
        assert builder.answer().text == "".join(texts)
    assert loads.call_count <= AT_ONCE + 1


@pytest.mark.parametrize("api", PLAIN, ids=lambda api: api.PATH)
def test_one_odd_piece_among_plain_ones_is_what_it_is_frame_by_frame(api: Api) -> None:
    head, end = ENDS[api]
    frame = f"{head}{json.dumps(PLAIN[api])}{end}".encode()
    ends = [frame.rstrip() + other for other in (b"", b"\n", b"\r", b"\r\n", b"\r\n\r\n", b"\n\n\n", b"\n\r\n", b" \n")]
    heads = [b"event: x\n" + frame, b"\xef\xbb\xbf" + frame, b"\n" + frame, b"\r" + frame, b"data:" + frame, frame * 2]
    inside = [frame.replace(b", ", b"," + end, 1) for end in (b"\r", b"\n")]
    others = [end.encode() + frame.rstrip(), b"<p>" + end.encode(), b"some words" + end.encode(), *inside]
    splits = [(frame[:at], frame[at:]) for at in range(1, len(frame))]
    for pieces, label in itertools.product([*((one,) for one in ends + heads + others), *splits], LABELS):
        for at in (0, 3, AT_ONCE - len(pieces)):
            seen = _seen(api, [*[frame] * at, *pieces, *[frame] * AT_ONCE], [20 * MS] * 2 * AT_ONCE, label)
            together, singly = _both(api, seen)
            assert together == singly, (pieces, label)


@pytest.mark.parametrize("api", PLAIN, ids=lambda api: api.PATH)
@given(st.data())
@settings(max_examples=200)
def test_whatever_comes_at_once_is_what_it_is_one_by_one(api: Api, data: st.DataObject) -> None:
    head, end = ENDS[api]
    plain = json.dumps(PLAIN[api])
    others = [plain.replace(" a", text) for text in ("aa", "\\n", "é", "b" * 30)]
    few = st.lists(st.sampled_from([*[plain] * 5, *others, *_odd(api)]), max_size=60)
    lines = data.draw(few) + [plain] * data.draw(st.sampled_from([0, AT_ONCE])) + data.draw(few)
    body = "".join(f"{head}{line}{end}" for line in lines).encode("utf-8", "surrogateescape")
    edges = {at + len(end) for at in range(len(body)) if body.startswith(end.encode(), at)}
    cuts = sorted((edges - data.draw(st.sets(st.sampled_from(sorted(edges))))) if edges else edges)
    pieces = [body[a:b] for a, b in itertools.pairwise([0, *cuts, len(body)]) if b > a]
    gaps_ns = data.draw(
        st.lists(st.sampled_from([20 * MS, 21 * MS, 0, 100]), min_size=len(pieces), max_size=len(pieces))
    )
    changes = {
        "complete": data.draw(st.booleans()),
        "late_stamps": frozenset(range(0, 400 * MS, data.draw(st.integers(1, 3)) * MS)),
    }
    seen = _seen(api, pieces, gaps_ns, data.draw(st.sampled_from(LABELS)), **changes)
    together, singly = _both(api, seen, stream=data.draw(st.booleans()))
    assert together == singly


def test_the_recorded_streams_are_read_at_once_and_come_to_the_same() -> None:
    at_once = total = 0
    for exchange in captures.load().values():
        api, seen = captures.APIS[exchange["path"]], captures.timed(exchange)
        if api in PLAIN:
            together, singly = _both(api, seen)
            assert together == singly
            at_once += sum(len(one.stamps) for one in reading.chunks(api, seen) if isinstance(one, Stretch))
            total += sum(1 for chunk in reading.each_chunk(api, seen) if chunk.output)
    assert at_once > 0.8 * total > 0  # the rest: several frames in one read, tool calls, tags
