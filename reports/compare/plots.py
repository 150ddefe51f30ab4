"""The figures of a comparison: forest plot, shift function, ledgers and throughputs side by side."""

import math
from collections.abc import Sequence
from statistics import median
from typing import Any

import numpy as np

from tokenswarm.reports.compare import shown
from tokenswarm.reports.compare.comparison import Comparison
from tokenswarm.reports.compare.figures import RATES
from tokenswarm.reports.compare.rates import BINS
from tokenswarm.reports.compare.shift import Shift
from tokenswarm.reports.compare.verdicts import BETTER, SAME, WORSE, Judged
from tokenswarm.reports.compare.words import bracket, say
from tokenswarm.reports.parts import time_spent
from tokenswarm.reports.parts.throughput import steps
from tokenswarm.reports.render.numbers import number
from tokenswarm.reports.render.plots import BLUE, GREEN, GREY, ORANGE, RED, Plot, figure, label

_LOOKS = {BETTER: (GREEN, "circle"), WORSE: (RED, "square"), SAME: (GREY, "diamond")}
_OTHERS = (GREY, "diamond-open")
_SHADE, _BAND = "rgba(128,128,128,0.15)", "rgba(42,127,191,0.2)"
_WIDEST = 60.0  # per cent: what reaches further is cut at the edge of the figure
_SIDES = (BLUE, ORANGE)


def plots(made: Comparison) -> tuple[Plot, ...]:
    """Those that there is something to draw for."""
    found = (_forest(made), _shifts(made), _ledgers(made), _throughput(made))
    return tuple(plot for plot in found if plot)


def _forest(made: Comparison) -> Plot | None:
    rows = [each for each in made.judged if not made.is_staged or each.figure.aggregate in ("mean", "")]
    if not rows:
        return None
    widest = min(_WIDEST, 1.1 * max(3.0, *map(_reach, rows)))
    drawn = figure(
        height=70 + 30 * len(rows),
        xaxis={"title": {"text": say("change axis")}, "range": [-widest, widest], "zeroline": True},
        yaxis={
            "tickvals": list(range(len(rows))),
            "ticktext": [label(shown.name(each.figure)) for each in rows],
            "range": [len(rows) - 0.5, -0.5],
            "zeroline": False,
        },
        showlegend=False,
    )
    edge = 100 * made.settings.edge
    drawn.add_vrect(x0=-edge, x1=edge, fillcolor=_SHADE, line_width=0, layer="below")
    for at, each in enumerate(rows):
        _whisker(drawn, at, each, made)
    return Plot("figures", "forest", say("forest"), say("forest note"), (drawn,), _forest_keys(rows))


def _forest_keys(rows: Sequence[Judged]) -> tuple[tuple[str, str], ...]:
    there = {each.verdict for each in rows}
    keys = ((WORSE, RED, "worse"), (BETTER, GREEN, "better"), (SAME, GREY, "same"))
    return tuple((colour, say(key)) for verdict, colour, key in keys if verdict in there)


def _reach(each: Judged) -> float:
    """How far its known ends lie from 0; one that nobody knows goes on beyond the figure's edge."""
    ends = [shown.percent(each.figure, end) for end in (each.low, each.figure.contrast.change, each.high)]
    return max((abs(end) for end in ends if end is not None), default=_WIDEST)


def _whisker(drawn: Any, at: int, each: Judged, made: Comparison) -> None:
    colour, symbol = _LOOKS.get(each.verdict, _OTHERS)
    low, middle, high = (shown.percent(each.figure, end) for end in (each.low, each.figure.contrast.change, each.high))
    ends = [-2 * _WIDEST if low is None else low, 2 * _WIDEST if high is None else high]
    verdict = shown.verdict_and_needs(each, made.settings.edge, made.settings.margin)
    said = f"{shown.change(each)}{bracket(shown.interval(each))}: {verdict}"
    drawn.add_scatter(x=ends, y=[at, at], mode="lines", line={"color": colour, "width": 2}, hoverinfo="skip")
    drawn.add_scatter(
        x=[middle],
        y=[at],
        mode="markers",
        marker={"symbol": symbol, "size": 10, "color": colour},
        hovertemplate=f"{label(said)}<extra></extra>",
    )


def _shifts(made: Comparison) -> Plot | None:
    if not made.shifts:
        return None
    drawn = tuple(_shift(each, made.settings.edge) for each in made.shifts)
    return Plot("shift", "shift", say("shift plot"), say("shift note"), drawn)


def _shift(each: Shift, edge: float) -> Any:
    changes, lows, highs = ([100 * _grown(v) for v in values] for values in (each.change, each.low, each.high))
    # As far as the line goes and half of the bounds: those of the ends may be anywhere.
    bounds = [abs(v) for v in (*lows, *highs)]
    reach = min(2 * _WIDEST, 1.2 * max(3.0, median(bounds), *map(abs, changes)))
    drawn = figure(
        height=300,
        xaxis={"title": {"text": say("percentile axis")}, "range": [0, 100]},
        yaxis={"title": {"text": f"{say(each.metric)}: {say('change axis')}"}, "range": [-reach, reach]},
        showlegend=False,
    )
    drawn.add_hrect(y0=-100 * edge, y1=100 * edge, fillcolor=_SHADE, line_width=0, layer="below")
    percents = list(each.percents)
    band = [min(v, 3 * reach) for v in highs] + [max(v, -3 * reach) for v in reversed(lows)]
    drawn.add_scatter(
        x=percents + percents[::-1], y=band, fill="toself", fillcolor=_BAND, mode="none", hoverinfo="skip"
    )
    drawn.add_scatter(
        x=percents,
        y=changes,
        mode="lines+markers",
        line={"color": BLUE, "width": 2},
        marker={"size": 6},
        hovertemplate="p%{x}: %{y:+.1f} %<extra></extra>",
    )
    return drawn


def _grown(change: float) -> float:
    return math.expm1(min(change, 50.0))


def _ledgers(made: Comparison) -> Plot | None:
    groups = [
        {"endpoint": say(key), "model": "", "ledger": list(side)} for key, side in zip("AB", made.ledgers, strict=True)
    ]
    return time_spent.plot(None, {"groups": groups}) if all(made.ledgers) else None


def _throughput(made: Comparison) -> Plot | None:
    if not all(made.rates):
        return None
    longest_s = max(lasted_s for side in made.rates for lasted_s, _ in side)
    drawn = figure(
        height=340,
        xaxis={"title": {"text": say("time axis")}, "range": [0, 1.01 * longest_s]},
        yaxis={"title": {"text": say(RATES[made.counted])}, "rangemode": "tozero"},
        showlegend=False,
    )
    for side, colour in zip(made.rates, _SIDES, strict=True):
        for lasted_s, values in side:
            means = values.reshape(BINS, -1).mean(axis=1)
            edges = np.linspace(0, lasted_s, BINS + 1).round(3)
            line = {"color": colour, "width": 1.5 if len(side) == 1 else 1, "shape": "hv"}
            drawn.add_scatter(
                x=edges, y=steps(means), mode="lines", line=line, hovertemplate="%{y:,.4~g}<extra></extra>"
            )
    keys = tuple((colour, say(key)) for colour, key in zip(_SIDES, "AB", strict=True))
    note = say("throughput note", n1=number(longest_s / BINS))
    title = say(f"{RATES[made.counted]} plot")
    return Plot("throughput", "throughput", title, note, (drawn,), keys)
