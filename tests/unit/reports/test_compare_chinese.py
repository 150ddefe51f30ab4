"""`compare --lang zh`: page, Markdown and terminal in Chinese, the JSON as it is."""

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from compared_runs import VALID, records, run
from golden.make import folder

from tokenswarm import ab
from tokenswarm.reports.__main__ import main
from tokenswarm.reports.compare.words import EN
from tokenswarm.reports.render import console
from tokenswarm.reports.render.chinese import pairs, pattern

LATIN = {"tpot_ms", "ttft_ms", "e2e_ms", "A", "B", "gates", "points", "shift columns"}  # the same in Chinese
STAGES = [{"text": "4x9s", "from_users": 4, "users": 4}] * 2
INVALID = {"verdict": "INVALID", "findings": [{"rule": "loop lag", "level": "invalid", "what": "late"}]}


def staged(path: Path, server: int, slower: float) -> Path:
    rows = [
        replace(each, identity=replace(each.identity, stage=1 + (number >= 200)))
        for number, each in enumerate(records(server, slower=slower))
    ]
    return folder(path, rows, {**VALID, "run": path.name, "stages": STAGES})


def sides(kind: str, path: Path) -> list[str]:
    """What compare is given of two servers, of which B is slower by a fifth."""
    if kind == "stages":
        return [str(staged(path / "a", 1, 0.0)), str(staged(path / "b", 2, 0.2)), "--fail-on", "tpot_ms mean +5%"]
    if kind == "several":
        runs = [str(run(path / f"{'ab'[n // 3]}{n}", n, n=120, slower=0.2 * (n // 3))) for n in range(6)]
        return [*runs[:3], "--", *runs[3:], "--fail-on", "tpot_ms mean +5%"]
    changes: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
        "slower": ({}, {"slower": 0.2}),
        "few": ({}, {"n": 9}),
        "INVALID": ({"validity": INVALID}, {}),
        "users": ({"options": {**VALID["options"], "num_users": 8}}, {}),
        "lengths": ({"seed": 4, "target": {**VALID["target"], "version": "0.40.2"}}, {"stretch": 1.2}),
        "failed": ({}, {"outcome": "refused", "n": 30}),
    }
    info, records_ = changes[kind]
    return [str(run(path / "a", 1)), str(run(path / "b", 2, info, **records_)), "--fail-on", "tpot_ms mean +5%"]


@pytest.mark.parametrize("kind", ["slower", "few", "INVALID", "users", "lengths", "failed", "stages", "several"])
def test_no_sentence_is_left_in_english(kind: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    given = sides(kind, tmp_path)
    code = main(["compare", *given])
    english = capsys.readouterr().out
    (kept,) = (path.read_bytes() for path in tmp_path.glob("b*/compare-with-*.json"))
    assert main(["compare", *given, "--lang", "zh"]) == code
    terminal = capsys.readouterr().out
    text, page, same = (
        next(tmp_path.glob(f"b*/compare-with-*.{suffix}")).read_bytes() for suffix in ("md", "html", "json")
    )
    assert same == kept
    for said in (text.decode(), terminal.replace(str(tmp_path), "")):
        left = re.sub(r"`[^`]*`|(?:tpot_ms mean|--fail-on|--output-tokens|temperature 0|tokenswarm ab)", "", said)
        assert re.findall(r"[a-z']{3,} [a-z']{2,} ?[a-z']*", left) == []
    assert b'<html lang="zh-CN">' in page
    assert all(console.width(line) <= console.COLUMNS for line in terminal.splitlines()[:-1])
    # The same figures in both languages, in the same order.
    numbers = [re.findall(r"[+−±]\d+\.\d|\d+ requests?", out) for out in (english, terminal)]
    assert [n for n in numbers[0] if "r" not in n] == numbers[1]


def test_what_is_said_of_a_slower_server(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(["compare", *sides("slower", tmp_path), "--lang", "zh"])
    said = capsys.readouterr().out
    assert said.startswith("b 对比 a\n") or said.startswith("a 对比 b\n")
    assert "B 更慢：平均 TPOT +" in said
    assert "tpot_ms mean +5%：超出：+" in said


def test_each_text_of_a_comparison_has_its_translation() -> None:
    assert {key for key, text in EN.items() if text and pattern(text) == text} == LATIN
    table = dict(pairs())
    for text in set(EN.values()) & set(table):
        places = [set(re.findall(r"\{(\w+)\}", said)) for said in (text, table[text])]
        assert places[0] == places[1], text


def test_runs_in_turns_are_compared_in_the_language_of_their_reports() -> None:
    words = ["--a", "--host http://127.0.0.1:1", "--b", "--host http://127.0.0.1:2", "--run-time", "9s", "--lang", "zh"]
    made = ab.plan(words)
    assert made.compare == ("--lang", "zh")
    assert "--lang" in made.sides["a"]
