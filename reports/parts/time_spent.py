"""Where the time went: the mean milliseconds of each part of a request, adding up to the whole of it."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from tokenswarm.metrics.catalogue import QUEUE_DERIVED
from tokenswarm.reports.growing import Growing
from tokenswarm.reports.parts.part import Part, Summary
from tokenswarm.reports.render.document import Bar, Cell, Line, Section, Table
from tokenswarm.reports.render.numbers import integer, many, number, short
from tokenswarm.reports.render.plots import BLUE, GREEN, GREY, ORANGE, PURPLE, RED, SKY, Plot, figure, label
from tokenswarm.reports.rows import parts as parts_of
from tokenswarm.reports.slices import name_cells, slices

LATE = ("lateness", "connect")
SELDOM = (*LATE, "load")  # shown where some request has it
NEEDED = (
    *(f"{name}_ms" for name in ("lateness", "connect", "queue", "load", "prompt_eval", "eval", "total", "ttft", "e2e")),
    "vectors",
    "ledger_source",
)
KINDS = {
    "server, with its total": (*LATE, "queue", "load", "prompt_eval", "eval", "rest"),
    "server, of an embedding": (*LATE, "load", "embed", "rest"),
    "server, with its queue": (*LATE, "queue", "load", "prompt_eval", "eval", "rest"),
    "server, its queue derived": (*LATE, "queue", "load", "prompt_eval", "eval", "rest"),
    "server, without a total": (*LATE, "load", "prompt_eval", "eval", "rest"),
    "client": (*LATE, "first output", "streaming"),
    "client, not streamed": (*LATE, "whole answer"),
}
CLOSED_MS, CLOSED_SHARE, CLOSED_PERCENT = 5.0, 0.02, 99.0  # a rest as small closes a request's ledger, so many a run's
PARTS = tuple(dict.fromkeys(part for parts in KINDS.values() for part in parts))
LABELS = {
    "lateness": "lateness",
    "connect": "connecting",
    "queue": "server queue",
    "load": "model load",
    "prompt_eval": "prompt eval",
    "eval": "eval (decoding)",
    "embed": "queue and embedding",
    "rest": "rest: network, client",
    "first output": "waiting for the first output",
    "streaming": "streaming",
    "whole answer": "waiting for the whole answer",
}


def ledger(ok: Any) -> list[dict[str, Any]]:
    """For each kind of account that the server's durations allow: n, mean ms of each part, and their sum.

    The parts of a row add up to e2e_ms, plus lateness_ms in the open loop, or connect_ms in the closed one (in the
    open loop connecting falls between scheduled and sent: it is taken out of the lateness, not counted twice). An
    absent server duration is 0, as in Ollama's JSON. queue is slightly negative where the server's clock readings
    overlap; it is left so, as clipping it would spoil the sum.
    """
    accounts = {kind: _Account(names) for kind, names in KINDS.items()}
    for rows in parts_of(ok):
        timed = rows[rows["e2e_ms"].notna()]
        for account, mask in zip(accounts.values(), _masks(timed), strict=True):
            if len(some := timed[mask]):
                account.add(some)
    return [
        {"kind": kind, **account.as_summary("total" in kind and "without" not in kind)}
        for kind, account in accounts.items()
        if account.n
    ]


def _masks(timed: Any) -> Iterator[Any]:
    """Which rows are of each kind, in the order of KINDS."""
    total = timed["total_ms"].notna()
    queued = ~total & timed["queue_ms"].notna() & timed["prompt_eval_ms"].notna()
    derived = queued & timed["ledger_source"].isin(QUEUE_DERIVED)
    parts = timed["prompt_eval_ms"].notna() & timed["eval_ms"].notna() & ~total & ~queued
    embedding = total & timed["vectors"].notna()
    client = timed["ttft_ms"].notna() & ~total & ~queued & ~parts
    yield from (total & ~embedding, embedding, queued & ~derived, derived, parts, client)
    yield ~total & ~queued & ~parts & ~client


class _Account:
    """The requests of one kind, taken in some at a time."""

    def __init__(self, names: Sequence[str]) -> None:
        self.n, self._closed, self._told_by = 0, 0, Counter[str]()
        self._sums, self._known, self._rests = dict.fromkeys(names, 0.0), set[str](), Growing(np.float64)

    def add(self, rows: Any) -> None:
        self.n += len(rows)
        for name in self._sums:
            self._sums[name] += float(_part(rows, name).sum())
            if name in SELDOM and rows[f"{name}_ms"].notna().any():
                self._known.add(name)
        if "rest" in self._sums:
            rest = _part(rows, "rest").abs()
            self._closed += int((rest <= (CLOSED_SHARE * rows["e2e_ms"]).clip(lower=CLOSED_MS)).sum())
            self._told_by.update({str(name): int(n) for name, n in rows["ledger_source"].value_counts().items()})
            self._rests.put(rest.to_numpy("float64"), len(rows))

    def as_summary(self, loads: bool) -> dict[str, Any]:
        """`loads`: it has a model load even where none is known. Who said the durations, by how many requests, and of
        how many the ledger closes, where there is a rest."""
        seldom = LATE if loads else SELDOM
        means = {
            name: total / self.n for name, total in self._sums.items() if name not in seldom or name in self._known
        }
        found = {
            "n": self.n,
            "parts_mean_ms": {name: round(mean, 6) for name, mean in means.items()},
            "sum_mean_ms": round(sum(means.values()), 6),
        }
        if "rest" in self._sums:
            told_by = {name: n for name, n in sorted(self._told_by.items()) if n and name}
            median = float(np.median(self._rests.values(), overwrite_input=True))
            found |= {"closed": self._closed, "told_by": told_by, "rest_p50_ms": round(median, 6)}
        return found


def _part(rows: Any, name: str) -> Any:
    if name == "lateness":
        connecting = rows["connect_ms"].fillna(0).where(rows["lateness_ms"].notna(), 0)
        return rows["lateness_ms"].fillna(0) - connecting
    if name == "rest":
        parts = sum(rows[f"{part}_ms"].fillna(0) for part in ("queue", "load", "prompt_eval", "eval"))
        return rows["e2e_ms"] - rows["total_ms"].where(rows["total_ms"].notna(), parts)
    if name == "embed":
        return rows["total_ms"] - rows["load_ms"].fillna(0)
    if name == "first output":
        return rows["ttft_ms"]
    if name == "streaming":
        return rows["e2e_ms"] - rows["ttft_ms"]
    if name == "whole answer":
        return rows["e2e_ms"]
    return rows[f"{name}_ms"].fillna(0)


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


def plot(frame: Any, summary: Mapping[str, Any]) -> Plot | None:
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
            keys.append((background(part), LABELS[part]))
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


def section(summary: Summary) -> Section:
    """Its part of the report."""
    rows: dict[tuple[str, ...], list[tuple[Cell, ...]]] = {}
    kinds: dict[tuple[str, ...], set[str]] = {}
    for group in slices(summary):
        for account in group["ledger"]:
            parts = account["parts_mean_ms"]
            cells = (*map(number, parts.values()), number(account["sum_mean_ms"]))
            rows.setdefault(tuple(parts), []).append((*name_cells(group), integer(account["n"]), *cells))
            kinds.setdefault(tuple(parts), set()).add(account["kind"])
    tables = tuple(
        Table(
            ("endpoint", "model", "n", *(LABELS[name] for name in parts), "sum"),
            tuple(found),
            caption=(f"As told by the {' and the '.join(sorted(kinds[parts]))}; mean ms",),
            names=2,
        )
        for parts, found in rows.items()
    )
    lines: Line = (
        "Mean milliseconds of requests with outcome ok. The parts add up to the whole: from scheduled (open loop) or "
        "from connecting to the last byte. What the server does not tell apart is left whole.",
    )
    said = tuple(map(_closed, accounts(summary))) if tables else ()
    return Section("ledger", "Where the time went", lines=(lines, *filter(None, said)) if tables else (), tables=tables)


def _closed(account: Mapping[str, Any]) -> Line:
    """Who told the durations of an account, and does the ledger close? If not, what is not told."""
    told_by = " and ".join(account.get("told_by") or ())
    if not told_by:
        return ()
    n, closed = account["n"], account["closed"]
    percent = 100 * closed / n
    waited = (
        ", and the wait before them (TTFT − prompt eval: it names no queue)," if "derived" in account["kind"] else ""
    )
    said = (
        f"{told_by}'s own durations{waited} account for {integer(closed)} of {integer(n)} requests "
        f"({number(percent)} %) to within {CLOSED_MS:g} ms or {100 * CLOSED_SHARE:g} %"
    )
    if percent >= CLOSED_PERCENT:
        return (f"{said}: the ledger closes.",)
    named = "queue" in account["parts_mean_ms"] or "embed" in account["parts_mean_ms"]
    rest = f"the rest, {number(account['rest_p50_ms'])} ms at the median, is "
    lies = "the network and this client" if named else "its queue, which it does not name, the network and this client"
    return (f"{said}: the ledger does not close; {rest}{lies}.",)


def accounts(summary: Summary) -> list[dict[str, Any]]:
    """Those of the steady phase where there is one, by the most requests first."""
    found: list[dict[str, Any]] = summary["steady"]["ledger"] or summary["overall"]["ledger"]
    return sorted(found, key=lambda account: -account["n"])


def main_account(summary: Summary) -> Mapping[str, Any] | None:
    """The one that most requests have."""
    return next(iter(accounts(summary)), None)


def bars(summary: Summary) -> Section:
    """The mean request as a bar: of the steady phase where there is one."""
    made = tuple(
        Bar(
            f"{many(account['n'], 'request')}, {number(account['sum_mean_ms'])} ms each, "
            f"as told by the {account['kind']}",
            "ms",
            tuple((LABELS[name], background(name), value) for name, value in account["parts_mean_ms"].items()),
        )
        for account in accounts(summary)
    )
    return Section("mean-request", "The mean request", bars=made)


def background(part: str) -> str:
    """Its colour as CSS; hatched where only the client can tell."""
    colour = COLOURS[part]
    return f"repeating-linear-gradient(135deg, {colour} 0 2px, transparent 2px 4px)" if part in HATCHED else colour


def _first_bar(summary: Summary) -> Section:
    made = bars(summary)
    return replace(made, bars=made.bars[:1])


PART, BAR = Part(section, plot=plot), Part(bars, terminal=_first_bar)
