"""Every embedding request as a point: how long it took, by the size of its batch."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from tokenswarm.reports.render.plots import PALETTE, Plot, figure, label

MOST = 3000


def build(frame: Any, summary: Mapping[str, Any]) -> Plot | None:
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
            rows = rows.iloc[np.linspace(0, len(rows) - 1, MOST).round().astype(int)]
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
