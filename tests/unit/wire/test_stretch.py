"""What is read many frames at once comes to what each frame alone comes to."""

import itertools
import json
from collections.abc import Iterator
from copy import deepcopy
from typing import Any
from unittest.mock import patch

import captures
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from literals import CHAT, GENERATE, MS, V1_CHAT, V1_COMPLETIONS, delta

from tokenswarm.metrics.interpret import interpret
from tokenswarm.wire import reading
from tokenswarm.wire.stretch import AT_ONCE, Stretch
from tokenswarm.wire.values import Api, Transcript

# A plain frame of each API, and where others have more: the place of an object, and the names of what it may hold.
PLAIN: dict[Any, dict[str, Any]] = {
    CHAT: {"model": "m", "message": {"role": "assistant", "content": " a"}, "done": False},
    GENERATE: {"model": "m", "response": " a", "done": False},
    V1_CHAT: {"id": "1", **delta(content=" a")},
    V1_COMPLETIONS: {"id": "1", "choices": [{"index": 0, "text": " a", "finish_reason": None}]},
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
LABELS = ("application/x-ndjson", "text/event-stream", "application/json", "")


def _with(frame: dict[str, Any], place: tuple[Any, ...], name: str, value: object) -> dict[str, Any]:
    changed: Any = deepcopy(frame)
    inner = changed
    for step in place:
        inner = inner[step]
    inner[name] = value
    return changed  # type: ignore[no-any-return]


def _odd(api: Api) -> Iterator[str]:
    """Every frame that has one thing more than a plain one, or another, or one less; and what is no frame."""
    yield from LINES
    yield json.dumps(PLAIN[api], indent=1)
    for place, names in FIELDS[api].items():
        for name, value in itertools.product(names.split(), ODD):
            yield json.dumps(_with(PLAIN[api], place, name, value))
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
    for odd, place in itertools.product(_odd(api), (0, 5)):
        lines = [json.dumps(PLAIN[api])] * 20
        lines[place] = odd
        together, singly = _both(api, _seen(api, [f"{head}{line}{end}".encode() for line in lines], [20 * MS] * 20))
        assert together == singly, odd


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
    lines = data.draw(st.lists(st.sampled_from([*[plain] * 5, plain.replace(" a", "aa"), *_odd(api)]), max_size=60))
    body = "".join(f"{head}{line}{end}" for line in lines).encode()
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
