"""Embedding requests: vectors a second, and what a batch costs by its size."""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from tokenswarm.reports.load import Run
from tokenswarm.reports.output import Window, amount_per_s, of_ok
from tokenswarm.reports.parts.part import Part, Summary
from tokenswarm.reports.percentiles import RATE, describe_known
from tokenswarm.reports.render.document import Cell, Code, Section, Table
from tokenswarm.reports.render.numbers import integer, number
from tokenswarm.reports.render.plots import PALETTE, Plot, figure, label
from tokenswarm.reports.rows import known_values

MOST_SIZES = 10  # so many batch sizes have a line each, more are put together by powers of 2


def describe_embeddings(frame: Any, run_window: Window | None, everything: Any) -> list[dict[str, Any]]:
    """By endpoint and model: vectors and prompt tokens of ok requests a second of the run, batch sizes, E2E by size.

    Rates are of `everything`, the warm-up included, that lies in the window of the run.
    """
    rows, every = frame[frame["batch_size"].notna()], everything[everything["batch_size"].notna()]
    found = []
    for (endpoint, model), some in rows.groupby(["endpoint", "model"], sort=True):
        ok = some[some["outcome"] == "ok"]
        same = every[(every["endpoint"] == endpoint) & (every["model"] == model)]
        sizes = ok["dimension"].dropna().astype(int).value_counts(sort=False)
        found.append(
            {
                "endpoint": str(endpoint),
                "model": str(model),
                "requests": len(some),
                "ok": len(ok),
                "vectors": int(ok["vectors"].sum()),
                "bad_vectors": int(ok["bad_vectors"].sum()),
                "dimensions": {str(size): int(n) for size, n in sorted(sizes.items())},
                **{
                    f"{name}_per_s": amount_per_s(same, of_ok(name), run_window) if run_window else None
                    for name in ("vectors", "prompt_tokens")
                },
                "batch_size": describe_known(known_values(some, "batch_size"), RATE),
                "by_batch_size": [_of_size(part, least, most) for least, most, part in _by_size(ok)],
            }
        )
    return found


def _by_size(ok: Any) -> Iterator[tuple[int, int, Any]]:
    sizes = sorted({int(size) for size in ok["batch_size"]})
    if len(sizes) <= MOST_SIZES:
        edges = [(size, size) for size in sizes]
    else:
        powers = sorted({size.bit_length() - 1 for size in sizes})
        edges = [(max(2**n, sizes[0]), min(2 ** (n + 1) - 1, sizes[-1])) for n in powers]
    for least, most in edges:
        yield least, most, ok[(ok["batch_size"] >= least) & (ok["batch_size"] <= most)]


def _of_size(rows: Any, least: int, most: int) -> dict[str, Any]:
    names = ("e2e_ms", "vectors_per_s", "embed_tokens_per_s")
    described = {name: describe_known(known_values(rows, name), (50.0, 95.0)) for name in names}
    return {"from": least, "to": most, "n": len(rows), **described}


def vectors_per_s(found: list[dict[str, Any]]) -> float | None:
    """Of the whole run; None where nothing was embedded."""
    rates = [group["vectors_per_s"] for group in found if group["vectors_per_s"] is not None]
    return round(sum(rates), 6) if rates else None


def section(summary: Mapping[str, Any]) -> Section:
    """The section of the report; empty where nothing was embedded."""
    groups = summary["embedding"]
    if not groups:
        return Section("embeddings", "Embeddings")
    line = (
        "Vectors/s and prompt tokens/s of the run: of ok requests, those in the window of the run / its length; of a "
        "request: its vectors / its E2E. A bad vector is not finite, all zeros, or of another dimension than the first"
        ".",
    )
    columns = ("vectors/s", "prompt tokens/s", "requests", "ok", "vectors", "bad", "dimension")
    sizes = ("batch mean", "p10", "p50", "p90")
    rows = tuple((Code(g["endpoint"]), Code(g["model"]), *_totals(g)) for g in groups)
    tables = [Table(("endpoint", "model", *columns, *sizes), rows, names=2)]
    by_size = ("batch size", "n", "E2E p50, ms", "p95", "a request's vectors/s p50", "its prompt tokens/s p50")
    for group in groups:
        caption = (Code(group["endpoint"]), " ", Code(group["model"]), " by batch size")
        lines = tuple(map(_size_cells, group["by_batch_size"]))
        if lines:
            tables.append(Table(by_size, lines, caption=caption))
    return Section("embeddings", "Embeddings", lines=(line,), tables=tuple(tables))


def _totals(group: Mapping[str, Any]) -> tuple[Cell, ...]:
    rates = (number(group["vectors_per_s"]), number(group["prompt_tokens_per_s"]))
    counts = tuple(integer(group[name]) for name in ("requests", "ok", "vectors", "bad_vectors"))
    batch = tuple(number(group["batch_size"][name]) for name in ("mean", "p10", "p50", "p90"))
    return (*rates, *counts, ", ".join(group["dimensions"]), *batch)


def _size_cells(part: Mapping[str, Any]) -> tuple[Cell, ...]:
    named = str(part["from"]) if part["from"] == part["to"] else f"{part['from']}–{part['to']}"
    rates = (number(part[name]["p50"]) for name in ("vectors_per_s", "embed_tokens_per_s"))
    return (named, integer(part["n"]), number(part["e2e_ms"]["p50"]), number(part["e2e_ms"]["p95"]), *rates)


MOST = 3000


def plot(frame: Any, summary: Mapping[str, Any]) -> Plot | None:
    """None where nothing was embedded. At most MOST points an endpoint and model, thinned evenly."""
    ok = frame[(frame["outcome"] == "ok") & frame["batch_size"].notna() & frame["e2e_ms"].notna()]
    if not len(ok):
        return None
    made = figure(
        height=360,
        xaxis={"title": {"text": "texts in the request"}, "rangemode": "tozero"},
        yaxis={"title": {"text": "E2E, ms"}, "rangemode": "tozero"},
        showlegend=True,
    )
    for at, ((endpoint, model), rows) in enumerate(ok.groupby(["endpoint", "model"], sort=True)):
        if len(rows) > MOST:
            rows = rows.take(np.linspace(0, len(rows) - 1, MOST).round().astype(int))
        made.add_scatter(
            x=rows["batch_size"].to_numpy(dtype="float64"),
            y=rows["e2e_ms"].to_numpy(dtype="float64").round(2),
            mode="markers",
            marker={"size": 6, "opacity": 0.6, "color": PALETTE[at % len(PALETTE)]},
            name=label(f"{endpoint} {model}".strip()),
            hovertemplate="%{x} texts, %{y:,.1f} ms",
        )
    note = (
        "Requests with outcome ok. A line through the origin costs the same per text in whatever batch; one that "
        "begins above it has a cost per request, which larger batches share."
    )
    return Plot("embeddings", "embeddings", "E2E by batch size", note, (made,))


def data(run: Run, _summary: Summary) -> dict[str, Any]:
    """`embedding`: an entry for each endpoint and model."""
    return {"embedding": describe_embeddings(run.measured, run.span, run.frame)}


PART = Part(section, data, plot)
