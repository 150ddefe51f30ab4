"""What a user of payloads/ would notice: the prompts of a run, their shares, and one clear line for each mistake."""

from pathlib import Path

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tokenswarm.payloads.corpus import BUILT_IN, FOLDER, PayloadError, load, read_corpus
from tokenswarm.payloads.formats.detect import KNOWN, read
from tokenswarm.payloads.formats.own import NOT_OPTIONS, decode
from tokenswarm.payloads.prompt import ROLES, Message, Prompt

CORPORA = ", ".join(BUILT_IN)


def write(folder: Path, *lines: str, name: str = "mine.jsonl") -> Path:
    path = folder / name
    path.write_bytes("\n".join(lines).encode())
    return path


def asked(*prompts: str) -> tuple[str, ...]:
    return tuple(orjson.dumps({"prompt": prompt}).decode() for prompt in prompts)


# Reading


def test_a_line_gives_all_its_fields(tmp_path: Path) -> None:
    line = (
        '{"id": "a", "system": "Be short.", "prompt": "Why?", "max_tokens": 9, "options": {"seed": 7, "stop": ["."]},'
        ' "format": {"type": "object"}, "tags": ["x", "y"], "weight": 2}'
    )
    (prompt,) = read_corpus(write(tmp_path, line))
    assert prompt == Prompt(
        id="a",
        messages=(("system", "Be short."), ("user", "Why?")),
        max_tokens=9,
        options={"seed": 7, "stop": ["."]},
        format={"type": "object"},
        tags=("x", "y"),
        weight=2.0,
    )
    assert prompt.system == "Be short."
    assert prompt.text == "Why?"


def test_blank_lines_and_comments_are_skipped_but_counted(tmp_path: Path) -> None:
    path = write(tmp_path, "\ufeff# mine", "", '{"prompt": "one"}\r', "  ", '  {"prompt": "two", "tags": null}', "")
    assert [(prompt.id, prompt.text) for prompt in read_corpus(path)] == [("mine:3", "one"), ("mine:5", "two")]


def test_a_line_separator_inside_a_text_does_not_end_the_line(tmp_path: Path) -> None:
    path = write(tmp_path, '{"prompt": "a\u2028b\u0085c"}')
    assert read_corpus(path)[0].text == "a\u2028b\u0085c"


def test_system_and_text_of_a_conversation() -> None:
    prompt = Prompt("a", (("system", "S"), ("user", "1"), ("assistant", "2"), ("system", "T"), ("user", "3")))
    assert prompt.system == "S\n\nT"
    assert prompt.text == "1\n\n2\n\n3"
    assert Prompt("b", (("user", "1"),)).system is None


def test_options_cannot_be_changed_by_whoever_shares_the_prompt() -> None:
    given_options = {"seed": 1}
    prompt = Prompt("a", (("user", "x"),), options=given_options)
    given_options["seed"] = 2
    assert prompt.options["seed"] == 1
    with pytest.raises(TypeError):
        prompt.options["seed"] = 3  # type: ignore[index]
    assert hash(prompt) == hash(Prompt("a", (("user", "x"),), options={"seed": 1}))


contents = st.text(st.characters(codec="utf-8"), min_size=1).filter(str.strip)
values = st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False)
prompts = st.builds(
    Prompt,
    id=contents,
    messages=st.lists(st.tuples(st.sampled_from(ROLES), contents), max_size=4).map(
        lambda m: tuple(Message(*one) for one in (*m, ("user", "and?")))
    ),
    max_tokens=st.none() | st.integers(1, 10**6),
    options=st.dictionaries(contents.filter(lambda name: name not in NOT_OPTIONS), values | st.lists(values)),
    format=st.none() | st.just("json") | st.dictionaries(contents, values),
    tags=st.lists(contents, max_size=3).map(tuple),
    weight=st.floats(1e-3, 1e9),
)


@given(prompts)
def test_any_prompt_written_as_a_line_reads_back(prompt: Prompt) -> None:
    fields = {name: getattr(prompt, name) for name in ("id", "max_tokens", "format", "tags", "weight")}
    fields["messages"] = [{"role": role, "content": content} for role, content, *_ in prompt.messages]
    fields["options"] = dict(prompt.options)
    line = orjson.dumps(fields)
    assert b"\n" not in line
    assert read(decode(line), "none", FOLDER) == prompt


@given(st.lists(st.none() | contents, min_size=1).filter(any))
def test_any_file_of_prompts_reads_back_in_order(tmp_path_factory: pytest.TempPathFactory, texts: list[str]) -> None:
    path = write(tmp_path_factory.getbasetemp(), *("" if text is None else asked(text)[0] for text in texts))
    read = [(prompt.id, prompt.text) for prompt in read_corpus(path)]
    assert read == [(f"mine:{at}", text) for at, text in enumerate(texts, 1) if text is not None]


names = st.sampled_from([*sorted(KNOWN), "role", "content", "type", "function", "model", "answer", "delay"])
foreign = values | st.sampled_from(["user", "assistant", "text", "a"])


@given(st.binary() | st.recursive(foreign, lambda v: st.lists(v) | st.dictionaries(names, v, max_size=4)))
def test_any_line_is_a_prompt_or_a_message_of_one_line(line: object) -> None:
    told = ""
    try:
        read(decode(line if isinstance(line, bytes) else orjson.dumps(line)), "id", FOLDER)
    except ValueError as error:
        told = str(error)
    assert "\n" not in told


# Mistakes

MISTAKES = {
    "hello": "not JSON: ",
    '{"prompt": "a"': "not JSON: ",
    '["a"]': 'messages[0] is "a"; make it {"role": …, "content": …}',
    "[]": "messages is empty; give at least one message",
    '"a"': '"a" is not an object; write {"prompt": "…"}',
    '{"promt": "a"}': 'unknown field "promt"; did you mean prompt?',
    '{"prompt": "a", "xyzzy": 1}': 'unknown field "xyzzy"; use id, prompt, system, messages',
    "{}": "neither prompt nor messages; give one of them",
    '{"prompt": null}': "neither prompt nor messages; give one of them",
    '{"prompt": 3}': "prompt is 3; put a text in quotes",
    '{"prompt": " "}': "prompt is empty; write it",
    '{"prompt": "a", "system": []}': "system is a list; put a text in quotes",
    '{"prompt": "a", "id": 3}': "id is 3; put a text in quotes",
    '{"prompt": "a", "messages": []}': "both prompt and messages; put the prompt into messages",
    '{"system": "a", "messages": []}': "both system and messages; put the system into messages",
    '{"messages": "a"}': 'messages is "a"; make it a list of {"role": …, "content": …}',
    '{"messages": []}': "messages is empty; give at least one message",
    '{"messages": ["a"]}': 'messages[0] is "a"; make it {"role": …, "content": …}',
    '{"messages": [{"role": "user"}]}': "messages[0] has no content; add it",
    '{"messages": [{"content": "a"}]}': "messages[0] has no role; add it",
    '{"messages": [{"role": "User", "content": "a"}]}': 'messages[0].role is "User"; use system, user, assistant, tool',
    '{"messages": [{"role": ["user"], "content": "a"}]}': "messages[0].role is a list; use system, user",
    '{"messages": [{"role": "user", "content": [{}]}]}': "messages[0].content[0].type is null; only parts of",
    '{"messages": [{"role": "user", "tool_calls": 5}]}': "messages[0].tool_calls is 5; make it a list",
    '{"messages": [{"rôle": "user"}]}': 'unknown field of messages[0] "rôle"; did you mean role?',
    '{"messages": [{"role": "system", "content": "a"}]}': "messages ask nothing; give a user message",
    '{"prompt": "a", "max_tokens": 0}': "max_tokens is 0; make it a whole number above 0, or leave it out",
    '{"prompt": "a", "max_tokens": -1}': "max_tokens is -1; ",
    '{"prompt": "a", "max_tokens": 1.5}': "max_tokens is 1.5; ",
    '{"prompt": "a", "max_tokens": true}': "max_tokens is true; ",
    '{"prompt": "a", "max_tokens": "9"}': 'max_tokens is "9"; ',
    '{"prompt": "a", "options": []}': 'options is a list; make it an object, such as {"temperature": 0}',
    '{"prompt": "a", "options": {"num_predict": 5}}': "options holds num_predict, which is no sampling option; set max",
    '{"prompt": "a", "format": "yaml"}': 'format is "yaml"; use "json" or a JSON schema',
    '{"prompt": "a", "format": 1}': 'format is 1; use "json" or a JSON schema',
    '{"prompt": "a", "tags": "x"}': 'tags is "x"; make it a list of texts',
    '{"prompt": "a", "tags": ["x", 1]}': "tags[1] is 1; put a text in quotes",
    '{"prompt": "a", "weight": 0}': "weight is 0; make it a number above 0",
    '{"prompt": "a", "weight": -1}': "weight is -1; ",
    '{"prompt": "a", "weight": false}': "weight is false; ",
    '{"prompt": "a", "weight": "2"}': 'weight is "2"; ',
    '{"prompt": "a", "weight": 1e10}': "weight is 10000000000.0; ",
    '{"prompt": "a", "weight": NaN}': "not JSON: ",
}


@pytest.mark.parametrize("line", MISTAKES)
def test_a_mistake_is_told_with_file_and_line(tmp_path: Path, line: str) -> None:
    path = write(tmp_path, "# a comment", '{"prompt": "right"}', line)
    with pytest.raises(PayloadError) as caught:
        read_corpus(path)
    assert str(caught.value).startswith(f"{path}:3: {MISTAKES[line]}")
    assert "\n" not in str(caught.value)


def test_a_file_that_is_not_utf8_is_told_with_its_line(tmp_path: Path) -> None:
    path = tmp_path / "mine.jsonl"
    path.write_bytes(b'{"prompt": "a"}\n{"prompt": "\xff"}\n')
    with pytest.raises(PayloadError) as caught:
        read_corpus(path)
    assert str(caught.value) == f"{path}:2: not UTF-8 at byte 13 of the line; save the file as UTF-8"


@pytest.mark.parametrize("text", ["", "\n\n", "# only a comment\n"])
def test_a_file_without_prompts_is_told(tmp_path: Path, text: str) -> None:
    path = write(tmp_path, text)
    with pytest.raises(PayloadError) as caught:
        read_corpus(path)
    assert str(caught.value) == f'{path}: no prompts; write one JSON object a line, such as {{"prompt": "…"}}'


def test_a_file_that_cannot_be_read_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(
        PayloadError, match=r"gone\.jsonl: cannot be read: No such file or directory; name a file of prompts"
    ):
        read_corpus(tmp_path / "gone.jsonl")
    with pytest.raises(PayloadError, match=r"cannot be read: Is a directory; name a file of prompts"):
        load(str(tmp_path))

    def refuse(path: Path, mode: str) -> bytes:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(PayloadError, match=r"mine\.jsonl: cannot be read: Permission denied; "):
        read_corpus(tmp_path / "mine.jsonl")


# Several sources


def test_a_source_has_its_share_however_many_lines_it_has(tmp_path: Path) -> None:
    many = write(tmp_path, *asked(*"abcdefghij"), name="many.jsonl")
    few = write(tmp_path, '{"prompt": "y"}', '{"prompt": "z", "weight": 3}', name="few.jsonl")
    prompts = load(f"{few} = 3, {many},")
    weights = {prompt.text: prompt.weight for prompt in prompts}
    assert [prompt.text for prompt in prompts] == list("yzabcdefghij")
    assert weights["y"] == pytest.approx(0.75)
    assert weights["z"] == pytest.approx(2.25)
    assert sum(weights[letter] for letter in "abcdefghij") == pytest.approx(1)


def test_a_file_name_may_hold_an_equals_sign_and_a_built_in_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    write(tmp_path, *asked("a"), name="temperature=0")
    write(tmp_path, *asked("b"), name="chat")
    assert [prompt.text for prompt in load("temperature=0,./chat,temperature=0=5")] == ["a", "b", "a"]
    assert len(load("chat")) > 1


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (
            "chta",
            f"'chta': no such file, nor a built-in corpus ({CORPORA}); did you mean chat?",
        ),
        (
            "chat,Code=2",
            f"'Code': no such file, nor a built-in corpus ({CORPORA}); did you mean",
        ),
        (
            "./none.jsonl",
            f"'./none.jsonl': no such file, nor a built-in corpus ({CORPORA})",
        ),
        ("chat\0", "'chat\\x00': no such file"),
        ("chat=", "chat=: the weight is ''; make it a number above 0"),
        ("chat=many", "chat=many: the weight is 'many'; make it a number above 0"),
        ("chat=0", "chat=0: the weight is '0'; make it a number above 0"),
        ("chat=nan", "chat=nan: the weight is 'nan'; make it a number above 0"),
        ("chat=inf", "chat=inf: the weight is 'inf'; make it a number above 0"),
        (" , ", "no corpus named; name a JSONL file or one of chat, long, code, json, reasoning"),
    ],
)
def test_a_wrong_source_is_told_in_one_line(names: str, message: str) -> None:
    with pytest.raises(PayloadError) as caught:
        load(names)
    assert str(caught.value).startswith(message)
    assert "\n" not in str(caught.value)
