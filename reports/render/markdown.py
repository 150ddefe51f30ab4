"""A Document as Markdown (GitHub's)."""

import re

from tokenswarm.reports.render.document import Bar, Cell, Document, Line, Section, Table
from tokenswarm.reports.render.numbers import number, plain

# What Markdown, its HTML or its formulas could take for theirs; an underscore only at the edge of a word.
_SPECIAL = re.compile(r"([\\`*<>|$\[\]~#]|(?<!\w)_|_(?!\w))")


def render(document: Document) -> str:
    """The whole report as text that ends with a newline."""
    blocks = [
        f"# {f'{document.badge or document.validity}: ' if document.validity else ''}{_escape(document.title)}",
        f"**{_escape(document.verdict)}**",
        _escape(document.load),
    ]
    blocks.append("\n".join(f"- {label}: {_cell(cell)}" for label, cell in document.facts))
    blocks.extend(block for section in document.sections for block in _section(section))
    return "\n\n".join(block for block in blocks if block) + "\n"


def _section(section: Section) -> list[str]:
    head = f"<details><summary>{section.title}</summary>" if section.folded else f"## {section.title}"
    items = "\n".join(f"- {_line(item)}" for item in section.items)
    blocks = [head, *map(_line, section.lines), items]
    blocks += ["\n".join(map(_bar, section.bars))]
    for table in section.tables:
        blocks += [_line(table.caption), _table(table)]
    return [*blocks, "</details>"] if section.folded else blocks


def _bar(bar: Bar) -> str:
    parts = zip(bar.parts, bar.shares(), strict=True)
    said = ", ".join(f"{name} {number(value)} {bar.unit} ({number(share)} %)" for (name, _, value), share in parts)
    return f"- {_escape(bar.title)}: {_escape(said)}"


def _table(table: Table) -> str:
    rules = ["---" if at < table.names else "--:" for at in range(len(table.columns))]
    rows = [[_cell(cell) for cell in row] for row in (table.columns, *table.rows)]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (rows[0], rules, *rows[1:]))


def _line(line: Line) -> str:
    return "".join(map(_cell, line))


def _cell(cell: Cell) -> str:
    if isinstance(cell, str):
        return _escape(cell)
    text = plain(cell.text).strip()
    if not text:
        return ""
    fence = "`" * (1 + max(map(len, re.findall("`+", text)), default=0))
    pad = " " if len(fence) > 1 else ""
    return f"{fence}{pad}{text}{pad}{fence}".replace("|", r"\|")


def _escape(text: str) -> str:
    return _SPECIAL.sub(r"\\\1", plain(text))
