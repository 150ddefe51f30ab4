"""ITL: how long the gaps between chunks are, and how many of them are longer than so long."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from tokenswarm.metrics.histogram import RATIO, middle_ms
from tokenswarm.reports.gaps import Gaps
from tokenswarm.reports.parts.part import Part, Summary
from tokenswarm.reports.render.numbers import integer, number
from tokenswarm.reports.render.plots import PALETTE, Plot, figure, label, log_ticks

LEAST, WIDE = 100, 10  # gaps of a line; buckets of a step, which is 10 % wide then
RAREST_PERCENT = 0.01


def plot(gaps: Gaps, summary: Summary) -> Plot | None:
    """None of fewer than LEAST gaps, or where most streams came in lumps."""
    pooled = {
        f"{group['endpoint']} {group['model']}".strip(): _pooled(gaps, group["endpoint"], group["model"])
        for group in summary["groups"]
        if group["metrics"].get("itl_ms", {}).get("n", 0) >= LEAST
    }
    if not pooled:
        return None
    total = sum(sum(counts.values()) for counts in pooled.values())
    note = (
        "Of requests with outcome ok. Left the shares of gaps as long as that, in steps of 10 %: one peak is an even "
        "pace, two are two, as where the prefill of others comes between. Right the share that is longer, down to one "
        "in ten thousand."
    )
    if at_once := sum(counts.get(0, 0) for counts in pooled.values()):
        note += f" Not drawn: gaps of 0, of chunks that came in one read, {number(100 * at_once / total)} % of all."
    keys = tuple((PALETTE[at % len(PALETTE)], name) for at, name in enumerate(pooled))
    return Plot("latencies", "itl", "Gaps between chunks (ITL)", note, (_shares(pooled), _tails(pooled)), keys)


def _pooled(gaps: Gaps, endpoint: str, model: str) -> dict[int, int]:
    return gaps.pool(endpoint, model, asked=True) or gaps.pool(endpoint, model)


def _shares(pooled: Mapping[str, Mapping[int, int]]) -> Any:
    return _figure(pooled, "% of the gaps", {"rangemode": "tozero"}, shares, "%{y:.3~g} % from %{x:,.3~g} ms on")


def _tails(pooled: Mapping[str, Mapping[int, int]]) -> Any:
    axis = {"type": "log", "range": [np.log10(RAREST_PERCENT), 2], "tickvals": [100, 10, 1, 0.1, 0.01]}
    return _figure(pooled, "% of the gaps that are longer", axis, longer, "%{y:.2~f} % longer than %{x:,.4~g} ms")


def _figure(pooled: Mapping[str, Mapping[int, int]], title: str, axis: Any, points: Any, hover: str) -> Any:
    made = figure(
        height=320,
        xaxis={"title": {"text": "ITL, ms"}, "type": "log"},
        yaxis={"title": {"text": title}, **axis},
        showlegend=False,
    )
    lengths = [middle_ms(bucket) for counts in pooled.values() for bucket in counts if bucket]
    made.update_xaxes(tickvals=log_ticks(lengths) or None)
    for at, (name, counts) in enumerate(pooled.items()):
        x, y = points(counts)
        line = {"shape": "hv", "color": PALETTE[at % len(PALETTE)]}
        shown = f"{label(name)} ({integer(sum(counts.values()))})"
        made.add_scatter(x=x, y=y, mode="lines", line=line, name=shown, hovertemplate=hover)
    return made


def shares(counts: Mapping[int, int]) -> tuple[Any, Any]:
    """(where each step begins, in ms, % of all gaps within it), from the shortest that took any time to the longest."""
    steps = {number: (number - 1) // WIDE for number in counts if number}
    first, last = min(steps.values(), default=0), max(steps.values(), default=-1)
    found = np.zeros(last - first + 2)  # the last step ends where nothing is
    for bucket, step in steps.items():
        found[step - first] += counts[bucket]
    edges = RATIO ** (WIDE * np.arange(first, last + 2, dtype="float64")) / 1e6
    return edges.round(6), (100 * found / max(1, sum(counts.values()))).round(4)


def longer(counts: Mapping[int, int]) -> tuple[Any, Any]:
    """(ms, % of all gaps that are longer), of each bucket but the last: longer than that is none."""
    buckets = sorted(counts)
    left = sum(counts.values()) - np.cumsum([counts[bucket] for bucket in buckets])
    known = [(middle_ms(bucket), n) for bucket, n in zip(buckets, left, strict=True) if bucket and n]
    ms, n = np.array(known).reshape(-1, 2).T
    return ms.round(6), (100 * n / max(1, sum(counts.values()))).round(4)


PART = Part(gaps_plot=plot)
