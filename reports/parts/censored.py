"""Latencies where the end of the run cut many requests: with these, of which only a part of their time is known."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from tokenswarm.reports.percentiles import Described, describe_censored
from tokenswarm.reports.render.document import Cell, Code, Table
from tokenswarm.reports.render.numbers import integer, number
from tokenswarm.reports.slices import group_name

MANY = 0.01  # from this share of requests on
STREAMED = 0.99  # of those that ended ok: then those that were cut before anything came would have been streams, too
NEEDED = ("ttft_ms", "e2e_ms", "response_ms")
COLUMNS = ("p50", "p90", "p95", "p99")


def include_cut(ok: Any, cut: Any) -> dict[str, Described]:
    """`e2e_ms`, `response_ms` and `ttft_ms` with the requests that were cut; {} where these are few."""
    if not len(ok) or len(cut) < MANY * (len(ok) + len(cut)):
        return {}
    found = {}
    for name in NEEDED:
        done, unfinished = ok[name].to_numpy("float64"), cut[name].to_numpy("float64")
        if name == "ttft_ms":
            if (ok["ttft_ms"].notna()).mean() < STREAMED:
                continue
            waiting = cut["ttft_ms"].isna().to_numpy()  # of the others the first output is known
            done = np.concatenate((done, unfinished[~waiting]))
            unfinished = cut["e2e_ms"].to_numpy("float64")[waiting]
        described = describe_censored(done, unfinished)
        if described["cut"]:
            found[name] = described
    return found


def table(group: Mapping[str, Any]) -> Table | None:
    """Of one slice of the summary; None where few were cut."""
    rows: tuple[tuple[Cell, ...], ...] = tuple(
        (Code(name), integer(found["n"]), integer(found["cut"]), *(number(found[column]) for column in COLUMNS))
        for name, found in group["censored"].items()
    )
    caption = (*group_name(group), ", with those that the end of the run cut (Kaplan–Meier)")
    return Table(("ms", "n", "of them cut", *COLUMNS), rows, caption=caption) if rows else None
