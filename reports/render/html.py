"""A Document and its figures as one HTML file that needs nothing else: no network, no fonts, no other file."""

import json
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape

from tokenswarm.reports.render.document import Cell, Code, Document
from tokenswarm.reports.render.numbers import number, plain
from tokenswarm.reports.render.plots import Plot

_HERE = Path(__file__).parent
# plotly.js's own bundle of scatter, bar and pie, as npm's plotly.js-basic-dist-min has it: a quarter of the whole one,
# which the Python package brings. The two are of one version (a test holds it).
PLOTLY = _HERE / "plotly-basic.min.js"
# What stands above all figures that belong to no section.
FIRST = frozenset(
    {
        "gates",
        "comparable",
        "capacity",
        "stages",
        "depths",
        "figures",
        "open-loop",
        "slos",
        "conclusions",
        "mean-request",
        "findings",
        "remarks",
        "concurrency",
    }
)
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
// A figure on paper: drawn for a page at once, as printing waits for no timer, and scaled to the page that there is.
const plots = [...document.querySelectorAll(".js-plotly-plot")];
for (const plot of plots) {
  const scalable = () => {
    const {width, height} = plot._fullLayout;
    plot.querySelector(".svg-container").style.aspectRatio = `${width} / ${height}`;
    plot.querySelectorAll(".main-svg").forEach(svg => svg.setAttribute("viewBox", `0 0 ${width} ${height}`));
  };
  scalable();
  plot.on("plotly_afterplot", scalable);
}
const PAGE_PX = 720;
const all = layout => plots.forEach(plot => Plotly.relayout(plot, layout));
addEventListener("beforeprint", () => all({autosize: false, width: PAGE_PX}));
addEventListener("afterprint", () => all({autosize: true, width: null}));
"""
_OPTION = re.compile(r"(?<![\w-])--[a-z][a-z-]*")
_CONFIG = {"responsive": True, "displaylogo": False, "modeBarButtons": [["toImage", "resetScale2d"]]}


def render(document: Document, plots: Iterable[Plot] = (), lang: str = "en") -> str:
    """The whole page. All text is escaped; figures are drawn in the section of their key, or below the first ones."""
    plots = tuple(plots)
    return _template().render(
        document=document,
        plots=plots,
        keys={section.key for section in document.sections},
        first=FIRST,
        lang=lang,
        policy=Markup(_POLICY),
        css=Markup((_HERE / "page.css").read_text(encoding="utf-8")),
        plotly=Markup(PLOTLY.read_text(encoding="utf-8") if plots else ""),
        draw=Markup(_DRAW),
    )


def _template() -> Any:
    made = Environment(
        loader=FileSystemLoader(_HERE),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    made.filters |= {"plain": plain, "number": number, "drawing": _drawing}
    made.globals["cell_of"] = _cell
    return made.get_template("page.html.j2")


def _drawing(figure: Any) -> Markup:
    both = {"figure": json.loads(figure.to_json()), "config": _CONFIG}
    # In one order, whether a figure was drawn here or in another process.
    data = json.dumps(both, ensure_ascii=False, allow_nan=False, sort_keys=True)
    # Inside a script element only "</script" and "<!--" mean anything; JSON may spell each "<" as an escape.
    return Markup(data.replace("<", "\\u003c"))


def _cell(cell: Cell) -> Markup:
    text = escape(plain(cell.text if isinstance(cell, Code) else cell))
    if isinstance(cell, Code):
        return Markup("<code>{}</code>").format(text) if cell.text else text
    # Else a line may end between an option's hyphens.
    return Markup(_OPTION.sub(r'<span class="option">\g<0></span>', str(text)))
