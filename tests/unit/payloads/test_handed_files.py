"""Files as people have them: each kind by the shape that was handed to us, and what is sent of it."""

import bz2
import gzip
import json
import lzma
from pathlib import Path
from typing import Any

import duckdb
import orjson
import pytest
import zstandard

from tokenswarm.payloads.conversation import Conduct, next_turn
from tokenswarm.payloads.corpus import PayloadError, load, read_corpus
from tokenswarm.payloads.prompt import Message, Prompt

TOOL = {"name": "w", "description": "d", "parameters": {"type": "object", "properties": {}}}
SHAREGPT_TOOLS = {
    "conversations": [
        {"from": "human", "value": "weather?"},
        {"from": "function_call", "value": '{"name":"w","arguments":{}}'},
        {"from": "observation", "value": "sunny"},
        {"from": "gpt", "value": "It is sunny"},
        {"from": "human", "value": "thanks"},
    ],
    "tools": json.dumps([TOOL]),
    "system": "S",
}


def read(folder: Path, name: str, data: object) -> tuple[Prompt, ...]:
    path = folder / name
    path.write_bytes(
        data if isinstance(data, bytes) else data.encode() if isinstance(data, str) else orjson.dumps(data)
    )
    return tuple(read_corpus(path))


def texts(prompts: tuple[Prompt, ...]) -> list[str]:
    return [prompt.text for prompt in prompts]


# What a question is about


@pytest.mark.parametrize(
    ("line", "sent"),
    [
        ({"instruction": "When?", "context": "X was in 1990.", "response": "1990"}, "X was in 1990.\n\nWhen?"),
        ({"instruction": "Name two.", "context": "", "response": "a, b"}, "Name two."),
        ({"input": "Who?", "context": "A book.", "answers": ["Ann"], "_id": "q7"}, "A book.\n\nWho?"),
        ({"input": "", "context": "A report.", "answers": ["…"]}, "A report."),
        ({"question": "Who?", "contexts": ["One.", "Two."]}, "One.\n\nTwo.\n\nWho?"),
        ({"question": "Is it?", "passage": "It is."}, "It is.\n\nIs it?"),
        ({"prompt": "Who?", "context": "Ann did."}, "Ann did.\n\nWho?"),
        ({"turns": ["Who?", "And now?"], "context": "Ann did."}, "Ann did.\n\nWho?"),
    ],
)  # fmt: skip
def test_a_question_is_sent_with_what_it_is_about(tmp_path: Path, line: object, sent: str) -> None:
    assert texts(read(tmp_path, "a.jsonl", line)) == [sent]


def test_a_context_that_cannot_be_sent_refuses_the_file(tmp_path: Path) -> None:
    with pytest.raises(PayloadError, match="context is an object; only texts can be sent with their question"):
        read(tmp_path, "hotpot.jsonl", {"question": "Who?", "context": {"title": ["A"], "sentences": [["B"]]}})


# Conversations


@pytest.mark.parametrize("calls", [{}, {"tool_calls": [{"function": {"name": "w", "arguments": "{}"}}]}])
def test_messages_to_train_by_are_asked_without_the_answer(tmp_path: Path, calls: dict[str, object]) -> None:
    asked = [{"role": "system", "content": "S"}, {"role": "user", "content": "U"}]
    answered = [*asked, {"role": "assistant", "content": "A", **calls}]
    for given in ({"messages": answered}, answered):
        (prompt,) = read(tmp_path, "ft.jsonl", given)
        assert prompt.messages == (Message("system", "S"), Message("user", "U"))
    with pytest.raises(PayloadError, match="messages ask nothing"):
        read(tmp_path, "ft.jsonl", {"messages": answered[2:]})
    # A request body is sent as it stands: there it is the beginning of the answer, for the model to go on from.
    (prompt,) = read(tmp_path, "batch.jsonl", {"body": {"model": "m", "messages": answered}})
    assert prompt.messages[-1].role == "assistant"


@pytest.mark.parametrize("who", ["gpt", "bing", "bard", "chatgpt", "claude", "assistant", "model"])
def test_sharegpts_answers_bear_many_names(tmp_path: Path, who: str) -> None:
    said = [{"from": "human", "value": "Q1"}, {"from": who, "value": "A1"}, {"from": "human", "value": "Q2"}]
    (prompt,) = read(tmp_path, "s.json", [{"id": "a", "conversations": said}])
    assert (prompt.id, prompt.text, prompt.then[0].answer) == ("a", "Q1", Message("assistant", "A1"))


def test_sharegpts_tools_are_offered_called_and_answered(tmp_path: Path) -> None:
    (prompt,) = read(tmp_path, "s.json", [SHAREGPT_TOOLS])
    assert prompt.messages == (Message("system", "S"), Message("user", "weather?"))
    assert prompt.tools == ({"type": "function", "function": TOOL},)
    # Whatever the model said, the file's result follows the file's call; then its own words count again.
    second = next_turn(prompt, (Message("assistant", "I do not know."),), Conduct())
    call, result = second.messages[2:]
    assert (call.role, [one["name"] for one in call.tool_calls]) == ("assistant", ["w"])
    assert result == Message("tool", "sunny", tool_name="w", tool_call_id="call_0")
    third = next_turn(second, (Message("assistant", "Sunny."),), Conduct())
    assert third.messages[4:] == (Message("assistant", "Sunny."), Message("user", "thanks"))


def test_two_results_answer_their_calls_together(tmp_path: Path) -> None:
    calls = json.dumps([{"name": "a", "arguments": {}}, {"name": "b", "arguments": '{"x": 1}'}])
    said = [("human", "Q"), ("function_call", calls), ("observation", "1"), ("observation", "2"), ("gpt", "Both.")]
    (prompt,) = read(tmp_path, "s.json", [{"conversations": [{"from": who, "value": what} for who, what in said]}])
    (turn,) = prompt.then
    assert [(one.content, one.tool_name, one.tool_call_id) for one in turn.messages] == [
        ("1", "a", "call_0"),
        ("2", "b", "call_1"),
    ]


# Packed, wrapped, parted by semicolons

LINES = b'{"prompt": "a"}\n{"prompt": "b"}\n'


@pytest.mark.parametrize("pack", [gzip.compress, zstandard.compress])
@pytest.mark.parametrize("name", ["mine.jsonl.gz", "mine.jsonl.zst", "mine.jsonl"])
def test_packed_files_are_known_by_their_bytes(tmp_path: Path, pack: object, name: str) -> None:
    prompts = read(tmp_path, name, pack(LINES))  # type: ignore[operator]
    assert [prompt.id for prompt in prompts] == ["mine:1", "mine:2"]
    assert texts(read(tmp_path, "mine.csv.gz", gzip.compress(b"prompt\na\n") + gzip.compress(b"b\n"))) == ["a", "b"]
    with pytest.raises(PayloadError, match=r"cut\.jsonl: no whole (gzip|zstd) file: .*; pack it again"):
        read(tmp_path, "cut.jsonl", pack(LINES * 9)[:-9])  # type: ignore[operator]


def test_parquet_is_read_with_its_nested_columns(tmp_path: Path) -> None:
    path = tmp_path / "p[1]*.parquet"
    with duckdb.connect() as made:
        made.execute(
            "COPY (SELECT [{'role': 'user', 'content': 'é ' || i}] AS messages, 5 + i AS max_tokens, NULL AS weight"
            f" FROM range(600) t(i)) TO '{tmp_path}/made.parquet' (FORMAT parquet)"
        )
    (tmp_path / "made.parquet").rename(path)
    prompts = read_corpus(path)
    assert [(prompt.text, prompt.max_tokens) for prompt in prompts] == [(f"é {i}", 5 + i) for i in range(600)]
    path.write_bytes(b"PAR1 and no more")
    with pytest.raises(PayloadError, match="no whole Parquet file"):
        read_corpus(path)


@pytest.mark.parametrize(
    "whole",
    [
        {"data": [{"prompt": "a"}, {"prompt": "b"}]},
        {"version": "1.1", "examples": [{"prompt": "a"}, {"prompt": "b"}], "tags": []},
        {"rows": [{"row_idx": n, "row": {"prompt": text}, "truncated_cells": []} for n, text in enumerate("ab")]},
    ],
)
@pytest.mark.parametrize("indent", [None, 2])
def test_an_array_in_an_object_is_the_files_array(tmp_path: Path, whole: object, indent: int | None) -> None:
    assert texts(read(tmp_path, "w.json", json.dumps(whole, indent=indent))) == ["a", "b"]


@pytest.mark.parametrize("mark", [",", ";", "\t"])
@pytest.mark.parametrize("start", ["", "\ufeff"])
def test_a_table_is_parted_by_what_its_header_is_parted_by(tmp_path: Path, mark: str, start: str) -> None:
    rows = (f'{start}prompt;max_tokens\n"Hallo, wie geht\'s; gut?";20\n').replace("prompt;", f"prompt{mark}")
    (prompt,) = read(tmp_path, "excel.csv", rows.replace('";', f'"{mark}'))
    assert (prompt.text, prompt.max_tokens) == ("Hallo, wie geht's; gut?", 20)


# Errors and names


def test_an_error_names_the_columns_that_were_found(tmp_path: Path) -> None:
    with pytest.raises(PayloadError, match=r":2: neither prompt .*; there are only act, topic \(empty\)$"):
        read(tmp_path, "a.csv", "act,topic\nfoo,\n")
    with pytest.raises(
        PayloadError, match=r": item 1: neither prompt nor messages; .* there are only title, paragraphs$"
    ):
        read(tmp_path, "squad.json", {"data": [{"title": "T", "paragraphs": []}]})


def test_prompt_ids_tell_files_apart(tmp_path: Path) -> None:
    files = [tmp_path / name for name in ("a.jsonl", "a.csv", "b.jsonl")]
    for file in files:
        folder = file.parent
        folder.mkdir(exist_ok=True)
        file.write_text('{"prompt": "x"}\n' if file.suffix == ".jsonl" else "prompt\nx\n")
    files[2].write_text('{"prompt": "x", "id": "a:1"}\n')
    ids = [prompt.id for prompt in load(",".join(map(str, files)))]
    assert ids == ["a:1", f"{files[1]}:1", f"{files[2]}:a:1"]


# As other programs write them


AS_LINES = '{"prompt": "Grüße"}\n{"prompt": "二"}\n'
TABLE = 'prompt;answer\n"Grüße";x\n二;y\n'


@pytest.mark.parametrize("large", [False, True])
@pytest.mark.parametrize(
    ("name", "data", "end"),
    [
        ("a.jsonl", lambda text: text.encode("utf-16"), AS_LINES),
        ("a.jsonl", lambda text: b"\xfe\xff" + text.encode("utf-16-be"), AS_LINES),
        ("a.jsonl", lambda text: gzip.compress(text.encode("utf-16")), AS_LINES),
        ("a.jsonl.bz2", lambda text: bz2.compress(text.encode()), AS_LINES),
        ("a", lambda text: lzma.compress(text.encode()), AS_LINES),
        ("a.csv.xz", lambda text: lzma.compress(text.encode()), TABLE),
        ("a.csv", lambda text: text.replace(";", "\t").encode("utf-16"), TABLE),
        ("a.csv", lambda text: ("sep=;\r\n" + text).encode(), TABLE),
        ("a.csv", lambda text: ("sep=|\n" + text.replace(";", "|")).encode(), TABLE),
    ],
)
def test_files_as_other_programs_write_them(tmp_path: Path, name: str, data: Any, end: str, large: bool) -> None:
    more, other = 300 if large else 0, "one of many more " * 300
    text = end + (f'{{"prompt": "{other}"}}\n' if end is AS_LINES else f"{other};z\n") * more
    prompts = read(tmp_path, name, data(text))
    assert [prompt.text for prompt in prompts[:2]] == ["Grüße", "二"]
    assert len(prompts) == 2 + more


@pytest.mark.parametrize(
    ("name", "data", "why"),
    [
        ("a.jsonl", b"PK\x03\x04\x14\x00", "is a zip archive; unpack it"),
        ("a.jsonl", b"version https://git-lfs.github.com/spec/v1\noid sha256:abc\n", "is a Git LFS pointer"),
        ("a.jsonl", b"\n<!DOCTYPE html><html>", "is an HTML page, not the file itself"),
        ("a.jsonl.gz", gzip.compress(gzip.compress(AS_LINES.encode())), "is packed twice (gzip within gzip)"),
        ("a.xz", lzma.compress(AS_LINES.encode())[:-9], "no whole xz file"),
        ("a.jsonl", b"\xff\xfe{\x00\x00\xd8", "begins as UTF-16, and is not"),
        ("a.csv", b"Question,Answer\na,b\n", "only Question, Answer; --columns prompt=Question asks that one"),
        ("a.csv", b"prompt,prompt\na,b\n", ":1: 2 columns are named prompt; rename all but one"),
        ("a.csv", b"sep=;\nprompt;answer\na;b;c\n", ":3: 3 cells under 2 names"),
    ],
)
def test_what_is_no_payload_is_called_by_its_name(tmp_path: Path, name: str, data: bytes, why: str) -> None:
    with pytest.raises(PayloadError) as error:
        read(tmp_path, name, data)
    assert why in str(error.value)


def test_a_line_of_text_may_look_like_a_page(tmp_path: Path) -> None:
    assert texts(read(tmp_path, "a.txt", "<html> what does this tag do?\n")) == ["<html> what does this tag do?"]


# Lines of public data sets, by their first fields


def asked(prompts: tuple[Prompt, ...]) -> list[tuple[str, str]]:
    return [(message.role, message.content) for prompt in prompts for message in prompt.messages]


@pytest.mark.parametrize(
    ("line", "sent"),
    [
        ({"id": "n", "system_prompt": "S", "question": "Q", "response": "A"}, [("system", "S"), ("user", "Q")]),
        (
            {"instruction": "Q", "input": "", "output": "A", "history": [["h", "a"], ["i", "b"]]},
            [("user", "h"), ("assistant", "a"), ("user", "i"), ("assistant", "b"), ("user", "Q")],
        ),
        ({"instruction": "Q", "input": "", "output": "A", "history": []}, [("user", "Q")]),
        ({"question": "Q", "choices": ["a", "b"], "answer": 1}, [("user", "Q\n\nA. a\nB. b")]),
        (
            {"question": "Q", "choices": {"text": ["a", "b"], "label": ["1", "2"]}, "answerKey": "1"},
            [("user", "Q\n\n1. a\n2. b")],
        ),
        ({"prompt": "Q", "completion": "A"}, [("user", "Q")]),
        ({"prompt": "Q", "chosen": "A", "rejected": "B", "source": "x"}, [("user", "Q")]),
        ({"task_id": "H/0", "prompt": "def f():", "canonical_solution": "x", "test": "y"}, [("user", "def f():")]),
    ],
)
def test_lines_of_public_data_sets(tmp_path: Path, line: object, sent: list[tuple[str, str]]) -> None:
    assert asked(read(tmp_path, "a.jsonl", line)) == sent


def test_what_of_them_cannot_be_sent_is_refused(tmp_path: Path) -> None:
    for line, why in (
        ({"instruction": "Q", "history": ["h", "a"]}, "history is a list; make it pairs of question and answer"),
        ({"title": "T", "body": "B"}, "neither prompt nor messages; give one of them; there are only title, body"),
    ):
        with pytest.raises(PayloadError) as error:
            read(tmp_path, "a.jsonl", line)
        assert why in str(error.value)
