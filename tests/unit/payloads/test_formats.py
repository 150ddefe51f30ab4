"""Files that users already have: each format by hand in its real shape."""

import base64
from pathlib import Path

import orjson
import pytest

from tokenswarm.payloads.corpus import read_corpus
from tokenswarm.payloads.prompt import Message, Prompt, Turn

PIXEL = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)
WEATHER = {"name": "weather", "description": "Tell it.", "parameters": {"type": "object", "properties": {}}}


def user(text: str, *images: str) -> Message:
    return Message("user", text, images)


def answer(text: str) -> Message:
    return Message("assistant", text)


def read(folder: Path, *lines: object, name: str = "mine.jsonl") -> tuple[Prompt, ...]:
    path = folder / name
    path.write_bytes(b"\n".join(line.encode() if isinstance(line, str) else orjson.dumps(line) for line in lines))
    return read_corpus(path)


# Request bodies


def test_an_openai_batch_line_asks_what_its_body_asks(tmp_path: Path) -> None:
    body = {
        "model": "gpt-4o-mini",
        "messages": [
            {"role": "developer", "content": "Be short."},
            {
                "role": "user",
                "content": [
                    {"type": "text", "text": "What is it?"},
                    {"type": "image_url", "image_url": {"url": "https://example.org/cat.png", "detail": "low"}},
                    {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}},
                ],
            },
        ],
        "max_completion_tokens": 64,
        "temperature": 0.5,
        "stop": "END",
        "stream": True,
        "stream_options": {"include_usage": True},
        "user": "u1",
        "tools": [{"type": "function", "function": WEATHER}],
        "response_format": {"type": "json_schema", "json_schema": {"name": "x", "schema": {"type": "object"}}},
    }
    (prompt,) = read(tmp_path, {"custom_id": "r-1", "method": "POST", "url": "/v1/chat/completions", "body": body})
    assert prompt == Prompt(
        id="r-1",
        messages=(Message("system", "Be short."), user("What is it?", "https://example.org/cat.png", "AAAA")),
        max_tokens=64,
        options={"temperature": 0.5, "stop": ["END"]},
        format={"type": "object"},
        fields={"user": "u1"},
        tools=({"type": "function", "function": WEATHER},),
    )


def test_bodies_of_the_other_endpoints(tmp_path: Path) -> None:
    generate, completions, embeddings = read(
        tmp_path,
        {"model": "m", "prompt": "Hi", "system": "S", "options": {"num_predict": 7, "seed": 1}, "keep_alive": "10m"},
        {"payload": {"prompt": ["Once"], "max_tokens": 5, "response_format": {"type": "json_object"}}},
        {"custom_id": "e", "url": "/v1/embeddings", "body": {"model": "m", "input": ["a", "b"], "dimensions": 8}},
    )
    assert (generate.messages, generate.max_tokens) == ((Message("system", "S"), user("Hi")), 7)
    assert (dict(generate.options), dict(generate.fields)) == ({"seed": 1}, {"keep_alive": "10m"})
    assert (completions.text, completions.max_tokens, completions.format) == ("Once", 5, "json")
    assert (embeddings.inputs, dict(embeddings.fields)) == (("a", "b"), {"dimensions": 8})


def test_payloads_are_a_session_of_bodies_each_with_the_history(tmp_path: Path) -> None:
    first = [{"role": "user", "content": "1"}]
    second = [*first, {"role": "assistant", "content": "one"}, {"role": "user", "content": "2"}]
    (prompt,) = read(tmp_path, {"payloads": [{"messages": first}, {"messages": second, "max_tokens": 9}]})
    assert prompt.messages == (user("1"),)
    assert prompt.then == (Turn((user("2"),), answer("one"), max_tokens=9),)


# Messages


def test_messages_with_tool_calls_and_results_in_both_dialects(tmp_path: Path) -> None:
    openai = [
        {"role": "user", "content": "Weather?"},
        {
            "role": "assistant",
            "content": None,
            "tool_calls": [
                {"id": "c1", "type": "function", "function": {"name": "weather", "arguments": '{"city": "Rome"}'}}
            ],
        },
        {"role": "tool", "tool_call_id": "c1", "name": "weather", "content": "sunny"},
    ]
    ollama = [
        openai[0],
        {"role": "assistant", "tool_calls": [{"function": {"name": "weather", "arguments": {"city": "Rome"}}}]},
        {"role": "tool", "tool_name": "weather", "content": "sunny"},
    ]
    one, two, bare = read(tmp_path, {"messages": openai}, {"messages": ollama}, openai)
    call = {"id": "c1", "name": "weather", "arguments": {"city": "Rome"}}
    assert one.messages == bare.messages
    assert one.messages == (
        user("Weather?"),
        Message("assistant", tool_calls=(call,)),
        Message("tool", "sunny", tool_name="weather", tool_call_id="c1"),
    )
    assert two.messages[1].tool_calls == ({**call, "id": ""},)
    assert two.messages[2] == Message("tool", "sunny", tool_name="weather")


def test_images_are_read_once_and_shared(tmp_path: Path) -> None:
    (tmp_path / "pixel.png").write_bytes(PIXEL)
    encoded = base64.b64encode(PIXEL).decode()
    one, two, three = read(
        tmp_path,
        {"prompt": "What?", "images": ["pixel.png"]},
        {"text": "And?", "image": "pixel.png"},
        {"messages": [{"role": "user", "content": "", "images": [encoded]}]},
    )
    assert one.messages == (user("What?", encoded),)
    assert two.messages[0].images[0] is one.messages[0].images[0]
    assert three.messages[0].images == (encoded,)


# Conversations


def test_sharegpt_in_one_array_is_a_session_without_what_nobody_asked(tmp_path: Path) -> None:
    said = [("gpt", "Hello!"), ("human", "1"), ("gpt", "one"), ("human", "2"), ("gpt", "two"), ("human", " ")]
    rows = [
        {"id": "abc", "conversations": [{"from": who, "value": text} for who, text in said], "lang": "en"},
        {"id": "none", "conversations": []},
        {"conversations": [{"from": "system", "value": "S"}, {"from": "user", "value": "3"}]},
    ]
    for text in (orjson.dumps(rows), orjson.dumps(rows, option=orjson.OPT_INDENT_2)):
        one, two = read(tmp_path, text.decode(), name="sharegpt.json")
        assert (one.id, one.messages, one.then) == ("abc", (user("1"),), (Turn((user("2"),), answer("one")),))
        assert (two.id, two.messages) == ("sharegpt:3", (Message("system", "S"), user("3")))


def test_turns_of_texts_and_of_objects(tmp_path: Path) -> None:
    aiperf = [
        {"text": "1", "image": "AAAA", "max_tokens": 5},
        {"role": "assistant", "text": "one"},
        {"texts": ["2", "two"], "delay": 1500, "output_length": 7},
    ]
    bench, session, ours = read(
        tmp_path,
        {"question_id": 81, "category": "writing", "turns": ["Write.", "Shorten."], "reference": ["x"]},
        {"session_id": "s1", "turns": aiperf, "system": "S"},
        {
            "keep_alive": "10m",
            "fields": {"raw": True},
            "prompt": "1",
            "then": [{"prompt": "2", "answer": "one", "delay_s": 0.5}, "3"],
            "tags": ["t"],
        },
    )
    assert (bench.id, bench.messages, bench.then) == ("81", (user("Write."),), (Turn((user("Shorten."),)),))
    assert (session.id, session.max_tokens) == ("s1", 5)
    assert session.messages == (Message("system", "S"), user("1", "AAAA"))
    assert session.then == (Turn((user("2\n\ntwo"),), answer("one"), 7, 1.5),)
    assert dict(ours.fields) == {"keep_alive": "10m", "raw": True}
    assert ours.then == (Turn((user("2"),), answer("one"), None, 0.5), Turn((user("3"),)))


def test_bfcl_becomes_messages_and_tools(tmp_path: Path) -> None:
    properties = {"x": {"type": "float"}, "type": {"type": "any"}, "all": {"type": "tuple", "items": {"type": "dict"}}}
    function = {"name": "math.hypot", "parameters": {"type": "dict", "properties": properties, "required": ["x"]}}
    asked = [[{"role": "user", "content": "1"}], [], [{"role": "user", "content": "2"}]]
    (prompt,) = read(tmp_path, {"id": "simple_0", "question": asked, "function": [function]})
    assert (prompt.id, prompt.messages, prompt.then) == ("simple_0", (user("1"),), (Turn((user("2"),)),))
    assert prompt.tools[0]["function"] == {
        "name": "math_hypot",
        "parameters": {
            "type": "object",
            "properties": {"x": {"type": "number"}, "type": {}, "all": {"type": "array", "items": {"type": "object"}}},
            "required": ["x"],
        },
    }


# Questions, tables, lines


@pytest.mark.parametrize(
    ("line", "text", "max_tokens"),
    [
        ({"text": "A", "output_tokens": 3, "category": "x"}, "A", 3),
        ({"question": "A", "options": ["yes", "no"], "output_tokens_count": 4}, "A", 4),
        ({"instruction": "A", "input": "B", "output": "C", "output_length": 5}, "A\n\nB", 5),
        ({"instruction": "A", "input": "", "output": "C"}, "A", None),
        ({"input": "A", "max_completion_tokens": 6}, "A", 6),
        ({"prompt": "A", "max_tokens": 7}, "A", 7),
    ],
)
def test_a_question_by_any_name(tmp_path: Path, line: object, text: str, max_tokens: int | None) -> None:
    (prompt,) = read(tmp_path, line)
    assert (prompt.text, prompt.max_tokens, dict(prompt.options)) == (text, max_tokens, {})


def test_csv_by_its_header(tmp_path: Path) -> None:
    rows = ("prompt, max_tokens,options,tags,category", '"a, b\nc",9,"{""seed"": 1}",x y,z', ",,,,", "7,,,,")
    one, two = read(tmp_path, "\ufeff" + rows[0], *rows[1:], name="mine.csv")
    assert (one.id, one.text, one.max_tokens) == ("mine:1", "a, b\nc", 9)
    assert (dict(one.options), one.tags) == ({"seed": 1}, ("x", "y"))
    assert (two.text, two.max_tokens) == ("7", None)
    (three,) = read(tmp_path, "question_id\tquestion", "4\tWhy?", name="mine.tsv")
    assert (three.id, three.text) == ("4", "Why?")


def test_a_text_file_holds_a_prompt_a_line(tmp_path: Path) -> None:
    assert [one.text for one in read(tmp_path, "# one", "", " two \r", name="a.TXT")] == ["# one", "two"]


def test_one_object_or_conversation_may_fill_a_file(tmp_path: Path) -> None:
    assert read(tmp_path, "{", '"prompt": "a"', "}", name="a.json")[0].text == "a"
    assert read(tmp_path, "[", '{"role": "user", "content": "b"}', "]", name="b.json")[0].text == "b"
    assert [one.text for one in read(tmp_path, [{"prompt": "c"}, {"text": "d"}])] == ["c", "d"]
    assert [one.text for one in read(tmp_path, *[[{"role": "user", "content": text}] for text in "ef"])] == ["e", "f"]
