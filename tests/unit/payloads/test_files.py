"""Payload files as a whole: mistakes in one line, the documentation's examples, the real files where they are."""

import base64
import json
import re
from pathlib import Path

import orjson
import pytest
from shared_data import beside

from tokenswarm.payloads.corpus import PayloadError, load, read_corpus
from tokenswarm.payloads.formats.lengths import OUTPUT, TRACE_INPUT
from tokenswarm.payloads.formats.own import FIELDS
from tokenswarm.payloads.prompt import Prompt


def read(folder: Path, text: str, name: str) -> tuple[Prompt, ...]:
    (folder / name).write_text(text, encoding="utf-8")
    return read_corpus(folder / name)


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("a.jsonl", '{"conversatons": []}', ':1: unknown field "conversatons"; did you mean conversations?'),
        ("a.jsonl", '{"prompt": "a", "keep_aliv": 5}', ':1: unknown field "keep_aliv"; did you mean keep_alive?'),
        ("a.jsonl", '{"body": {"max_tokens": 3}}', ":1: the body has neither messages, prompt nor input; give one"),
        ("a.jsonl", '{"payload": 3}', ":1: payload is 3; make it a request body"),
        (
            "a.jsonl",
            '{"conversations": [{"from": "robot", "value": "a"}]}',
            ':1: conversations[0].role is "robot"; use',
        ),
        ("a.jsonl", '{"turns": [{"speech": "a"}]}', ":1: turns[0] has no text; add it"),
        ("a.jsonl", '{"prompt": "a", "images": ["no.png"]}', ':1: images[0] is "no.png": no such file in '),
        ("a.jsonl", '{"text": "a", "output_tokens": 0}', ":1: output_tokens is 0; make it a whole number above 0"),
        (
            "a.jsonl",
            '{"prompt": "a", "then": [{"text": "b", "delay": -1}]}',
            ":1: then[0].delay is -1; make it a number",
        ),
        ("a.json", '[\n{"prompt": "a"},\n{"prompt": }\n]', ":3: not JSON: "),
        ("a.json", '[\n{"prompt": "a"},\n{"promt": "b"}\n]', ': item 2: unknown field "promt"; did you mean prompt?'),
        ("a.json", '{"conversations": [], "id": "x"}', ": no prompts; write one JSON object a line"),
        (
            "a.csv",
            "prompt,max_tokens\na,b,c",
            ":2: 3 cells under 2 names; put texts that hold a comma in double quotes",
        ),
        ("a.csv", "prompt,max_token\na,5", ':2: unknown column "max_token"; did you mean max_tokens?'),
        ("a.csv", 'prompt\n"a', ":2: not CSV: "),
        ("a.csv", "act,text\nfoo,", ":2: neither prompt nor messages; give one of them"),
        ("a.csv", "", ": no prompts; "),
    ],
)
def test_a_mistake_is_told_in_one_line(tmp_path: Path, name: str, text: str, said: str) -> None:
    with pytest.raises(PayloadError) as caught:
        read(tmp_path, text, name)
    assert str(caught.value).startswith(f"{tmp_path / name}{said}")
    assert "\n" not in str(caught.value)
    # What the web form is told instead: where it is, and nothing that the file holds.
    place = caught.value.place
    assert place == ("" if ": no prompts" in said else f"{tmp_path / name}{said.partition(': ')[0] or ': item 2'}")


def test_images_lie_beside_the_payload_file(tmp_path: Path) -> None:
    folder = tmp_path / "files"
    (folder / "deep").mkdir(parents=True)
    (tmp_path / "files-of-others").mkdir()
    for name in ("files/a.png", "files/deep/b.png", "secret.png", "files-of-others/c.png"):
        (tmp_path / name).write_bytes(b"any")
    (folder / "near").symlink_to("deep/b.png")
    (folder / "out").symlink_to("../secret.png")
    (folder / "away").symlink_to("../files-of-others")
    (folder / "round.png").symlink_to("round.png")
    (folder / "zero.png").symlink_to("/dev/zero")

    def image(name: str) -> Prompt:
        (prompt,) = read(folder, json.dumps({"prompt": "What?", "images": [name]}), "p.jsonl")
        return prompt

    inside = ("a.png", "./a.png", "deep/b.png", "deep/../a.png", "near", f"{folder}/a.png", f"file://{folder}/a.png")
    for name in inside:
        assert image(name).messages[0].images == ("YW55",)
    outside = "../secret.png ../files-of-others/c.png out away/c.png zero.png round.png /etc/passwd file:///etc/passwd"
    outside += " /dev/zero ../nothing.png /nothing.png deep/ a.png\0"
    for name in [*outside.split(" "), f"{tmp_path}/secret.png"]:
        with pytest.raises(PayloadError, match=r"no such file in .*, beside the payload file or below it, nor base64"):
            image(name)


@pytest.mark.parametrize("size", [3, 240, 300, 3000, 30_000])
def test_an_image_in_base64_is_no_name_of_a_file(tmp_path: Path, size: int) -> None:
    inline = base64.b64encode(b"\xff\xd8\xff" * (size // 3)).decode()  # begins with a slash, as JPEG does
    for text in (inline, "A" * (size // 3 * 4), f"data:image/png;base64,{inline}"):
        (prompt,) = read(tmp_path, json.dumps({"prompt": "What?", "images": [text]}), "p.jsonl")
        assert prompt.messages[0].images == (text.rpartition(",")[2],)


# The documentation


def test_the_examples_of_the_documentation_are_read(tmp_path: Path) -> None:
    page = (Path(__file__).parents[3] / "docs" / "payloads.md").read_text(encoding="utf-8")
    (tmp_path / "cat.png").write_bytes(b"any")
    (lines,) = re.findall(r"```\n(\{.*?)```", page, re.DOTALL)
    (rows,) = re.findall(r"```csv\n(.*?)```", page, re.DOTALL)
    prompts = read(tmp_path, lines, "a.jsonl")
    assert len(prompts) == len(lines.splitlines())
    assert [len(prompt.then) for prompt in prompts] == [0, 1, 1, 1, 1, 0, 0, 0, 0]
    assert [prompt.max_tokens for prompt in read(tmp_path, rows, "a.csv")] == [60]
    for field in (*FIELDS, *OUTPUT, *TRACE_INPUT):
        assert f"`{field}`" in page, field


# The real files


def real(name: str) -> tuple[Prompt, ...]:
    return load(str(beside(f"data/prompts/{name}")))


def test_mt_bench_as_it_is() -> None:
    prompts = real("mt_bench_question.jsonl")
    assert len(prompts) == 80
    assert all(len(prompt.then) == 1 for prompt in prompts)


def test_bfcl_as_it_is() -> None:
    prompts = real("BFCL_v4_simple_python.jsonl")
    assert len(prompts) == 400
    names = [str(tool["function"]["name"]) for prompt in prompts for tool in prompt.tools]  # type: ignore[index]
    assert all(re.fullmatch(r"[a-zA-Z0-9_-]{1,64}", name) for name in names)
    types = set(re.findall(r'"type":"(\w+)"', orjson.dumps([prompt.tools for prompt in prompts]).decode()))
    assert types == {"function", "object", "number", "integer", "string", "array", "boolean"}


def test_sonnet_as_it_is() -> None:
    assert len(real("sonnet_llmperf.txt")) == 84
