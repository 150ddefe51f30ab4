"""Bodies in whatever frames, however they are cut, ended and labelled: the same chunks come of them."""

import itertools
import json
from typing import Any

import pytest
from captures import APIS, read
from hypothesis import given
from hypothesis import strategies as st
from literals import DONE, FINISH, GENERATE, MS, SENTINEL, V1_CHAT, delta, event, ndjson, seen, sse

from tokenswarm.wire import reading
from tokenswarm.wire.stretch import Stretch
from tokenswarm.wire.values import Transcript

texts = st.text(st.characters(codec="utf-8"), max_size=12)


LABELS = ["text/event-stream", "application/x-ndjson", "application/json; charset=utf-8", "text/plain", ""]
MARKS = [b"", b"\xef\xbb\xbf", b"\xef\xbb\xbf\n"]  # a byte order mark, or none


@given(
    st.lists(texts, min_size=2, max_size=6),
    st.sampled_from([b"\n", b"\r\n", b"\r"]),
    st.sampled_from(MARKS),
    st.sampled_from(LABELS),
    st.data(),
)
def test_ndjson_is_the_same_however_it_is_cut_ended_and_labelled(
    parts: list[str], end: bytes, mark: bytes, label: str, data: st.DataObject
) -> None:
    lines = (json.dumps({"response": p, "done": False}, ensure_ascii=False).encode() for p in parts)
    body = mark + b"".join(line + end for line in lines)
    assert _texts(GENERATE, label, _cut(body, data)) == parts


@given(
    st.lists(texts, max_size=6),
    st.sampled_from([b"\n\n", b"\r\n\r\n", b"\r\r", b"\n", b"\r", b"\n\nid: 7\n: ping\n\n", b"\nevent: x\n"]),
    st.sampled_from(MARKS),
    st.sampled_from(LABELS),
    st.data(),
)
def test_sse_is_the_same_however_it_is_cut_ended_and_labelled(
    parts: list[str], end: bytes, mark: bytes, label: str, data: st.DataObject
) -> None:
    events = (b"data: " + json.dumps(delta(content=p), ensure_ascii=False).encode() + end for p in parts)
    assert _texts(V1_CHAT, label, _cut(mark + b"".join(events), data)) == parts


@pytest.mark.parametrize("label", LABELS)
def test_a_whole_object_is_no_stream_whatever_its_label(label: str) -> None:
    whole = {"choices": [{"message": {"content": "hi"}, "finish_reason": "stop"}]}
    for body in (json.dumps(whole).encode(), json.dumps(whole, indent=2).encode() + b"\n"):
        found = seen(label, (body[:9], body[9:]), {})
        assert read(V1_CHAT, found)[1].answer().text == "hi"
        assert found.streamed == ("ndjson" in label and body.startswith(b'{"'))


def test_events_parted_by_one_newline_each_have_their_own_time() -> None:
    stream = sse(event(delta(content="a"), b"\n"), event(delta(content="b"), b"\n"), FINISH, SENTINEL)
    assert [chunk.ns for chunk in read(V1_CHAT, stream)[0] if chunk.text] == [10 * MS, 20 * MS]


@pytest.mark.parametrize("before", [b"", event(delta(content="hi")), b": ping\n\n"])
@pytest.mark.parametrize("after", [b"", b"\n", b"\n\n", b"\ndata: [DONE]\n\n"])
def test_an_error_object_over_several_lines_is_read_wherever_it_stands(before: bytes, after: bytes) -> None:
    pretty = json.dumps({"error": {"message": "boom", "more": [{"a": 1}]}}, indent=2).encode()
    for end in (b"\n", b"\r\n"):
        _, _, verdict = read(V1_CHAT, sse(before + (pretty + after).replace(b"\n", end)))
        assert verdict == reading.Verdict("server_error", "boom")


@pytest.mark.parametrize("odd", [b"\xe4\xb8", b"\xff", b"\t", b"\x01", b"\\ud83d", b"\xed\xa0\xbd"])
def test_an_odd_character_costs_no_more_than_itself(odd: bytes) -> None:
    broken = event(delta(content="a?b")).replace(b"?", odd)
    _, builder, verdict = read(V1_CHAT, sse(event(delta(content="x")) + broken + FINISH + SENTINEL))
    assert verdict.outcome == "ok"
    text = builder.answer().text
    assert (text[:2], text[-1]) == ("xa", "b")
    text.encode()  # can be written to a file


def test_several_values_on_one_line_are_all_read() -> None:
    one = json.dumps({"response": "a", "done": False}).encode()
    chunks, _, verdict = read(GENERATE, ndjson(one + one + b"\n", DONE))
    assert ([c.text for c in chunks], verdict.outcome) == (["a", "a", ""], "ok")


@given(st.binary(max_size=200), st.sampled_from(sorted(APIS)), st.booleans(), st.data())
def test_garbage_never_raises_and_never_succeeds(body: bytes, path: str, events: bool, data: st.DataObject) -> None:
    content_type = "text/event-stream" if events else "application/x-ndjson"
    found = Transcript(pieces=_cut(body, data), status=200, content_type=content_type, complete=True, ended_ns=9)
    assert read(APIS[path], found)[2].outcome in ("truncated", "protocol_error", "server_error")


def _cut(body: bytes, data: st.DataObject) -> tuple[tuple[int, bytes], ...]:
    cuts = sorted(data.draw(st.lists(st.integers(0, len(body)), max_size=8)))
    edges = [0, *cuts, len(body)]
    return tuple((n, body[a:b]) for n, (a, b) in enumerate(itertools.pairwise(edges)) if b > a)


def _texts(api: Any, content_type: str, pieces: tuple[tuple[int, bytes], ...]) -> list[str]:
    found = Transcript(pieces=pieces, status=200, content_type=content_type, complete=True)
    # Tags are another test's business: here the chunks as they come from the frames.
    frames = reading._frames(api, found)
    return [text for frame in frames for text in (frame.texts if isinstance(frame, Stretch) else (frame.text,))]
