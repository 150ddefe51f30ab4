"""The server's memory: which models were in it during the run, as the looks in server.csv have it."""

from collections.abc import Mapping
from typing import Any

import pandas as pd

from tokenswarm.reports.load import Run
from tokenswarm.reports.looks import Look
from tokenswarm.reports.parts.part import Part, Summary
from tokenswarm.reports.percentiles import describe
from tokenswarm.reports.render.document import Cell, Code, Section, Table
from tokenswarm.reports.render.numbers import integer, many, number
from tokenswarm.reports.render.plots import PALETTE, Plot, figure, label

MB = 1e6


def memory(found: tuple[Look, ...]) -> dict[str, Any] | None:
    """How often each model was seen, came and went; `changes` are the looks that differ from the one before."""
    answered = [look for look in found if look.models is not None]
    if not found:
        return None
    changes: list[dict[str, Any]] = []
    came: dict[str, int] = {}
    went: dict[str, int] = {}
    before: dict[str, float] | None = None
    for look in answered:
        sizes = {name: size for name, size, _, _ in look.models or ()}
        if before is not None:
            for name in sizes.keys() - before.keys():
                came[name] = came.get(name, 0) + 1
            for name in before.keys() - sizes.keys():
                went[name] = went.get(name, 0) + 1
        if sizes != before:
            changes.append({"unix_s": look.unix_s, "size_bytes": sizes})
        before = sizes
    models = sorted({name for look in answered for name, _, _, _ in look.models or ()})
    took = pd.Series([look.took_ms for look in answered], dtype="float64").to_numpy()
    return {
        "looks": len(found),
        "unanswered": len(found) - len(answered),
        "took_ms": describe(took, (50.0, 95.0)),
        "versions": list(dict.fromkeys(look.version for look in answered if look.version)),
        "first_unix_s": found[0].unix_s,
        "last_unix_s": found[-1].unix_s,
        "models": [{**_model(name, answered), "came": came.get(name, 0), "went": went.get(name, 0)} for name in models],
        "changes": changes,
    }


def _model(name: str, answered: list[Look]) -> dict[str, Any]:
    seen = [one for look in answered for one in look.models or () if one[0] == name]
    return {
        "model": name,
        "looks": len(seen),
        "size_bytes": max(one[1] for one in seen),
        "vram_bytes": max(one[2] for one in seen),
        "context_lengths": sorted({one[3] for one in seen if one[3]}),
    }


def section(summary: Mapping[str, Any]) -> Section:
    """The section of the report; empty where nobody looked, folded where each look saw the same."""
    found = summary["memory"]
    if found is None:
        return Section("memory", "Models in memory")
    took = found["took_ms"]
    said = f"{many(found['looks'], 'look')} at /api/ps, p50 {number(took['p50'])} ms"
    if found["unanswered"]:
        said += f"; {integer(found['unanswered'])} had no answer"
    if found["versions"]:
        said += f"; version {' → '.join(found['versions'])}"
    said += ". What came and went between two looks is not seen; a model that is being loaded is not listed."
    columns = ("model", "in memory, % of the looks", "came", "went", "size, MB", "in VRAM, MB", "context, tokens")
    answered = found["looks"] - found["unanswered"]
    rows = tuple(_cells(model, answered) for model in found["models"])
    tables = (Table(columns, rows),) if rows else ()
    still = answered == found["looks"] and len(found["changes"]) == 1 and len(found["versions"]) == 1
    return Section("memory", "Models in memory", lines=((said,),), tables=tables, folded=still)


def _cells(model: Mapping[str, Any], answered: int) -> tuple[Cell, ...]:
    sizes = (number(model["size_bytes"] / MB), number(model["vram_bytes"] / MB))
    contexts = ", ".join(map(integer, model["context_lengths"]))
    share = number(100 * model["looks"] / answered)
    return (Code(model["model"]), share, integer(model["came"]), integer(model["went"]), *sizes, contexts)


def plot(_frame: Any, summary: Mapping[str, Any]) -> Plot | None:
    """None where nobody looked, or nothing changed: the table says it all then."""
    found = summary["memory"]
    if found is None or len(found["changes"]) < 2:
        return None
    first_ns = summary["window"]["first_sent_unix_ns"]
    zero_s = found["first_unix_s"] if first_ns is None else first_ns / 1e9
    x = [round(change["unix_s"] - zero_s, 3) for change in found["changes"]]
    x.append(round(found["last_unix_s"] - zero_s, 3))
    made = figure(
        height=300,
        xaxis={"title": {"text": "s since the first request was sent"}},
        yaxis={"title": {"text": "MB in memory"}, "rangemode": "tozero"},
        showlegend=True,
    )
    for at, model in enumerate(found["models"]):
        sizes = [change["size_bytes"].get(model["model"], 0) / MB for change in found["changes"]]
        colour = PALETTE[at % len(PALETTE)]
        made.add_scatter(
            x=x,
            y=[*sizes, sizes[-1]],
            name=label(model["model"]),
            stackgroup="memory",
            mode="lines",
            line={"shape": "hv", "width": 1, "color": colour},
            hovertemplate="%{y:,.0f} MB",
        )
    note = (
        "Each step is a look that differs from the one before. Where it is empty, nothing was loaded, or just loading."
    )
    return Plot("memory", "memory", "Models in memory over time", note, (made,))


def data(run: Run, _summary: Summary) -> dict[str, Any]:
    """`memory`: what was in the server's memory; None where nobody looked."""
    return {"memory": memory(run.looks)}


def _swapped(summary: Summary) -> Section:
    """For the terminal: models that came, and went for each other."""
    made = section(summary)
    return Section("", "") if made.folded or len(summary["groups"]) < 2 or not made.tables else made


PART = Part(section, data, plot, terminal=_swapped)
