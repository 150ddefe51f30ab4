"""Turns: how sessions went, turn by turn, and what became of each session."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from tokenswarm.reports.describe import drop_lumps
from tokenswarm.reports.load import Run
from tokenswarm.reports.parts.part import Part, Summary
from tokenswarm.reports.percentiles import describe
from tokenswarm.reports.render.document import Cell, Section, Table
from tokenswarm.reports.render.numbers import integer, many, number
from tokenswarm.reports.render.plots import BLUE, GREEN, GREY, ORANGE, Plot, figure

SHOWN = ("prompt_tokens", "ttft_ms", "e2e_ms", "prompt_eval_ms", "prompt_tokens_per_s")
_NEEDED = ("worker", "session", "turn", "turn_kind", "turns_left", "phase", "outcome", "cached_tokens")


def turns(frame: Any) -> dict[str, Any] | None:
    """By the user's turn, of requests with outcome ok: `turns[n]["ttft_ms"]["p50"]`, tool rounds apart; None without
    sessions.

    `frame` has the rows of the whole run, since a session may have begun in its warm-up; figures are of the rest.
    `sessions` counts them: `completed` to the last turn, `broken` off by a failed one, `cut` by the end of the run,
    which may have come in a pause. `cached_share` is of the prompt tokens; None where the server does not say.
    """
    several = frame[(frame["turn"] > 1) | (frame["turns_left"] > 0)]
    ids = several.frame(["worker", "session"]).drop_duplicates()
    if not len(ids):
        return None
    rows = (
        frame.frame((*_NEEDED, *SHOWN)).merge(ids, on=["worker", "session"]).sort_values(["worker", "session", "turn"])
    )
    # A tool round is a request of its own: the user's third turn may be the session's fifth request.
    rows["place"] = rows.groupby(["worker", "session", "turn_kind"]).cumcount() + 1
    rows = rows[rows["phase"] != "warm-up"]
    if not len(rows):
        return None
    ok = rows[rows["outcome"] == "ok"]
    tool = ok["turn_kind"] == "tool"
    return {
        "sessions": _ends(rows),
        "turns": [{"turn": int(n), **_describe(some)} for n, some in ok[~tool].groupby("place")],
        "tool_rounds": _describe(ok[tool]) if tool.any() else None,
    }


def _ends(rows: Any) -> dict[str, int]:
    last = rows.groupby(["worker", "session"]).tail(1)
    done = (last["outcome"] == "ok") & (last["turns_left"] == 0)
    broken = ~last["outcome"].isin(("ok", "cancelled"))
    return {
        "total": len(last),
        "completed": int(done.sum()),
        "broken": int(broken.sum()),
        "cut": int((~done & ~broken).sum()),
    }


def _describe(ok: Any) -> dict[str, Any]:
    told = ok[ok["cached_tokens"].notna() & ok["prompt_tokens"].notna()]
    prompt = int(told["prompt_tokens"].sum())
    return {
        "n": len(ok),
        **{name: describe(ok[name].to_numpy(dtype="float64", na_value=float("nan")), (50.0, 95.0)) for name in SHOWN},
        "cached_share": round(int(told["cached_tokens"].sum()) / prompt, 6) if prompt else None,
    }


def section(summary: Mapping[str, Any]) -> Section:
    """The section of the report; empty where no session has more than one turn."""
    found = summary["turns"]
    if not found:
        return Section("turns", "Turns")
    named = [(str(turn["turn"]), turn) for turn in found["turns"]]
    if found["tool_rounds"]:
        named.append(("tool rounds", found["tool_rounds"]))
    told = any(turn["cached_share"] is not None for _, turn in named)
    rows = tuple((name, *_cells(turn, told)) for name, turn in named)
    columns = (
        "turn",
        "n",
        "prompt tokens p50",
        *(("cached, %",) if told else ()),
        "prompt tokens/s p50",
        "TTFT p50, ms",
        "TTFT p95, ms",
        "E2E p50, ms",
    )
    ends = found["sessions"]
    lines = (
        f"{many(ends['total'], 'session')} of several turns: {integer(ends['completed'])} held to the end, "
        f"{integer(ends['broken'])} broken off by a failed request, {integer(ends['cut'])} cut by the end of the run.",
        "By the user's turns, of requests with outcome ok; requests that brought tools' results stand apart. What the "
        "server has cached of a context costs no prefill"
        + (
            "."
            if told
            else "; it does not say how much that was, but prompt tokens/s that rise with the turns betray it."
        ),
    )
    return Section("turns", "Turns", lines=tuple((line,) for line in lines), tables=(Table(columns, rows),))


def _cells(turn: Mapping[str, Any], told: bool) -> tuple[Cell, ...]:
    share = turn["cached_share"]
    return (
        integer(turn["n"]),
        number(turn["prompt_tokens"]["p50"]),
        *((number(None if share is None else 100 * share),) if told else ()),
        number(turn["prompt_tokens_per_s"]["p50"]),
        number(turn["ttft_ms"]["p50"]),
        number(turn["ttft_ms"]["p95"]),
        number(turn["e2e_ms"]["p50"]),
    )


MOST = 3000
BINS, LEAST = 16, 5
SCALE = ((0.0, BLUE), (0.5, GREEN), (1.0, ORANGE))


def plot(frame: Any, summary: Mapping[str, Any]) -> Plot | None:
    """None where no session has several turns. At most MOST points, thinned evenly by length."""
    known = (frame["outcome"] == "ok") & frame["ttft_ms"].notna() & frame["prompt_tokens"].notna()
    ok = frame.loc[known, ["prompt_tokens", "ttft_ms", "turn"]]
    if not summary["turns"] or not len(ok):
        return None
    ok = ok.frame().sort_values("prompt_tokens")
    length = ok["prompt_tokens"].to_numpy(dtype="float64")
    ttft_ms = ok["ttft_ms"].to_numpy(dtype="float64")
    turn = ok["turn"].to_numpy(dtype="float64", na_value=1.0)
    made = figure(
        height=400,
        xaxis={"title": {"text": "context: prompt tokens, cached ones included"}, "rangemode": "tozero"},
        yaxis={"title": {"text": "TTFT, ms"}, "rangemode": "tozero"},
        showlegend=True,
    )
    shown = np.linspace(0, len(ok) - 1, min(len(ok), MOST)).round().astype(int)
    bar = {"title": {"text": "turn"}, "thickness": 12, "tickformat": "d", "outlinewidth": 0}
    made.add_scatter(
        x=length[shown],
        y=ttft_ms[shown].round(2),
        mode="markers",
        marker={"size": 6, "opacity": 0.75, "color": turn[shown], "colorscale": SCALE, "colorbar": bar},
        customdata=turn[shown],
        name=f"a request ({integer(len(ok))})",
        hovertemplate="turn %{customdata:d}: %{x:,d} tokens, %{y:,.1f} ms",
    )
    at, middle_ms = medians(length, ttft_ms)
    if len(at) > 1:
        made.add_scatter(x=at, y=middle_ms, mode="lines", line={"color": GREY, "width": 2}, name="median")
    note = (
        "A line that climbs is prefill: the server evaluates the whole history again with each turn. A flat one is a "
        "cache that keeps it. What lies far above the line is waiting for a slot."
    )
    if len(ok) > MOST:
        note += f" {integer(MOST)} points are drawn, evenly picked."
    return Plot("turns", "turns", "TTFT against context length", note, (made,))


def medians(x: Any, y: Any) -> tuple[Any, Any]:
    """(median x, median y) of equally filled bins of a sorted x, each with LEAST points at least."""
    count = max(1, min(BINS, len(x) // LEAST))
    bins = list(zip(np.array_split(x, count), np.array_split(y, count), strict=True))
    return np.array([np.median(at) for at, _ in bins]), np.array([np.median(values) for _, values in bins]).round(2)


def data(run: Run, summary: Summary) -> dict[str, Any]:
    """`turns`: of the whole run, since a session may have begun in its warm-up."""
    return {"turns": turns(drop_lumps(run.frame, summary["overall"]["metrics"]))}


PART = Part(section, data, plot)
