"""Repetition against a plain definition of it; what users expect, and their patterns that never end."""

import json
import re
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tokenswarm.metrics.checks import expect
from tokenswarm.metrics.checks.case import Asked, Case
from tokenswarm.metrics.checks.repetition import TAILS, repeated_tail
from tokenswarm.metrics.checks.table import WHITESPACE_RUN, judge
from tokenswarm.payloads.expect import from_option, pairs
from tokenswarm.wire.values import Answer, Usage

LETTERS = st.text("ab \n你", max_size=12)


def by_definition(text: str) -> bool:
    """Is there a tail of a length in TAILS that has a period of at most its share?"""
    return any(
        len(text) >= span and all(text[at] == text[at - period] for at in range(len(text) - span + period, len(text)))
        for span, times in TAILS
        for period in range(1, span // times + 1)
    )


@given(LETTERS, st.text("abc 你", min_size=1, max_size=60), st.integers(0, 40), LETTERS)
def test_a_repeated_tail_is_just_what_the_definition_says(head: str, piece: str, times: int, tail: str) -> None:
    for text in (head + piece * times + tail, head + piece * times + piece[: len(tail)]):
        found = repeated_tail(text)
        assert bool(found) == by_definition(text)
        if found:
            assert text.endswith(found.piece * found.times)
            assert not text.endswith(found.piece * (found.times + 1))


@given(st.lists(st.integers(0, 10**9), min_size=40, unique=True))
def test_numbered_lists_and_their_like_never_repeat(numbers: list[int]) -> None:
    assert repeated_tail("".join(f"{number}. The same words.\n" for number in numbers)) is None


def judged(text: str, *expected: tuple[str, object]) -> tuple[int | None, str]:
    found = judge(Case(Asked(9, expect=expected), Answer(text), "ok", "stop", Usage()))
    return found.failed.get("unexpected"), found.notes


@pytest.mark.parametrize(
    ("text", "kind", "wanted", "note"),
    [
        ("It is Paris.", "contains", "Paris", ""),
        ("It is Rome.", "contains", "Paris", "no 'Paris'"),
        ("It is Rome.", "not_contains", "Rome", "holds 'Rome'"),
        (" 42\n", "equals", "42", ""),
        ("42.", "equals", "42", "not '42'"),
        (" 42\n", "regex", r"^\d+$", ""),
        ("42.", "regex", r"^\d+$", r"no match of /^\d+$/"),
        ("{}", "schema", {"type": "object"}, ""),
        ("[]", "schema", {"type": "object"}, '$ is not of type "object"'),
        ("[", "schema", {"type": "object"}, "no JSON: Expecting value at 1 of 1"),
    ],
)
def test_expectations(text: str, kind: str, wanted: object, note: str) -> None:
    assert judged(text, (kind, wanted)) == (int(bool(note)), note and f"unexpected: {note}")


def test_all_must_hold_and_without_any_the_check_does_not_apply() -> None:
    assert judged("Paris", ("contains", "P"), ("contains", "z")) == (1, "unexpected: no 'z'")
    assert judged("Paris") == (None, "")


def test_a_pattern_that_never_ends_is_given_up_and_soon_not_tried_any_more() -> None:
    pattern, text = r"^(?:a+)+$", "a" * 60 + "b"
    for _ in range(expect.GIVEN_UP_AFTER):
        assert "undecided" in judged(text, ("regex", pattern))[1]
    began_s = time.process_time()
    for _ in range(1000):
        assert "not tried any more" in judged(text, ("regex", pattern))[1]
    assert time.process_time() - began_s < 5  # one match alone would take longer than the universe


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ("Paris", "no expectation; write KIND:VALUE"),
        ("has:Paris", "no expectation; write KIND:VALUE"),
        ("contains:", "says nothing after the colon"),
        ("schema:nowhere.json", "schema file nowhere.json cannot be read: No such file"),
        ("schema:pyproject.toml", "schema file pyproject.toml holds no JSON"),
    ],
)
def test_options_that_say_nothing(text: str, wrong: str) -> None:
    with pytest.raises(ValueError, match=wrong):
        from_option(text)


def test_options_and_lines_say_the_same(tmp_path: Path) -> None:
    (tmp_path / "s.json").write_text(json.dumps({"type": "array"}))
    assert from_option(f"schema:{tmp_path / 's.json'}") == ("schema", {"type": "array"})
    assert from_option("regex:a:b") == ("regex", "a:b")
    assert list(pairs({"contains": ["a", "b"], "regex": "c"})) == [("contains", "a"), ("contains", "b"), ("regex", "c")]
    for bad in ({"has": "a"}, {"contains": 5}, {"contains": ""}, {"schema": "x.json"}):
        with pytest.raises(ValueError, match="expect"):
            list(pairs(bad))


@pytest.mark.parametrize(
    ("kind", "wanted"),
    [
        ("regex", "("),
        ("schema", {"pattern": "("}),
    ],
)
def test_what_cannot_be_judged_is_said_before_any_load(kind: str, wanted: object) -> None:
    with pytest.raises(ValueError, match=r"regex '\('|no usable JSON schema"):
        expect.check(kind, wanted)


@given(st.lists(st.tuples(st.text("ab{", max_size=90), st.text(" \n\t", max_size=210)), max_size=6))
def test_whitespace_runs_are_found_wherever_they_stand(parts: list[tuple[str, str]]) -> None:
    text = "".join(word + space for word, space in parts)
    found = judge(Case(Asked(9, format="json"), Answer(text), "ok", "stop", Usage()))
    runs = [len(run) for run in re.findall(r"\s+", text)]
    assert found.failed["whitespace_runaway"] == any(run >= WHITESPACE_RUN for run in runs)
