"""Cold and warm: how long requests waited for their model, and who overtook them where models compete."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from tokenswarm.reports.columns import Floats
from tokenswarm.reports.describe import drop_lumps
from tokenswarm.reports.load import Run
from tokenswarm.reports.output import seconds
from tokenswarm.reports.parts.latencies import steps
from tokenswarm.reports.parts.part import Part, Summary, only_tables
from tokenswarm.reports.percentiles import describe_known
from tokenswarm.reports.render.document import Cell, Code, Section, Table
from tokenswarm.reports.render.numbers import integer, number
from tokenswarm.reports.render.plots import PALETTE, Plot, figure, label
from tokenswarm.reports.rows import known_values

STATES = ("cold", "warm")
PERCENTS = (50.0, 90.0, 95.0)


def describe_loads(frame: Any) -> dict[str, Any] | None:
    """`states`: load_ms and TTFT of ok requests, by model and state; `waits`: the longest wait of each model.

    None where no request was cold and no model kept another one's requests waiting.
    """
    frame = frame[[*_NEEDED]]
    ok = frame[frame["outcome"] == "ok"]
    waits = _waits(frame) if frame.loc[frame["load_state"].notna(), "model"].nunique() else []
    if not (ok["load_state"] == "cold").any() and not any(wait["overtaken"] for wait in waits):
        return None
    states = []
    for model in sorted(ok["model"].unique()):
        for state in STATES:
            rows = ok[(ok["model"] == model) & (ok["load_state"] == state)]
            if len(rows):
                described = {name: describe_known(known_values(rows, name), PERCENTS) for name in _SHOWN}
                longest = rows["load_ms"].max()
                states.append(
                    {
                        "model": str(model),
                        "state": state,
                        "n": len(rows),
                        **described,
                        "load_ms_max": None if longest != longest else float(longest),
                    }
                )
    return {"states": states, "waits": waits}


_SHOWN = ("load_ms", "ttft_ms", "e2e_ms")
_LONGEST = ("sent_unix_ns", "wait_ms", "outcome")
_NEEDED = ("model", "outcome", "load_state", "max_tokens", "sent_unix_ns", "ended_unix_ns", *_SHOWN)


def _waits(frame: Any) -> list[dict[str, Any]]:
    """By model, where there are several: the request that waited longest, until its model was there or it was cut.

    `overtaken` counts the ok requests of other models that were sent after it and ended while it waited.
    """
    rows = frame[frame["sent_unix_ns"].notna() & frame["max_tokens"].notna() & (frame["model"] != "")]
    if rows["model"].nunique() < 2:
        return []
    wait_ms = Floats()
    for some in rows.parts():
        wait_ms.put(Floats.piece(some["load_ms"].fillna(some["ttft_ms"]).fillna(some["e2e_ms"])), len(some))
    rows = rows.assign(wait_ms=wait_ms)
    found = []
    for model, own in rows.groupby("model", sort=True):
        waits = own["wait_ms"].to_numpy()
        if np.isnan(waits).all():
            continue
        longest = own.take(np.array([np.nanargmax(waits)])).frame(_LONGEST).iloc[0]
        until = int(longest["sent_unix_ns"]) + int(longest["wait_ms"] * 1e6)
        others = rows[(rows["model"] != model) & (rows["outcome"] == "ok")]
        passed = others[(others["sent_unix_ns"] > longest["sent_unix_ns"]) & (others["ended_unix_ns"] <= until)]
        found.append(
            {
                "model": str(model),
                "requests": len(own),
                "ok": int((own["outcome"] == "ok").sum()),
                "cold": int((own["load_state"] == "cold").sum()),
                "load_ms": describe_known(known_values(own, "load_ms"), (50.0, 95.0)),
                "longest_wait_ms": float(longest["wait_ms"]),
                "longest_wait_outcome": str(longest["outcome"]),
                "overtaken": len(passed),
            }
        )
    return found


def section(summary: Mapping[str, Any]) -> Section:
    """The section of the report; empty where nothing was loaded."""
    found = summary["loading"]
    if found is None:
        return Section("loading", "Loading: cold and warm")
    line = (
        "Cold: load_ms of 200 ms or more (the wait behind other loads and other models' requests included), or nothing "
        "was in memory just before. Warm load_ms are a few ms, up to 110 where models share a file. Requests with "
        "outcome ok.",
    )
    columns = ("n", "load p50, ms", "p90", "p95", "max", "TTFT p50, ms", "E2E p50, ms")
    rows = tuple((Code(s["model"]), s["state"], integer(s["n"]), *_times(s)) for s in found["states"])
    tables = [Table(("model", "", *columns), rows, names=2)]
    if any(wait["overtaken"] or not wait["ok"] for wait in found["waits"]):
        caption = ("Models that compete for the memory: requests for the loaded one overtake those that wait",)
        shown = (
            "model",
            "requests",
            "ok",
            "cold",
            "load p50, ms",
            "p95",
            "longest wait, ms",
            "it ended as",
            "overtaken",
        )
        tables.append(Table(shown, tuple(map(_wait_cells, found["waits"])), caption=caption))
    return Section("loading", "Loading: cold and warm", lines=(line,), tables=tuple(tables))


def _times(state: Mapping[str, Any]) -> tuple[Cell, ...]:
    load = state["load_ms"]
    shown = (load["p50"], load["p90"], load["p95"], state["load_ms_max"])
    return tuple(number(value) for value in (*shown, state["ttft_ms"]["p50"], state["e2e_ms"]["p50"]))


def _wait_cells(wait: Mapping[str, Any]) -> tuple[Cell, ...]:
    counts = (integer(wait[name]) for name in ("requests", "ok", "cold"))
    load, longest = wait["load_ms"], number(wait["longest_wait_ms"])
    by = f"by {integer(wait['overtaken'])}"
    loads = (number(load["p50"]), number(load["p95"]))
    return (Code(wait["model"]), *counts, *loads, longest, wait["longest_wait_outcome"], by)


DASH = {"cold": "solid", "warm": "dot"}
MOST = 1000


def plot(frame: Any, summary: Mapping[str, Any]) -> Plot | None:
    """None where no request was cold and no model kept another one waiting."""
    if summary["loading"] is None:
        return None
    ok = frame.loc[(frame["outcome"] == "ok") & frame["load_state"].notna(), [*_NEEDED]]
    models = sorted(set(frame.loc[frame["max_tokens"].notna(), "model"].unique()) - {""})
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
    took = ok.loc[ok["load_ms"] > 0, "load_ms"]
    # A margin on both sides: all cold loads may take the same time, and would be drawn on the very edge.
    around = [float(np.log10(took.min() / 1.5)), float(np.log10(took.max() * 1.5))] if len(took) else [0, 1]
    made = figure(
        height=320,
        xaxis={"title": {"text": "load_ms"}, "type": "log", "range": around},
        yaxis={"title": {"text": "% of requests"}, "range": [0, 102]},
        showlegend=True,
    )
    for (model, state), rows in ok[ok["load_ms"] > 0].groupby(["model", "load_state"], sort=True):
        x, share = steps(known_values(rows, "load_ms"))
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


def data(run: Run, summary: Summary) -> dict[str, Any]:
    """`loading`: None where there was none."""
    return {"loading": describe_loads(drop_lumps(run.measured, summary["overall"]["metrics"]))}


PART = Part(section, data, plot, terminal=only_tables(section))
