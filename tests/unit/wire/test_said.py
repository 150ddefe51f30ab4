"""What is said twice, in other choices, or under other names: each thing once, and the rest counted."""

from typing import Any

import pytest
from literals import CHAT, DONE, FINISH, MS, SENTINEL, USAGE, V1_CHAT, V1_COMPLETIONS, delta, event, line, ndjson, sse

from tokenswarm.metrics.interpret import interpret
from tokenswarm.metrics.record import Identity, Record
from tokenswarm.wire.values import Answer, Api, Transcript

WORDS = ("The first of all. ", "The second of all. ", "And a third.")
TEXT = "".join(WORDS)
DELTAS = [event(delta(content=word)) for word in WORDS]
CALL = {"id": "c1", "type": "function", "function": {"name": "f", "arguments": "{}"}}


def got(api: Api, seen: Transcript) -> tuple[Record, Answer]:
    builder, verdict = interpret(api, seen, stream=True)
    record = builder.record(Identity(0, 0, "User", api.PATH, "m", "p", 10), seen, *verdict)
    assert record.outcome == "ok", record.error
    return record, builder.answer()


def message(**said: object) -> bytes:
    return event({"choices": [{"index": 0, "message": {"role": "assistant", **said}, "finish_reason": "stop"}]})


def native(text: str, **more: object) -> bytes:
    return line(message={"role": "assistant", "content": text}, done=bool(more), **more)


@pytest.mark.parametrize(
    "last",
    [
        message(content=TEXT),
        message(content=f"{TEXT}\n"),  # trimmed otherwise
        event(delta("stop", content=TEXT)),
        event(delta(content=TEXT)) + FINISH,
    ],
)
def test_a_last_message_that_repeats_all_is_left_out(last: bytes) -> None:
    record, answer = got(V1_CHAT, sse(*DELTAS, last, USAGE, SENTINEL))
    assert (answer.text, record.output_chunks, record.habits) == (TEXT, 3, ("repeated",))
    assert record.last_output_ns == 30 * MS


def test_so_it_is_natively_and_on_completions() -> None:
    last = native(TEXT, done_reason="stop", eval_count=9)
    record, answer = got(CHAT, ndjson(*(native(word) for word in WORDS), last))
    assert (answer.text, record.output_chunks, record.habits) == (TEXT, 3, ("repeated",))
    texts = [event({"choices": [{"index": 0, "text": word}]}) for word in (*WORDS, TEXT)]
    record, answer = got(V1_COMPLETIONS, sse(*texts, FINISH, USAGE, SENTINEL))
    assert (answer.text, record.output_chunks, record.habits) == (TEXT, 3, ("repeated",))


def test_a_message_that_repeats_thinking_and_calls_adds_nothing_and_one_that_is_new_adds_all() -> None:
    thinking, calling = event(delta(reasoning="hm")), event(delta(tool_calls=[{"index": 0, **CALL}]))
    again = message(content=None, reasoning="hm", tool_calls=[CALL])
    record, answer = got(V1_CHAT, sse(thinking, calling, again, USAGE, SENTINEL))
    assert (answer.thinking, len(answer.tool_calls), answer.tool_calls[0].arguments) == ("hm", 1, "{}")
    assert record.habits == ("repeated",)
    record, answer = got(V1_CHAT, sse(thinking, message(content="so", reasoning="hm"), USAGE, SENTINEL))
    assert (answer.thinking, answer.text, record.output_chunks) == ("hm", "so", 2)


def test_what_a_model_itself_says_again_stays() -> None:
    for words in (("ha ",) * 4, ("All work and no play makes a dull boy. ",) * 2):
        record, answer = got(V1_CHAT, sse(*(event(delta(content=word)) for word in words), FINISH, USAGE, SENTINEL))
        assert (answer.text, record.habits) == ("".join(words), ())


def choices(*pairs: tuple[object, str]) -> bytes:
    return event({"choices": [{"index": index, "delta": {"content": text}} for index, text in pairs]})


@pytest.mark.parametrize(
    ("frames", "text", "habits"),
    [
        ([choices((0, "a")), choices((1, "x")), choices((0, "b")), choices((1, "y"))], "ab", ("other_choices",)),
        ([choices((0, "a"), (1, "x")), choices((1, "y"), (0, "b"))], "ab", ("other_choices",)),
        ([choices((1, "a")), choices((1, "b"))], "ab", ()),  # its only one, however it numbers it
        ([choices((None, "a")), choices(("0", "b"))], "ab", ()),
    ],
)
def test_a_second_choice_is_not_read_into_the_first(frames: list[bytes], text: str, habits: tuple[str, ...]) -> None:
    index = 1 if frames == [choices((1, "a")), choices((1, "b"))] else 0
    finish = event({"choices": [{"index": index, "delta": {}, "finish_reason": "stop"}]})
    other = event({"choices": [{"index": 2, "delta": {}, "finish_reason": "length"}]}) if habits else b""
    record, answer = got(V1_CHAT, sse(*frames, finish, other, USAGE, SENTINEL))
    assert (answer.text, record.finish_reason, record.habits) == (text, "stop", habits)
    assert record.output_chunks == 2
    assert record.usage.output_tokens == 2


@pytest.mark.parametrize(
    ("said", "what"),
    [
        ({"reasoning_details": [{"type": "reasoning.text", "text": "hm", "index": 0}]}, ("", "hm", 0)),
        ({"reasoning_details": [{"type": "reasoning.summary", "summary": "hm"}], "reasoning": None}, ("", "hm", 0)),
        ({"thinking": "hm"}, ("", "hm", 0)),
        ({"thinking_blocks": [{"type": "thinking", "thinking": "hm", "signature": "x"}]}, ("", "hm", 0)),
        ({"refusal": "no"}, ("no", "", 0)),
        ({"function_call": {"name": "f", "arguments": "{}"}}, ("", "", 1)),
    ],
)
def test_what_is_said_under_other_names_is_read(said: dict[str, Any], what: tuple[str, str, int]) -> None:
    record, answer = got(V1_CHAT, sse(event(delta(role="assistant", content="", **said)), FINISH, USAGE, SENTINEL))
    assert (answer.text, answer.thinking, len(answer.tool_calls)) == what
    assert (record.first_output_ns, record.unread_chunks) == (10 * MS, 0)


@pytest.mark.parametrize(
    ("said", "unread"),
    [
        ({"ponderings": "hm"}, 1),
        ({"audio": {"data": "UklGRg=="}}, 1),
        ({"audio": {"transcript": "hi"}}, 0),
        ({"images": [{"image_url": {"url": "data:"}}]}, 1),
        ({"reasoning_details": [{"type": "reasoning.encrypted", "data": "x"}]}, 1),
        ({"role": "assistant", "content": ""}, 0),
        ({"role": "assistant", "content": None, "annotations": [{"a": 1}], "refusal": None, "ponderings": ""}, 0),
        ({"content": "hi", "ponderings": "hm"}, 0),  # it has output
    ],
)
def test_output_under_a_name_that_nobody_reads_is_counted(said: dict[str, Any], unread: int) -> None:
    record, _ = got(V1_CHAT, sse(event(delta(**said)), FINISH, USAGE, SENTINEL))
    assert record.unread_chunks == unread


def test_so_it_is_natively() -> None:
    odd = line(message={"role": "assistant", "content": "", "ponderings": "hm"}, done=False)
    assert got(CHAT, ndjson(odd, DONE))[0].unread_chunks == 1
