"""The checks on literal answers: each fault is found, and ordinary answers pass."""

import json
from typing import Any

import pytest
from check_cases import case

from tokenswarm.metrics.checks.case import UNJUDGED, Asked, CheckResults
from tokenswarm.metrics.checks.table import CHECKS, WHITESPACE_RUN, judge
from tokenswarm.wire.values import Answer, ToolCall, Usage

SCHEMA = {"type": "object", "properties": {"name": {"type": "string"}, "age": {"type": "integer"}}, "required": ["age"]}
WEATHER: dict[str, Any] = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "parameters": {
            "type": "dict",
            "properties": {"city": {"type": "string"}, "days": {"type": "float"}, "more": {"type": "any"}},
            "required": ["city"],
        },
    },
}
ORDINARY = {
    "chinese": "机器学习是人工智能的一个分支，它研究如何让计算机从数据中学习规律。" * 2
    + "常见的方法有监督学习、无监督学习和强化学习。",
    "code": "def f(x):\n"
    + "".join(f"{' ' * 4 * depth}if x > {depth}:\n" for depth in range(1, 12))
    + " " * 48
    + "return x\n",
    "braces": "\n".join(" " * 4 * depth + "}" for depth in range(14, -1, -1)),
    "table": "| a | b |\n|---|---|\n" + "".join(f"| {n} | {n * n} |\n" for n in range(30)),
    "list": "".join(f"{n}. Item {n}\n" for n in range(1, 60)),
    "base64": "iVBORw0KGgoAAAANSUhEUgAAAAUAAAAFCAYAAACNbyblAAAAHElEQVQI12P4"
    + "A" * 80
    + "9TXL0Y4OHwAAAABJRU5ErkJggg==",
    "laughter": "That is very funny! " + "ha " * 20,
    "rule": "Title\n" + "=" * 79,
    "dots": "and so on " + "." * 60,
    "zeros": json.dumps([0] * 200),
    "song": "Row, row, row your boat,\nGently down the stream.\n" + "Merrily, merrily, merrily, merrily,\n" * 3,
    "a tag in words": "Use the <thead> and <b> tags; 3 < 4, a[think] = 1.",
    "one word": "Paris",
}


def failed(judged: CheckResults) -> list[str]:
    return [name for name, value in judged.failed.items() if value]


def test_where_no_reason_is_said_the_count_tells_what_the_limit_cut() -> None:
    for tokens, cut in ((128, True), (127, False)):
        usage = Usage(20, tokens, source="stats")
        assert judge(case("Paris", finish_reason=None, usage=usage)).failed["cut_by_limit"] == cut
    others = judge(case("Paris", finish_reason=None, usage=Usage(20, 128, source="usage")))
    assert "cut_by_limit" not in others.failed


def test_an_ordinary_answer_passes_what_applies_and_no_more() -> None:
    judged = judge(case())
    common = {"repetition", "repeat_guard", "no_visible_answer", "think_leaked", "cut_by_limit", "limit_ignored"}
    assert judged.failed == dict.fromkeys([c.name for c in CHECKS if c.name in common | {"prompt_truncated"}], 0)
    assert (judged.notes, judged.text_digest, judged.request_digest) == ("", None, None)


@pytest.mark.parametrize("text", ORDINARY.values(), ids=ORDINARY)
def test_ordinary_texts_pass(text: str) -> None:
    assert failed(judge(case(text))) == []
    assert failed(judge(case(Answer("ok", text)))) == []


@pytest.mark.parametrize("outcome", ["http_error", "timeout", "cancelled", "server_error", "refused"])
def test_a_failed_request_is_not_judged(outcome: str) -> None:
    assert judge(case("x " * 500, outcome=outcome)) is UNJUDGED
    assert judge(case("x " * 500, outcome="truncated", clean=False)) is UNJUDGED


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("The sea. " + "I am a tree. " * 20, "'I am a tree.' × 20"),
        ("好" * 200, "'好' × 200"),
        ("x" + "\n" * 300, "white space × 300"),
        ("intro " + "One line of a longer paragraph, which goes on for a while, until its end. " * 7, " × 7"),
        ("a b" * 400 + "a", " × 400"),
    ],
)
def test_endless_repetition(text: str, said: str) -> None:
    judged = judge(case(text))
    assert failed(judged) == ["repetition"]
    assert said in judged.notes
    assert said in judge(case(Answer("ok", text))).notes
    assert "in the thinking" in judge(case(Answer("ok", text))).notes


def test_a_repetition_that_the_model_itself_ended_is_none() -> None:
    assert failed(judge(case("I am a tree. " * 20 + "Now I stop."))) == []


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("Hi." + " a" * 31, 1),
        ("Hi." + "\n" * 40, 1),
        ("token" * 31, 1),
        ("a b " * 40, 1),
        (" a" * 30, 0),
        ("Hi there", 0),
    ],
)
def test_the_repeat_guard(text: str, found: int) -> None:
    """A pair of tokens that repeats looks like one token; the guard is only asked about streams that broke off."""
    assert judge(case(text, outcome="truncated", finish_reason=None)).failed["repeat_guard"] == found
    assert judge(case(text)).failed["repeat_guard"] == 0


@pytest.mark.parametrize(
    ("text", "notes"),
    [
        ('{"name": "Ann", "age": 7}', ""),
        ('{"name": "Ann", "age": "7"}', 'schema_invalid: $.age is not of type "integer"'),
        ('{"name": "Ann"}', 'schema_invalid: $: "age" is a required property'),
        ('{"age": 7', "json_invalid: Expecting ',' delimiter at 9 of 9"),
        ('{"age": NaN}', "json_invalid: NaN is no JSON"),
        ("", "json_invalid: empty; no_visible_answer: 30 tokens counted, nothing said"),
        ("[" * 100_000, "json_invalid: "),
        ('{"age": 7, "name":' + " " * 99 + '"Ann"}', ""),
        ('{"age": 7' + "\n" * 100 + "}", f"whitespace_runaway: {WHITESPACE_RUN} or more at 9 of 110"),
    ],
)
def test_json_that_was_asked_for(text: str, notes: str) -> None:
    assert judge(case(text, Asked(128, format=SCHEMA))).notes.startswith(notes)
    assert bool(judge(case(text, Asked(128, format=SCHEMA))).notes) == bool(notes)


def test_json_cut_by_the_limit_says_so() -> None:
    judged = judge(case('{"age": ', Asked(128, format="json"), finish_reason="length"))
    assert failed(judged) == ["json_invalid", "cut_by_limit"]
    assert "cut by the limit" in judged.notes
    assert "schema_invalid" not in judged.failed


def test_without_a_format_json_is_nobodys_business() -> None:
    judged = judge(case('{"age": '))
    assert not {"json_invalid", "schema_invalid", "whitespace_runaway"} & set(judged.failed)


@pytest.mark.parametrize(
    ("answer", "finish", "tools", "note"),
    [
        (Answer("", "Let me see"), "length", (), "thinking cut by the limit"),
        (Answer("", "Let me see"), "stop", (), "thinking never closed"),
        (Answer(), "stop", (WEATHER,), "a tool call was dropped"),
        (Answer(), "length", (), "nothing said before the limit"),
        (Answer(" \n"), "stop", (), "30 tokens counted, only white space"),
        (Answer(" \n"), "stop", (WEATHER,), "30 tokens counted, only white space"),
        (Answer(" \n"), "length", (WEATHER,), "only white space before the limit"),
    ],
)
def test_no_visible_answer(answer: Answer, finish: str, tools: Any, note: str) -> None:
    judged = judge(case(answer, Asked(128, tools=tools), finish_reason=finish))
    assert judged.failed["no_visible_answer"] == 1
    assert note in judged.notes
    assert judged.failed.get("think_unclosed") == (1 if answer.thinking else None)


def test_an_empty_answer_of_which_nothing_was_counted_is_a_load_request() -> None:
    assert "no_visible_answer" not in judge(case("", usage=Usage())).failed


def test_leaked_tags() -> None:
    assert failed(judge(case(Answer("4", "2 + 2", tagged=True)))) == ["think_leaked"]
    assert failed(judge(case("4</think>"))) == ["think_leaked"]
    assert failed(judge(case("4<|im_end|>"))) == ["think_leaked"]
    assert failed(judge(case(Answer("4", "2 + 2")))) == []


def test_limits() -> None:
    assert judge(case(finish_reason="length")).notes == "cut_by_limit: 30 tokens"
    for word, limit, cut in (("max_tokens", 128, 1), ("max_output_tokens", 128, 1), ("end_turn", 30, 0)):
        assert judge(case(asked=Asked(limit), finish_reason=word)).failed["cut_by_limit"] == cut
    # Ollama's /v1/responses says "completed" of a cut answer, too: its count tells.
    for limit, cut in ((30, 1), (31, 0)):
        assert judge(case(asked=Asked(limit), finish_reason="completed")).failed["cut_by_limit"] == cut
    over = judge(case(asked=Asked(29)))
    assert (failed(over), over.notes) == (["limit_ignored"], "limit_ignored: 30 tokens, 29 allowed")
    assert failed(judge(case(asked=Asked(30)))) == []
    assert failed(judge(case(asked=Asked(-1)))) == []


ENGLISH = "The quick brown fox jumps over the lazy dog near the river bank. " * 80  # 1,040 words, 1,100 tokens or more


@pytest.mark.parametrize(
    ("text", "tokens", "more", "note"),
    [
        (ENGLISH, 131, {}, "131 tokens of 728 or more"),
        (ENGLISH, 1041, {}, ""),
        (ENGLISH, 728, {}, ""),
        ("机器学习是人工智能的一个分支。" * 100, 300, {}, "300 tokens of 375 or more"),
        ("机器学习是人工智能的一个分支。" * 100, 800, {}, ""),
        ("Машинное обучение это раздел. " * 100, 420, {}, ""),
        ("x" * 10_000, 20, {}, ""),  # one word: it might be one token
        (" " * 10_000 + "Hi", 3, {}, ""),
        ("🙂" * 500, 500, {}, ""),
        (ENGLISH, 900, {"num_ctx": 512}, "728 tokens or more, num_ctx 512"),
        ("Hi there", 20, {"num_ctx": 16}, ""),  # padded to 256 by the server
        ("Hi", 131, {"before": 250}, "131 tokens, 250 the turn before"),
        ("Hi", 245, {"before": 250}, ""),  # a template's mark or two may go
        ("Hi", 20, {"context_tokens": 400}, "20 tokens of 360 or more"),
        ("Hi", 410, {"context_tokens": 400}, ""),
    ],
)
def test_a_prompt_that_was_cut(text: str, tokens: int, more: dict[str, int], note: str) -> None:
    judged = judge(case(asked=Asked(128, text, **more), usage=Usage(tokens, 30)))  # type: ignore[arg-type]
    assert judged.notes == (note and f"prompt_truncated: {note}")
    assert judged.failed["prompt_truncated"] == bool(note)


def test_a_system_message_that_the_template_drops_is_named() -> None:
    system, question = "word " * 200, "What is the capital of France, and why?"
    asked = Asked(128, f"{system}\n\n{question}", system=system)
    assert "(a bare {{ .Prompt }} drops it)" in judge(case(asked=asked, usage=Usage(12, 30))).notes
    assert "template" not in judge(case(asked=asked, usage=Usage(3, 30))).notes  # the question was cut, too
    assert judge(case(asked=asked, usage=Usage(220, 30))).failed["prompt_truncated"] == 0


@pytest.mark.parametrize(
    ("name", "arguments", "notes"),
    [
        ("get_weather", {"city": "Rome", "days": 1.5, "more": None}, ""),
        ("get_weather", '{"city": "Rome", "days": 2}', ""),
        ("get_weather", '{"city": "Ro', "tool_call_invalid: get_weather: no JSON: Unterminated string"),
        ("get_weather", "", "tool_call_invalid: get_weather: no JSON"),
        ("get_weather", '["Rome"]', "tool_call_invalid: get_weather: the arguments are no object"),
        ("get_weather", None, "tool_call_invalid: get_weather: the arguments are no object"),
        ("get_weather", {"days": 1}, 'tool_call_invalid: get_weather: $: "city" is a required property'),
        (
            "get_weather",
            {"city": "Rome", "days": "two"},
            'tool_call_invalid: get_weather: $.days is not of type "number"',
        ),
        ("get_wetter", {"city": "Rome"}, "tool_unknown: 'get_wetter'"),
    ],
)
def test_tool_calls(name: str, arguments: object, notes: str) -> None:
    judged = judge(case(Answer(tool_calls=(ToolCall(0, "x", name, arguments),)), Asked(128, tools=(WEATHER,))))
    assert judged.notes.startswith(notes)
    assert bool(judged.notes) == bool(notes)


def test_a_tool_with_an_unreadable_schema_leaves_its_calls_unchecked() -> None:
    tool = {"function": {"name": "f", "parameters": {"$ref": "http://127.0.0.1:9/schema.json"}}}
    judged = judge(case(Answer(tool_calls=(ToolCall(0, "", "f", {}),)), Asked(128, tools=(tool,))))
    assert failed(judged) == []


def test_digests_tell_texts_apart_and_nothing_else() -> None:
    def digests(answer: Answer, request: bytes = b"{}") -> tuple[str | None, str | None]:
        judged = judge(case(answer, Asked(128, request=request)))
        return judged.text_digest, judged.request_digest

    one = Answer(tool_calls=(ToolCall(0, "call_1", "f", {"a": 1, "b": 2}),))
    other = Answer(tool_calls=(ToolCall(0, "call_2", "f", '{"b": 2, "a": 1}'),))
    assert digests(one) == digests(other)
    assert digests(Answer("yes")) != digests(Answer("no"))
    assert digests(Answer("yes"))[0] == digests(Answer("yes"), b"[]")[0]
    assert digests(Answer("yes"))[1] != digests(Answer("yes"), b"[]")[1]
    assert digests(Answer("yes"), b"") == digests(Answer()) == (None, None)


def test_notes_are_short() -> None:
    asked = Asked(1, ENGLISH, tools=(WEATHER,), expect=(("contains", "y" * 500), ("equals", "z")))
    judged = judge(case(Answer("x " * 3000, "x " * 3000, tagged=True), asked, finish_reason="length"))
    assert len(judged.notes) <= 200
    assert len(failed(judged)) >= 5


def test_it_pauses_after_each_check_that_applies() -> None:
    pauses: list[None] = []
    judged = judge(case(), lambda: pauses.append(None))
    assert 0 < len(pauses) == len(judged.failed) < len(CHECKS)
