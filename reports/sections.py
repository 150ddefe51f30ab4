"""A run's report as a Document, from its summary: the head, and the sections of PARTS."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from tokenswarm.reports.parts import FIRST_SCREEN, PARTS, REST
from tokenswarm.reports.parts.load_shape import load_line
from tokenswarm.reports.render import chinese
from tokenswarm.reports.render.document import Cell, Code, Document, Section
from tokenswarm.reports.render.numbers import many, number

Summary = Mapping[str, Any]
INVALID_FIRST = frozenset({"capacity", "findings"})
ALWAYS = frozenset({"findings", "probe", "workers", "options", "software", "glossary"})  # also where nobody asked


def document(summary: Summary, lang: str = "en") -> Document:
    """The report, what makes a run INVALID at its top, the folded sections at the end."""
    sections = [part.section(summary) for part in PARTS if part.section]
    if not summary["overall"]["requests"]["total"]:
        sections = [section for section in sections if section.key in ALWAYS]
    run, validity = summary["run"]["run"], summary["validity"]["verdict"]

    def place(section: Section) -> int:
        return 2 if section.folded else int(validity != "INVALID" or section.key not in INVALID_FIRST)

    shown = tuple(sorted(filter(_any, _remarks_apart(sections)), key=place))
    made = Document(run, validity, _facts(summary), summary["verdict"], (), shown, load_line(summary))
    return chinese.document(_by_concurrency_first(made)) if lang == "zh" else made


def terminal(summary: Summary, lang: str = "en") -> list[Section]:
    """What the terminal shows: tables, then lines, then the bar.

    Of each the report's first screen comes last, since that is where one begins to read in a terminal.
    """
    made = [part.terminal(summary) for part in (*REST, *FIRST_SCREEN) if part.terminal]
    if not summary["overall"]["metrics"]:
        made = [section for section in made if not section.tables]
    if lang == "zh":  # see _by_concurrency_first
        made = sorted(map(chinese.section, made), key=lambda section: section.key != "concurrency")
    else:
        made = [section for section in made if section.key != "concurrency"]
    return sorted(filter(_any, made), key=lambda section: (not section.tables, bool(section.bars)))


def _remarks_apart(sections: Iterable[Section]) -> Iterator[Section]:
    """Findings that make a run INVALID in a section of their own, so that the remarks need not stand on top with it."""
    for section in sections:
        grave = tuple(item for item in section.items if str(item[0]).startswith("INVALID"))
        if section.key != "findings" or not grave:
            yield section
            continue
        yield replace(section, items=grave)
        yield Section("remarks", "Remarks", items=tuple(item for item in section.items if item not in grave))


def _by_concurrency_first(made: Document) -> Document:
    """As Chinese readers expect it: the table of a row a concurrency stands first, but for what makes a run INVALID."""

    def place(section: Section) -> int:
        return 0 if section.key in INVALID_FIRST and made.validity == "INVALID" else 2 - (section.key == "concurrency")

    shown = (replace(one, folded=one.folded and one.key != "concurrency") for one in made.sections)
    return replace(made, sections=tuple(sorted(shown, key=place)))


def _any(section: Section) -> bool:
    return bool(section.lines or section.items or section.tables or section.bars)


def _facts(summary: Summary) -> tuple[tuple[str, Cell], ...]:
    run, window = summary["run"], summary["window"]
    server = " ".join(str(run[name]) for name in ("kind", "version") if run[name])
    duration = f"{number(run['duration_s'])} s" if run["duration_s"] else ""
    window_s = f"{number(window['window_s'])} s, first sent to last ended" if window["window_s"] else ""
    if window["left_out"]:
        window_s += f", without the warm-up ({many(window['left_out'], 'request')})"
    pairs: tuple[tuple[str, Cell], ...] = (
        ("target", Code(run["host"] or "")),
        ("server", Code(server)),
        ("model", Code(run["model"] or "")),
        ("run took", duration),
        ("window", window_s),
        ("state", run["state"]),
    )
    return tuple((label, cell) for label, cell in pairs if (cell.text if isinstance(cell, Code) else cell))
