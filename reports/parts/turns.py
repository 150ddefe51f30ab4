"""Turns: how sessions went, turn by turn, and what became of each session."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from tokenswarm.reports.describe import drop_lumps
from tokenswarm.reports.load import Run
from tokenswarm.reports.parts.part import Part, Summary, only_tables
from tokenswarm.reports.percentiles import describe_known
from tokenswarm.reports.render.document import Cell, Section, Table
from tokenswarm.reports.render.numbers import integer, many, number
from tokenswarm.reports.render.plots import BLUE, GREEN, GREY, ORANGE, Plot, figure
from tokenswarm.reports.rows import known_values, parts

SHOWN = ("prompt_tokens", "ttft_ms", "e2e_ms", "prompt_eval_ms", "prompt_tokens_per_s")
TOOL = "tool"


def turns(frame: Any) -> dict[str, Any] | None:
    """By the user's turn, of requests with outcome ok: `turns[n]["ttft_ms"]["p50"]`, tool rounds apart; None without
    sessions.

    `frame` has the rows of the whole run, since a session may have begun in its warm-up; figures are of the rest.
    `sessions` counts them: `completed` to the last turn, `broken` off by a failed one, `cut` by the end of the run,
    which may have come in a pause. `cached_share` is of the prompt tokens; None where the server does not say.
    """
    several = frame[((frame["turn"] > 1) | (frame["turns_left"] > 0)).to_numpy(bool, na_value=False)]
    several = several[several["session"].notna()]
    if not len(several):
        return None
    most = int(frame["session"].max()) + 1
    ids = np.unique(_sessions(several, most))
    rows = frame[np.concatenate([np.isin(_sessions(some, most), ids) for some in parts(frame)])]
    del several, ids
    session = _sessions(rows, most)
    order = np.lexsort((rows["turn"].to_numpy("int64", na_value=2**62), session)).astype(np.int32)
    session = session[order]
    kept = (rows["phase"] != "warm-up").to_numpy()[order]
    if not kept.any():
        return None
    ends = session[kept]
    last = order[kept][np.append(ends[1:] != ends[:-1], True)]
    place, tool = _places(rows["turn_kind"], session, order)
    del session, ends
    ok = kept & (rows["outcome"] == "ok").to_numpy()[order]
    by_place = np.argsort(place, kind="stable")
    by_place = by_place[(ok & ~tool & (place > 0))[by_place]]
    numbers, begins = np.unique(place[by_place], return_index=True)
    by_turn = np.split(order[by_place], begins[1:])
    return {
        "sessions": _ends(rows.take(np.sort(last))),
        "turns": [
            {"turn": int(n), **_describe(rows.take(np.sort(some)))} for n, some in zip(numbers, by_turn, strict=False)
        ],
        "tool_rounds": _describe(rows.take(np.sort(order[ok & tool]))) if (ok & tool).any() else None,
    }


def _sessions(rows: Any, most: int) -> Any:
    """A number for the session of each row: sessions are numbered by their first request, by each worker anew."""
    worker, session = (rows[name].to_numpy("int64", na_value=-1) for name in ("worker", "session"))
    return np.where(session < 0, -1, worker * most + session)


def _places(kinds: Any, session: Any, order: Any) -> tuple[Any, Any]:
    """Of rows by session: the how manieth each is of its kind in its session, from 1 on (0 where no kind is known), and
    which are tool rounds.

    A tool round is a request of its own: the user's third turn may be the session's fifth request.
    """
    codes, found = kinds.cat.codes.to_numpy()[order], np.zeros(len(order), dtype=np.int32)
    for code in range(len(kinds.cat.categories)):
        own = np.flatnonzero(codes == code)
        first = np.append(True, session[own[1:]] != session[own[:-1]])[: len(own)]
        begins = np.flatnonzero(first)
        found[own] = np.arange(1, len(own) + 1) - np.repeat(begins, np.diff(begins, append=len(own)))
    return found, codes == (kinds.cat.categories.get_loc(TOOL) if TOOL in kinds.cat.categories else -2)


def _ends(last: Any) -> dict[str, int]:
    done = ((last["outcome"] == "ok") & (last["turns_left"] == 0)).to_numpy(bool, na_value=False)
    broken = (~last["outcome"].isin(("ok", "cancelled"))).to_numpy(bool)
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
        **{name: describe_known(known_values(ok, name), (50.0, 95.0)) for name in SHOWN},
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
    if not summary["turns"]:
        return None
    told = (frame["outcome"] == "ok") & frame["ttft_ms"].notna() & frame["prompt_tokens"].notna()
    ok = frame.loc[told, ["prompt_tokens", "ttft_ms", "turn"]]
    if not len(ok):
        return None
    by_length = np.argsort(ok["prompt_tokens"].to_numpy("int64"), kind="stable").astype(np.int32)
    length = ok["prompt_tokens"].to_numpy("float64")[by_length]
    ttft_ms = ok["ttft_ms"].to_numpy("float64")[by_length]
    made = figure(
        height=400,
        xaxis={"title": {"text": "context: prompt tokens, cached ones included"}, "rangemode": "tozero"},
        yaxis={"title": {"text": "TTFT, ms"}, "rangemode": "tozero"},
        showlegend=True,
    )
    shown = np.linspace(0, len(ok) - 1, min(len(ok), MOST)).round().astype(int)
    turn = ok["turn"].to_numpy("float64", na_value=1.0)[by_length[shown]]
    bar = {"title": {"text": "turn"}, "thickness": 12, "tickformat": "d", "outlinewidth": 0}
    made.add_scatter(
        x=length[shown],
        y=ttft_ms[shown].round(2),
        mode="markers",
        marker={"size": 6, "opacity": 0.75, "color": turn, "colorscale": SCALE, "colorbar": bar},
        customdata=turn,
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


PART = Part(section, data, plot, terminal=only_tables(section))
