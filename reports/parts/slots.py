"""Requests as bars in time, one lane each at a time: how they wait, and how the server's slots fill."""

from typing import Any

import numpy as np

from tokenswarm.reports.output import seconds
from tokenswarm.reports.parts.part import Part, Summary
from tokenswarm.reports.render.numbers import many
from tokenswarm.reports.render.plots import BLUE, ORANGE, RED, Plot, figure
from tokenswarm.reports.rows import in_order

MOST = 160  # requests, one after the other from the middle of the run


def plot(frame: Any, summary: Summary) -> Plot | None:
    """None where hardly anything was sent, or nobody knows when its output began."""
    known = frame["sent_unix_ns"].notna() & frame["ended_unix_ns"].notna()
    unseen = known & (frame["outcome"] == "ok") & frame["ttft_ms"].isna() & frame["eval_ms"].isna()
    known &= ~unseen
    names = ["sent_unix_ns", "ended_unix_ns", "made_from_ns", "outcome"]
    rows = frame.loc[known, names]
    if len(rows) < 2:
        return None
    begin = max(0, (len(rows) - MOST) // 2)
    some = rows.take(in_order(rows["sent_unix_ns"])[begin : begin + MOST])
    zero_ns = summary["window"]["first_sent_unix_ns"]
    sent, ended, output = (seconds(some[name], zero_ns) for name in ("sent_unix_ns", "ended_unix_ns", "made_from_ns"))
    failed = (some["outcome"] != "ok").to_numpy()
    output = np.where(failed | np.isnan(output), ended, output)
    lanes = in_lanes(sent, ended)
    made = figure(
        height=min(560, 130 + 14 * (int(lanes.max()) + 1)),
        xaxis={"title": {"text": "s since the first request was sent"}},
        yaxis={"title": {"text": "requests at a time"}, "rangemode": "tozero", "zeroline": False},
        showlegend=True,
    )
    bars = (
        ("waiting: sent, until its output begins", ORANGE, 3, sent, output, ~failed),
        ("its output", BLUE, 8, output, ended, ~failed),
        ("failed, or cut", RED, 3, sent, ended, failed),
    )
    for name, colour, width, since, until, which in bars:
        if not which.any():
            continue
        gap = np.full(int(which.sum()), np.nan)
        made.add_scatter(
            x=np.stack([since[which], until[which], gap], axis=1).ravel().round(4),
            y=np.stack([lanes[which] + 1, lanes[which] + 1, gap], axis=1).ravel(),
            mode="lines",
            line={"color": colour, "width": width},
            name=name,
            hovertemplate="%{x:.2f} s",
        )
    note = (
        f"{many(len(some), 'request')}{' from the middle of the run' if len(some) < len(rows) else ''}, each in the "
        "lowest lane that is free. As many thick bars above each other as there ever are: at least so many slots the "
        "server has. Where thin ones grow long, requests wait for a slot (or for their prefill)."
    )
    if n := int(unseen.sum()):
        note += f" Left out: {many(n, 'request')} of which nobody saw when the output began."
    return Plot("throughput", "slots", "Slots over time", note, (made,))


def in_lanes(sent: Any, ended: Any) -> Any:
    """The lowest lane that is free for each request, in order of sending."""
    free, lanes = list[float](), []
    for since, until in zip(sent, ended, strict=True):
        lane = next((at for at, end in enumerate(free) if end <= since), len(free))
        free[lane : lane + 1] = [until]
        lanes.append(lane)
    return np.array(lanes)


PART = Part(plot=plot)
