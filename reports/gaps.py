"""The gaps between chunks (ITL) of many rows: read a block at a time, summed up, and not kept, since they add up."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from tokenswarm.metrics.histogram import decode, middle_ms
from tokenswarm.metrics.text import text
from tokenswarm.reports.columns import FILLED
from tokenswarm.reports.errors import ReportError
from tokenswarm.reports.slices import are_of_models

BUCKETS = 10_000  # of four digits at most
_MIDDLE_MS = np.array([middle_ms(bucket) if bucket < 4000 else 0.0 for bucket in range(BUCKETS)])
_LINE, _COLON, _ZERO = (ord(one) for one in "\n:0")
Items = tuple[Any, Any, Any]  # of each item its row, its bucket and its count


def items(column: Any) -> Items | None:
    """Of encoded histograms, NaN where there is none. None where anything in them is no plain `bucket` or
    `bucket:count`, and each has to be looked at.

    A look at all bytes at once: digit by digit, not text by text.
    """
    known = np.flatnonzero(column.notna().to_numpy())
    joined = "\n".join([*column.to_numpy(object)[known].tolist(), ""]).encode()
    if joined.translate(None, b"0123456789: \n"):
        return None
    given = np.frombuffer(joined, dtype=np.uint8)
    ends = np.flatnonzero((given < _ZERO) | (given == _COLON))  # of numbers: buckets, and counts after a colon
    widths, after = (np.diff(ends, prepend=-1) - 1).astype(np.int32), given[ends]
    colon, row_ends = after == _COLON, np.flatnonzero(after == _LINE)
    count = np.concatenate(([False], colon))[:-1]
    odd = (count & colon) | ((count | colon) & (widths < 1)) | (widths > np.where(count, np.int32(12), np.int32(4)))
    if len(row_ends) != len(known) or odd.any():
        return None
    numbers = _numbers(given, ends, widths)
    at = np.flatnonzero(~count & (widths > 0))  # two spaces have nothing between them
    counts = np.ones(len(at), dtype=np.int64)
    counts[colon[at]] = numbers[count]
    rows = np.repeat(known, np.diff(np.searchsorted(at, row_ends, side="right"), prepend=0))
    return rows, numbers[at], counts


def _numbers(given: Any, ends: Any, widths: Any) -> Any:
    """The last digit of each, and those before it where there are any."""
    found = np.where(widths > 0, given[ends - 1] - np.int64(_ZERO), 0)
    for place in range(1, int(widths.max(initial=0))):
        at = np.flatnonzero(widths > place)
        found[at] += (given[ends[at] - 1 - place] - np.int64(_ZERO)) * 10**place
    return found


def decode_each(column: Any) -> Items:
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
        names = [frame[name].cat for name in ("endpoint", "model", "phase")]
        # One number for all that tells groups apart; the code of an absent text is -1.
        sizes = (*(len(name.categories) + 1 for name in names), 2)
        codes = (*(name.codes.to_numpy(np.int64) + 1 for name in names), are_of_models(frame).to_numpy(np.int64))
        groups, group = np.unique(np.ravel_multi_index(codes, sizes), return_inverse=True)
        mine = (frame["outcome"] == "ok").to_numpy()[at]
        where = group[at[mine]] * BUCKETS + buckets[mine]
        made = np.bincount(where, weights=counts[mine], minlength=len(groups) * BUCKETS).astype(np.int64)
        for each, pool in zip(groups, made.reshape(-1, BUCKETS), strict=True):
            *texts, asking = (int(one) for one in np.unravel_index(each, sizes))
            endpoint, model, phase = (
                text(str(name.categories[code - 1])) if code else FILLED[kind]
                for kind, name, code in zip(("endpoint", "model", "phase"), names, texts, strict=True)
            )
            key = (endpoint, model, phase, bool(asking))
            self.pools[key] = self.pools.get(key, 0) + pool

    def take_in(self, other: "Gaps") -> None:
        """Those of other rows as well."""
        for key, counts in other.pools.items():
            self.pools[key] = self.pools.get(key, 0) + counts

    def take_out(self, other: "Gaps") -> None:
        """As if those rows had never been there."""
        for key, counts in other.pools.items():
            self.pools[key] = self.pools[key] - counts

    def pool(self, endpoint: str | None = None, model: str | None = None, *, asked: bool = False) -> dict[int, int]:
        """The sum of those of an endpoint and a model (None: of all), without the warm-up's."""
        total = np.zeros(BUCKETS, dtype=np.int64)
        for (of_endpoint, of_model, phase, asking), counts in self.pools.items():
            named = endpoint in (None, of_endpoint) and model in (None, of_model)
            if named and (asking or not asked) and phase != "warm-up":
                total += counts
        return {int(bucket): int(total[bucket]) for bucket in np.flatnonzero(total)}
