"""Turns: how sessions went, turn by turn, and what became of each session."""

from collections.abc import Mapping
from typing import Any

from tokenswarm.reports.percentiles import describe
from tokenswarm.reports.render.document import Cell, Section, Table
from tokenswarm.reports.render.numbers import integer, many, number

SHOWN = ("prompt_tokens", "ttft_ms", "e2e_ms", "prompt_eval_ms", "prompt_tokens_per_s")


def turns(frame: Any) -> dict[str, Any] | None:
    """By the user's turn, of requests with outcome ok: `turns[n]["ttft_ms"]["p50"]`, tool rounds apart; None without
    sessions.

    `frame` has the rows of the whole run, since a session may have begun in its warm-up; figures are of the rest.
    `sessions` counts them: `completed` to the last turn, `broken` off by a failed one, `cut` by the end of the run,
    which may have come in a pause. `cached_share` is of the prompt tokens; None where the server does not say.
    """
    ids = frame.loc[(frame["turn"] > 1) | (frame["turns_left"] > 0), ["worker", "session"]].drop_duplicates()
    rows = frame.merge(ids, on=["worker", "session"]).sort_values(["worker", "session", "turn"])
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
