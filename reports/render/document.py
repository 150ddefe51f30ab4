"""A report as a value: sections of lines, lists and tables, for Markdown and HTML to render alike."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Code:
    """Text that is not ours (a model's name, an error): shown letter by letter, never interpreted."""

    text: str


Cell = str | Code
Line = tuple[Cell, ...]


@dataclass(frozen=True, slots=True)
class Table:
    """`columns` of which the first `names` hold words, the others numbers; each of `rows` is as long."""

    columns: tuple[Cell, ...]
    rows: tuple[tuple[Cell, ...], ...]
    caption: Line = ()
    names: int = 1


@dataclass(frozen=True, slots=True)
class Bar:
    """A sum as a bar: `parts` are (name, CSS background, value), the values of `unit`."""

    title: str
    unit: str
    parts: tuple[tuple[str, str, float], ...]

    def shares(self) -> tuple[float, ...]:
        """Each part in % of the whole bar; what is below 0 has no width."""
        whole = sum(max(0.0, value) for *_, value in self.parts)
        return tuple(100 * max(0.0, value) / whole if whole else 0.0 for *_, value in self.parts)


@dataclass(frozen=True, slots=True)
class Section:
    """One heading and what is below it: lines, a list, bars, tables, then the figures that name its `key`.

    `folded` sections are closed until someone opens them.
    """

    key: str
    title: str
    lines: tuple[Line, ...] = ()
    items: tuple[Line, ...] = ()
    tables: tuple[Table, ...] = ()
    folded: bool = False
    bars: tuple[Bar, ...] = ()


@dataclass(frozen=True, slots=True)
class Document:
    """A whole report.

    `validity` is VALID, INVALID or, where nothing can tell, empty; `facts` are (label, value) pairs for the head,
    `badge` is the validity in the reader's language, `load` what was asked in words, `tiles` the few numbers to see
    first.
    """

    title: str
    validity: str
    facts: tuple[tuple[str, Cell], ...]
    verdict: str
    tiles: tuple[tuple[str, str], ...]
    sections: tuple[Section, ...]
    load: str = ""
    badge: str = ""
