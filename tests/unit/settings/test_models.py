"""Several models in one run: how they are written, and how they are drawn."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tokenswarm.settings.errors import UsageError
from tokenswarm.settings.models import models, settle

CHECKPOINT, BLANKS = "/models/epoch=9-step=1000", "Qwen 3 (8B, q4)"

THERE = {"a", "b", "qwen3:8b", "qwen3", "llama3", "llama3:2", "registry:5000/ns/m", "x", CHECKPOINT, BLANKS}


def check(name: str) -> str:
    if name not in THERE:
        raise UsageError(f"no model {name!r}")
    return name


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a", "a"),
        ("a:3,b:1", "a=3,b=1"),
        ("a=3, b", "a=3,b=1"),
        ("a:4,b:2", "a=2,b=1"),
        ("a,a,b", "a=2,b=1"),
        ("qwen3:8b:3,qwen3:8b,b:2", "qwen3:8b=2,b=1"),
        ("qwen3:8b,qwen3:3", "qwen3:8b=1,qwen3=3"),
        ("registry:5000/ns/m:2,a", "registry:5000/ns/m=2,a=1"),
        ("llama3:2", "llama3:2"),  # where there is nothing to weigh, it can only be the name
        ("llama3:2=5,a", "llama3:2=5,a=1"),
        ("llama3=2,a:1", "llama3=2,a=1"),
        ("a:3", "a"),
        ("a=3", "a"),
        (BLANKS, f'"{BLANKS}"'),
        (f" {BLANKS} ", f'"{BLANKS}"'),
        (CHECKPOINT, f'"{CHECKPOINT}"'),
        (f"{CHECKPOINT}=3,{BLANKS}:2,a", f'"{CHECKPOINT}"=3,"{BLANKS}"=2,a=1'),
        (f"b,{BLANKS}", f'b=1,"{BLANKS}"=1'),
        (f'"{BLANKS}"=2, "a" , "qwen3":1', f'"{BLANKS}"=2,a=1,qwen3=1'),
    ],
)
def test_names_may_hold_colons(text: str, said: str) -> None:
    assert settle(text, sorted(THERE), THERE.__contains__, check) == said
    assert settle(said, sorted(THERE), THERE.__contains__, check) == said


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("llama3:2,a", "--model ▸llama3:2◂,a: llama3:2 may be the model llama3:2 or 2 parts of llama3; write llama3"),
        ("a=x,b=1", "--model a=▸x◂,b=1: x is no weight; give a whole number from 1 to 1000"),
        ("a=1,b= 0", "--model a=1,b=▸ 0◂: 0 is no weight"),
        ("a:0,b:1", "--model a:▸0◂,b:1: 0 is no weight"),
        ("a,,b", "--model a,▸◂,b: it names no model; write it like a=3,b=1"),
        ("a:3,", "--model a:3,▸◂: it names no model"),
        ("=3,a", "--model ▸=3◂,a: =3 names no model"),
        ("a:3, c:1", "--model a:3, ▸c:1◂: no model 'c:1'"),
        ("c", "--model ▸c◂: no model 'c'"),
        ("c=x", "--model ▸c=x◂: no model 'c=x'"),
        ("c=3", "--model ▸c=3◂: no model 'c=3'"),  # it weighs nothing to be alone
        (f"{BLANKS}+,a", "--model ▸Qwen 3 (8B◂, q4)+,a: no model 'Qwen 3 (8B'"),
        (f"a={'9' * 5000},b", f"--model a=▸{'9' * 200}"),  # cut, so that the line can be read
        ('"",a', '--model ▸""◂,a: "" names no model'),
    ],
)  # fmt: skip
def test_what_can_be_misread_must_be_said(text: str, line: str) -> None:
    with pytest.raises(UsageError) as error:
        settle(text, sorted(THERE), THERE.__contains__, check)
    assert str(error.value).startswith(line)


def test_each_as_often_as_its_weight() -> None:
    assert models("a=6,b=2") == ("a", "a", "a", "b")
    assert models("qwen3:8b") == ("qwen3:8b",)
    assert models("") == ()
    assert models(f'"{CHECKPOINT}"=2,"{BLANKS}"=1') == (CHECKPOINT, CHECKPOINT, BLANKS)


@given(st.lists(st.text(min_size=1).filter(str.strip), min_size=1, max_size=3, unique=True))
def test_whatever_a_server_calls_its_models_the_workers_know_them_again(names: list[str]) -> None:
    """One by itself, as a user copies it, and several in quotes."""
    said = settle(names[0], names, names.__contains__, str)
    assert models(said) == (names[0],)
    listed = ",".join(json.dumps(name) for name in names)
    assert models(settle(listed, names, names.__contains__, str)) == tuple(names)


def test_where_no_list_tells_a_colon_and_a_number_is_a_weight_among_several_and_a_name_alone() -> None:
    def nowhere(_: str) -> bool:
        return False

    assert settle("a:3,b:1", (), nowhere, str) == "a=3,b=1"
    assert settle("llama3:2", (), nowhere, str) == "llama3:2"
    assert models(settle("epoch=9", (), nowhere, str)) == ("epoch=9",)


def test_a_name_alone_may_hold_an_equals_sign() -> None:
    assert models("my=model") == ("my=model",)
