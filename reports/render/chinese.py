"""A report in Chinese: each text by the table of messages beside this, zh.txt; what is not in it stays English.

zh.txt holds pairs of lines, English and Chinese, parted by empty ones. `{name}` in both stands for whatever is there,
and is translated itself; `{n1}`, `{n2}` for a number. Of several that fit the first one in the table counts.
"""

import re
from collections.abc import Iterable
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

from tokenswarm.reports.render.document import Bar, Cell, Document, Line, Section, Table
from tokenswarm.reports.render.plots import Plot

LANGUAGES = ("en", "zh")
MESSAGES = Path(__file__).with_name("zh.txt")
_NEXT = re.compile(r"(?<=\.) (?=[A-Z][a-z])")  # from one sentence to the next
_PLACE = re.compile(r"\{(\w+)\}")


def pairs() -> list[tuple[str, str]]:
    """The table."""
    blocks = MESSAGES.read_text(encoding="utf-8").strip().split("\n\n")
    return [(english, chinese) for english, chinese in (block.split("\n") for block in blocks)]


@cache
def _pairs() -> dict[str, str]:
    return dict(pairs())


@cache
def _table() -> tuple[dict[str, str], list[tuple[re.Pattern[str], str]]]:
    exact, patterns = {}, []
    for english, chinese in pairs():
        if _PLACE.search(english):
            parts = _PLACE.split(english)  # text, name, text, …
            made = "".join(_place(part) if at % 2 else re.escape(part) for at, part in enumerate(parts))
            patterns.append((re.compile(made, re.DOTALL), chinese))
        else:
            exact[english] = chinese
    return exact, patterns


def _place(name: str) -> str:
    return f"(?P<{name}>{'[-–0-9.,∞]+' if re.fullmatch('n[0-9]+', name) else '.+?'})"


def zh(text: str) -> str:
    """The text in Chinese, if the table has it."""
    exact, patterns = _table()
    if text in exact:
        return exact[text]
    if not re.search("[A-Za-z]", text):
        return text
    for pattern, chinese in patterns:
        if found := pattern.fullmatch(text):
            return chinese.format(**{name: zh(value) for name, value in found.groupdict().items()})
    sentences = _NEXT.split(text)
    return "".join(map(zh, sentences)) if len(sentences) > 1 else text


def pattern(text: str) -> str:
    """The same for a text whose places are still to be filled."""
    return _pairs().get(text, text)


def document(made: Document) -> Document:
    """The whole of it; what others wrote (Code) stays as it is."""
    return replace(
        made,
        badge=zh(made.validity),
        facts=tuple((zh(label), _cell(cell)) for label, cell in made.facts),
        verdict=zh(made.verdict),
        load=zh(made.load),
        tiles=tuple((zh(label), zh(value)) for label, value in made.tiles),
        sections=tuple(map(section, made.sections)),
    )


def section(made: Section) -> Section:
    """One section."""
    return replace(
        made,
        title=zh(made.title),
        lines=tuple(map(_line, made.lines)),
        items=tuple(map(_line, made.items)),
        tables=tuple(map(table, made.tables)),
        bars=tuple(map(bar, made.bars)),
    )


def table(made: Table) -> Table:
    """One table."""
    rows = tuple(tuple(map(_cell, row)) for row in made.rows)
    return replace(made, columns=tuple(map(_cell, made.columns)), rows=rows, caption=_line(made.caption))


def bar(made: Bar) -> Bar:
    """One bar."""
    parts = tuple((zh(name), colour, value) for name, colour, value in made.parts)
    return replace(made, title=zh(made.title), parts=parts)


def plots(made: Iterable[Plot]) -> tuple[Plot, ...]:
    """Figures: their titles, notes, axes and legends."""
    return tuple(map(_plot, made))


def _plot(made: Plot) -> Plot:
    for figure in made.figures:
        _axes(figure)
    keys = tuple((colour, zh(text)) for colour, text in made.keys)
    return replace(made, title=zh(made.title), note=zh(made.note), keys=keys)


def _axes(figure: Any) -> None:
    for axis in (*figure.select_xaxes(), *figure.select_yaxes()):
        if axis.title.text:
            axis.title.text = zh(axis.title.text)
    for trace in figure.data:
        if trace.name:
            trace.name = zh(trace.name)


def _line(line: Line) -> Line:
    return tuple(map(_cell, line))


def _cell(cell: Cell) -> Cell:
    return zh(cell) if isinstance(cell, str) else cell
