"""The ledger as stacked bars: where the time of a request went."""

from collections.abc import Mapping
from typing import Any

from tokenswarm.reports.parts.time_spent import LABELS, PARTS
from tokenswarm.reports.render.numbers import short
from tokenswarm.reports.render.plots import BLUE, GREEN, GREY, ORANGE, PURPLE, RED, SKY, Plot, figure, label

COLOURS = {
    "lateness": RED,
    "connect": PURPLE,
    "queue": ORANGE,
    "load": "#b58900",
    "prompt_eval": SKY,
    "eval": BLUE,
    "embed": GREEN,
    "rest": GREY,
    "first output": ORANGE,
    "streaming": BLUE,
    "whole answer": GREEN,
}
HATCHED = frozenset({"first output", "streaming", "whole answer"})  # what only the client tells
_NEGLIGIBLE = 0.0005


def build(frame: Any, summary: Mapping[str, Any]) -> Plot | None:
    """None where no request ended ok."""
    accounts = [(group, account) for group in summary["groups"] for account in group["ledger"]]
    if not accounts:
        return None
    rows = list(range(len(accounts)))
    made = figure(
        height=90 + 72 * len(accounts),
        barmode="relative",  # a slightly negative queue goes left of 0
        xaxis={"title": {"text": "mean ms per request"}},
        yaxis={"range": [len(accounts) - 0.6, -0.85], "visible": False},
        showlegend=False,
    )
    made.update_layout(margin_l=8, margin_t=4)
    for row, (group, account) in enumerate(accounts):
        _name_bar(made, row, group, account)
    longest = max(account["sum_mean_ms"] for _, account in accounts)
    keys = []
    for part in PARTS:
        values = [account["parts_mean_ms"].get(part) for _, account in accounts]
        if any(value is not None and abs(value) > _NEGLIGIBLE * longest for value in values):
            hatched, colour = part in HATCHED, COLOURS[part]
            marker = {"color": colour, "pattern": {"shape": "/" if hatched else "", "size": 6}}
            bar = {"width": 0.5, "orientation": "h", "marker": marker, "hovertemplate": "%{x:,.2f} ms"}
            made.add_bar(x=values, y=rows, name=LABELS[part], **bar)
            stripes = f"repeating-linear-gradient(135deg, {colour} 0 2px, transparent 2px 4px)"
            keys.append((stripes if hatched else colour, LABELS[part]))
    note = (
        "Means of requests with outcome ok. Parts below 0.05 % of the longest bar are left out here, not in the table. "
        "Hatched is what only the client can tell. A mean bar is the sum of its parts; a percentile would not be."
    )
    return Plot("ledger", "ledger", "The mean request, by part", note, (made,), tuple(keys))


def _name_bar(made: Any, row: int, group: Mapping[str, Any], account: Mapping[str, Any]) -> None:
    """A bar's name stands above it: beside it a phone would have no room left for the bar."""
    named = f"{group['endpoint']} {short(group['model'])} ({account['n']:,})"
    made.add_annotation(
        x=0,
        xref="paper",
        xanchor="left",
        y=row - 0.28,
        yanchor="bottom",
        showarrow=False,
        text=label(named if len(group["ledger"]) == 1 else f"{named}, by the {account['kind']}"),
    )
