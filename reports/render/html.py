"""A Document and its figures as one HTML file that needs nothing else: no network, no fonts, no other file."""

import html
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from plotly.offline import get_plotlyjs

from tokenswarm.reports.render.document import Cell, Code, Document, Line, Section, Table
from tokenswarm.reports.render.numbers import plain
from tokenswarm.reports.render.plots import Plot

_CSS = Path(__file__).with_name("page.css")
# Whatever a model or a server says, this page loads nothing and sends nothing.
_POLICY = "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data: blob:"
_DRAW = """
for (const data of document.querySelectorAll("script[type='application/json']")) {
  const {figure, config} = JSON.parse(data.textContent);
  // A finger on a figure is there to scroll the page, and has no buttons to hover over.
  if (matchMedia("(pointer: coarse)").matches) figure.layout.dragmode = false;
  if (!matchMedia("(hover: hover)").matches) config.displayModeBar = false;
  Plotly.newPlot(data.previousElementSibling, figure.data, figure.layout, config);
}
"""
_CONFIG = {"responsive": True, "displaylogo": False, "modeBarButtons": [["toImage", "resetScale2d"]]}


def render(document: Document, plots: Iterable[Plot] = ()) -> str:
    """The whole page. All text is escaped; figures are drawn in the section of their key, or at the top."""
    plots = tuple(plots)
    keys = {section.key for section in document.sections}
    facts = "".join(f"<span>{label} <b>{_cell(cell)}</b></span>" for label, cell in document.facts)
    tiles = "".join(f'<div class="tile"><b>{value}</b><span>{label}</span></div>' for label, value in document.tiles)
    validity = document.validity
    badge = f'<span class="{validity.lower()}">{validity}</span> ' if validity else ""
    top = [_plot(plot, level=2) for plot in plots if plot.section not in keys]
    findings = [_section(s, plots) for s in document.sections if s.key == "findings"]
    rest = [_section(s, plots) for s in document.sections if s.key != "findings"]
    return "\n".join(
        [
            '<!doctype html><html lang="en"><head><meta charset="utf-8">',
            f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            f"<title>{_escape(f'{validity} {document.title}'.strip())}</title>",
            f"<style>{_CSS.read_text(encoding='utf-8')}</style>",
            f"<script>{get_plotlyjs()}</script></head><body>" if plots else "</head><body>",
            f"<h1>{badge}{_escape(document.title)}</h1>",
            f'<div class="facts">{facts}</div>',
            f'<p class="verdict">{_escape(document.verdict)}</p>',
            f'<div class="tiles">{tiles}</div>' if tiles else "",
            *findings,
            *top,
            *rest,
            f"<script>{_DRAW}</script>" if plots else "",
            "</body></html>\n",
        ]
    )


def _section(section: Section, plots: tuple[Plot, ...]) -> str:
    parts = [f"<p{_soft(section)}>{_line(line)}</p>" for line in section.lines]
    if section.items:
        parts.append("<ul>" + "".join(f"<li>{_line(item)}</li>" for item in section.items) + "</ul>")
    if section.tables:
        parts.append(f'<div class="tables">{"".join(map(_table, section.tables))}</div>')
    parts += [_plot(plot, level=3) for plot in plots if plot.section == section.key]
    if section.folded:
        return f"<details><summary>{_escape(section.title)}</summary>{''.join(parts)}</details>"
    return f'<section id="{section.key}"><h2>{_escape(section.title)}</h2>{"".join(parts)}</section>'


def _soft(section: Section) -> str:
    return ' class="soft"' if section.tables else ""


def _table(table: Table) -> str:
    caption = f'<p class="caption">{_line(table.caption)}</p>' if table.caption else ""
    head = _row(table.columns, table.names, "th")
    body = "".join(_row(row, table.names, "td") for row in table.rows)
    return f'<div class="scroll">{caption}<table><thead>{head}</thead><tbody>{body}</tbody></table></div>'


def _row(cells: tuple[Cell, ...], names: int, tag: str) -> str:
    kinds = ("" if at < names else ' class="number"' for at in range(len(cells)))
    made = (f"<{tag}{kind}>{_cell(cell)}</{tag}>" for kind, cell in zip(kinds, cells, strict=True))
    return f"<tr>{''.join(made)}</tr>"


def _plot(plot: Plot, level: int) -> str:
    drawn = "".join(_figure(f"figure-{plot.name}-{at}", figure) for at, figure in enumerate(plot.figures))
    heading = f"<h{level}>{_escape(plot.title)}</h{level}>"
    keys = "".join(f'<span><i style="background:{colour}"></i>{_escape(text)}</span>' for colour, text in plot.keys)
    legend = f'<div class="keys">{keys}</div>' if keys else ""
    note = f"<figcaption>{_escape(plot.note)}</figcaption>"
    return f'{heading}<figure>{legend}<div class="plots">{drawn}</div>{note}</figure>'


def _figure(name: str, figure: Any) -> str:
    data = json.dumps({"figure": json.loads(figure.to_json()), "config": _CONFIG}, ensure_ascii=False, allow_nan=False)
    height = figure.layout.height
    # Inside a script element only "</script" and "<!--" mean anything; JSON may spell each "<" as an escape.
    inert = data.replace("<", "\\u003c")
    return (
        f'<div><div id="{name}" class="plot" style="height:{height}px"></div>'
        f'<script type="application/json">{inert}</script></div>'
    )


def _line(line: Line) -> str:
    return "".join(map(_cell, line))


def _cell(cell: Cell) -> str:
    return f"<code>{_escape(cell.text)}</code>" if isinstance(cell, Code) and cell.text else _escape(_text(cell))


def _text(cell: Cell) -> str:
    return cell.text if isinstance(cell, Code) else cell


def _escape(text: str) -> str:
    return html.escape(plain(text))
