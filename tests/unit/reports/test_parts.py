"""PARTS: whoever adds a part adds a file and a line, and no part takes another's keys."""

import pkgutil
from importlib import import_module
from pathlib import Path

import pytest
from golden.make import folder, golden_records

from tokenswarm.reports import parts, sections
from tokenswarm.reports.load import load
from tokenswarm.reports.parts import PARTS
from tokenswarm.reports.parts.part import Part, only_lines
from tokenswarm.reports.render import console
from tokenswarm.reports.summary import summarise


def test_every_part_that_a_file_makes_is_in_the_list_once() -> None:
    modules = [import_module(f"{parts.__name__}.{each.name}") for each in pkgutil.iter_modules(parts.__path__)]
    made = [value for module in modules for value in vars(module).values() if isinstance(value, Part)]
    assert sorted(map(id, made)) == sorted(map(id, PARTS))


def test_no_part_takes_the_keys_of_another(tmp_path: Path) -> None:
    run = load(folder(tmp_path, golden_records()))
    summary = summarise(run)
    keys = [key for part in PARTS for key in part.data(run, summary)]
    assert len(keys) == len(set(keys))
    assert set(keys) <= set(summary)


def test_every_section_has_a_key_of_its_own(tmp_path: Path) -> None:
    summary = summarise(load(folder(tmp_path, golden_records())))
    keys = [part.section(summary).key for part in PARTS if part.section]
    assert len(keys) == len(set(keys))


def test_a_part_says_itself_what_the_terminal_shows_of_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    summary = summarise(load(folder(tmp_path, golden_records())))
    new = Part(terminal=only_lines(lambda _: ["seventeen rows"]))
    monkeypatch.setattr(sections, "REST", (*sections.REST, new))
    said = console.render(summary)
    assert said.index("steady") < said.index("seventeen rows") < said.index("Where the time goes")


def test_the_terminal_shows_tables_then_lines_then_the_bar(tmp_path: Path) -> None:
    summary = summarise(load(folder(tmp_path, golden_records())))
    for lang in ("en", "zh"):
        kinds = [2 if section.bars else int(not section.tables) for section in sections.terminal(summary, lang)]
        assert kinds == sorted(kinds)
        assert {*kinds} == {0, 1, 2}
