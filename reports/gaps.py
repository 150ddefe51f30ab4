"""The gaps between chunks (ITL) of many rows: read a block at a time, summed up, and not kept, since they add up."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from tokenswarm.metrics.histogram import decode, middle_ms
from tokenswarm.metrics.text import text
from tokenswarm.reports.columns import FILLED
from tokenswarm.reports.errors import ReportError
from tokenswarm.reports.slices import asked

BUCKETS = 10_000  # of four digits at most
_MIDDLE_MS = np.array([middle_ms(bucket) if bucket < 4000 else 0.0 for bucket in range(BUCKETS)])
_SPACE, _COLON, _ZERO = (ord(one) for one in " :0")
Items = tuple[Any, Any, Any]  # of each item its row, its bucket and its count


def items(column: Any) -> Items | None:
    """Of encoded histograms, NaN where there is none. None where anything in them is no plain `bucket` or
    `bucket:count`, and each has to be looked at.

    A look at all bytes at once: digit by digit, not text by text.
    """
    known = column.notna().to_numpy()
    texts = [f"{cell} " for cell in column[known]]
    joined = "".join(texts).encode()
    if joined.translate(None, b"0123456789: "):
        return None
    given = np.frombuffer(joined, dtype=np.uint8)
    ends, colons = np.flatnonzero(given == _SPACE), np.flatnonzero(given == _COLON)
    starts, which = np.concatenate(([0], ends[:-1] + 1))[: len(ends)], np.searchsorted(ends, colons)
    bucket_ends = ends.copy()
    bucket_ends[which] = colons
    widths, counted = bucket_ends - starts, ends[which] - colons - 1
    if (
        (np.diff(which) == 0).any()
        or ((widths < 1) & (ends > starts)).any()
        or (widths > 4).any()
        or (counted < 1).any()
        or (counted > 12).any()
    ):
        return None
    counts = np.ones(len(ends), dtype=np.int64)
    counts[which] = _numbers(given, colons + 1, counted)
    buckets = _numbers(given, starts, widths)
    rows = np.repeat(np.flatnonzero(known), np.diff(np.searchsorted(ends, np.cumsum([0, *map(len, texts)]))))
    there = widths > 0  # two spaces have nothing between them
    return rows[there], buckets[there], counts[there]


def _numbers(given: Any, starts: Any, widths: Any) -> Any:
    found = np.zeros(len(starts), dtype=np.int64)
    for place in range(int(widths.max(initial=0))):
        there = widths > place
        found[there] = found[there] * 10 + (given[starts[there] + place] - _ZERO)
    return found


def decoded(column: Any) -> Items:
    """The same, text by text. Raises ReportError on a text that is no histogram."""
    found: list[tuple[int, int, int]] = []
    for row, cell in enumerate(column.fillna("")):
        try:
            found += [(row, bucket, count) for bucket, count in decode(cell).items()]
        except ValueError as error:
            raise ReportError(f"requests.csv: {cell[:40]!r} is no histogram of gaps") from error
    made = np.array(found, dtype=np.int64).reshape(-1, 3)
    return made[:, 0], made[:, 1], made[:, 2]


def sums_ms(of: Items, rows: int) -> Any:
    """How long the gaps of each row are together: from its first chunk to its last, exact to 1 %; NaN without any."""
    at, buckets, counts = of
    total = np.bincount(at, weights=_MIDDLE_MS[buckets] * counts, minlength=rows)
    return np.where(np.bincount(at, minlength=rows) > 0, total, np.nan)


@dataclass(slots=True)
class Gaps:
    """Of requests with outcome ok the pooled histograms, by endpoint, model, phase, and whether something was asked
    for (a management call is of no interest where anything else is there)."""

    pools: dict[tuple[str, str, str, bool], Any] = field(default_factory=dict)

    def add(self, frame: Mapping[str, Any], of: Items) -> None:
        """Take in the items of a frame's rows."""
        at, buckets, counts = of
        which = asked(frame).rename("asked")
        names = [frame[name].astype("str").fillna(FILLED[name]) for name in ("endpoint", "model", "phase")]
        ok = (frame["outcome"] == "ok").to_numpy()
        for (endpoint, model, phase, asking), rows in which.groupby([*names, which], observed=True).indices.items():
            member = np.zeros(len(ok), dtype=bool)
            member[rows] = True
            mine = (member & ok)[at]
            made = np.bincount(buckets[mine], weights=counts[mine], minlength=BUCKETS).astype(np.int64)
            key = (text(str(endpoint)), text(str(model)), str(phase), bool(asking))
            self.pools[key] = made

    def take_in(self, other: "Gaps") -> None:
        """Those of other rows as well."""
        for key, counts in other.pools.items():
            self.pools[key] = self.pools.get(key, 0) + counts

    def take_out(self, other: "Gaps") -> None:
        """As if those rows had never been there."""
        for key, counts in other.pools.items():
            self.pools[key] = self.pools[key] - counts

    def pooled(self, endpoint: str | None = None, model: str | None = None, *, asked: bool = False) -> dict[int, int]:
        """The sum of those of an endpoint and a model (None: of all), without the warm-up's."""
        total = np.zeros(BUCKETS, dtype=np.int64)
        for (of_endpoint, of_model, phase, asking), counts in self.pools.items():
            named = endpoint in (None, of_endpoint) and model in (None, of_model)
            if named and (asking or not asked) and phase != "warm-up":
                total += counts
        return {int(bucket): int(total[bucket]) for bucket in np.flatnonzero(total)}
