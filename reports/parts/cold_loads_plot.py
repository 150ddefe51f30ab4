"""load_ms of cold and warm requests as cumulative distributions; where models compete, how many each was served."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from tokenswarm.reports.output import seconds
from tokenswarm.reports.parts.latencies import steps
from tokenswarm.reports.render.plots import PALETTE, Plot, figure, label

DASH = {"cold": "solid", "warm": "dot"}
MOST = 1000


def build(frame: Any, summary: Mapping[str, Any]) -> Plot | None:
    """None where no request was cold and no model kept another one waiting."""
    if summary["loading"] is None:
        return None
    ok = frame[(frame["outcome"] == "ok") & frame["load_state"].notna()]
    models = sorted(set(frame.loc[frame["max_tokens"].notna(), "model"]) - {""})
    colours = {model: PALETTE[at % len(PALETTE)] for at, model in enumerate(models)}
    made = []
    if (ok["load_state"] == "cold").any():
        made.append(_distributions(ok, colours))
    if len(models) > 1:
        made.append(_plot_served(ok, colours, summary))
    note = (
        "load_ms on a logarithmic axis; solid: cold, dotted: warm. Where models compete: requests with outcome ok that "
        "each model had served by then; a flat line is a model that waits."
    )
    return Plot("loading", "loading", "How long requests waited for their model", note, tuple(made)) if made else None


def _distributions(ok: Any, colours: Mapping[str, str]) -> Any:
    known = ok.loc[ok["load_ms"] > 0, "load_ms"]
    # A margin on both sides: all cold loads may take the same time, and would be drawn on the very edge.
    around = [float(np.log10(known.min() / 1.5)), float(np.log10(known.max() * 1.5))] if len(known) else [0, 1]
    made = figure(
        height=320,
        xaxis={"title": {"text": "load_ms"}, "type": "log", "range": around},
        yaxis={"title": {"text": "% of requests"}, "range": [0, 102]},
        showlegend=True,
    )
    for (model, state), rows in ok[ok["load_ms"] > 0].groupby(["model", "load_state"], sort=True):
        x, share = steps(rows["load_ms"].to_numpy(dtype="float64"))
        made.add_scatter(
            x=x,
            y=share,
            mode="lines",
            line={"shape": "hv", "color": colours.get(model), "dash": DASH[state]},
            name=f"{label(model)} {state} ({len(rows)})",
            hovertemplate="%{y:.1f} % at or below %{x:,.4~g} ms",
        )
    return made


def _plot_served(ok: Any, colours: Mapping[str, str], summary: Mapping[str, Any]) -> Any:
    first_ns, window_s = summary["window"]["first_sent_unix_ns"], summary["window"]["window_s"]
    made = figure(
        height=320,
        xaxis={"title": {"text": "s since the first request was sent"}, "range": [0, 1.01 * window_s]},
        yaxis={"title": {"text": "requests served"}, "rangemode": "tozero"},
        showlegend=True,
    )
    for model, colour in colours.items():
        ended = np.sort(seconds(ok.loc[ok["model"] == model, "ended_unix_ns"], first_ns))
        n = len(ended)
        ranks = np.unique(np.linspace(0, n - 1, min(n, MOST)).round().astype(int)) if n else np.array([], dtype=int)
        made.add_scatter(
            x=np.concatenate(([0.0], ended[ranks], [window_s])).round(3),
            y=np.concatenate(([0], ranks + 1, [n])),
            mode="lines",
            line={"shape": "hv", "color": colour},
            name=f"{label(model)} ({n})",
        )
    return made
