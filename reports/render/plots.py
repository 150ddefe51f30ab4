"""What all figures look like: readable on light and dark, on a laptop and on a phone."""

import html
from dataclasses import dataclass
from typing import Any

import plotly.graph_objects as go

from tokenswarm.reports.render.numbers import plain

# Okabe and Ito's colours, which the colour-blind tell apart; their black and yellow do not show on both grounds.
BLUE, ORANGE, GREEN, RED = "#2a7fbf", "#e69f00", "#009e73", "#d55e00"
PURPLE, SKY, GREY = "#cc79a7", "#56b4e9", "#888888"
FILL = "rgba(42,127,191,0.3)"
PALETTE = (BLUE, ORANGE, GREEN, PURPLE, RED, SKY, GREY)
_GRID = "rgba(128,128,128,0.22)"


@dataclass(frozen=True, slots=True)
class Plot:
    """Figures that stand side by side where there is room, below the section with that key; `note` says how to read.

    `keys` are (CSS background, text) of a legend that all of them share.
    """

    section: str
    name: str
    title: str
    note: str
    figures: tuple[Any, ...]
    keys: tuple[tuple[str, str], ...] = ()


def figure(height: int = 340, **layout: Any) -> Any:
    """An empty plotly figure; the page gives the width and the title."""
    made = go.Figure(layout={"template": "none", "height": height, **layout})
    made.update_layout(
        paper_bgcolor="rgba(0,0,0,0)",
        plot_bgcolor="rgba(0,0,0,0)",
        font={"color": "#808080", "size": 12},
        margin={"l": 56, "r": 16, "t": 16, "b": 48},
        legend={"orientation": "h", "x": 0, "y": 1.02, "yanchor": "bottom", "xanchor": "left"},
        hoverlabel={"namelength": -1},
    )
    made.update_xaxes(gridcolor=_GRID, zerolinecolor=_GRID, automargin=True, title_standoff=8)
    made.update_yaxes(gridcolor=_GRID, zerolinecolor=_GRID, automargin=True, title_standoff=8)
    return made


def label(text: object) -> str:
    """Text from elsewhere as plotly shows it, which takes some HTML for its own."""
    return html.escape(plain(text))
