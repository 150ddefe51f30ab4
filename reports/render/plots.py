"""What all figures look like: readable on light and dark, on a laptop and on a phone."""

import html
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import plotly.graph_objects as go

from tokenswarm.reports.render.numbers import plain

# Okabe and Ito's colours, which the colour-blind tell apart; their black and yellow do not show on both grounds.
BLUE, ORANGE, GREEN, RED = "#2a7fbf", "#e69f00", "#009e73", "#d55e00"
PURPLE, SKY, GREY = "#cc79a7", "#56b4e9", "#888888"
FILL = "rgba(42,127,191,0.3)"
PALETTE = (BLUE, ORANGE, GREEN, PURPLE, RED, SKY, GREY)
TICKS, EDGE = {30: (1, 2, 3, 5, 7), 1000: (1, 2, 5), math.inf: (1,)}, 1.3  # of an axis that spans so much
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


def log_ticks(values: Sequence[float]) -> list[float]:
    """Whole figures along a logarithmic axis of values over 0: left to itself it says 2 where it means 20."""
    least, most = min(values, default=0), max(values, default=0)
    if least <= 0:
        return []
    digits = next(digits for apart, digits in TICKS.items() if most <= apart * least)
    powers = range(math.floor(math.log10(least)) - 1, math.ceil(math.log10(most)) + 1)
    ticks = [float(f"{digit}e{power}") for power in powers for digit in digits]
    return [tick for tick in ticks if least / EDGE <= tick <= most * EDGE]


def label(text: object) -> str:
    """Text from elsewhere as plotly shows it, which takes some HTML for its own."""
    return html.escape(plain(text))
