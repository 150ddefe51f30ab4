"""What a run makes a second while it goes on: output tokens in a window that lies a little behind. Pure.

A request has no row before it has ended, so of the last moments nobody knows yet what was made. The window therefore
ends as long ago as the longest output of late took: what lies in it has, as a rule, ended since.
"""

from collections import defaultdict
from collections.abc import Mapping
from typing import Any

from tokenswarm.metrics.output import Output, TokensPerChunk, count, spread

SECOND_NS = 1_000_000_000
WINDOW_S = 10
LONGEST_S = 120  # an output that took longer is not waited for
Whose = tuple[str, str]  # endpoint, model
Sums = defaultdict[Whose, float]


class Recent:
    """Sums by second of the last minutes, so that a look at them costs next to nothing."""

    def __init__(self) -> None:
        self._ratios = TokensPerChunk()
        self._tokens: defaultdict[int, Sums] = defaultdict(_sums)
        self._chunks: defaultdict[int, Sums] = defaultdict(_sums)  # of those whose tokens nobody counted
        self._longest_ns: dict[int, int] = {}  # of the outputs that ended in a second
        self._newest = 0

    def add(self, row: Mapping[str, Any]) -> None:
        """Take in a row of requests.csv, its times by one clock."""
        count(row, self._ratios)
        counted = row["output_tokens"] is not None
        amount = row["output_tokens"] if counted else row["output_chunks"] if row["outcome"] != "ok" else None
        if not amount or not (parts := spread(row)):
            return
        output = Output(parts, amount, not counted)
        into, whose = self._tokens if counted else self._chunks, (row["endpoint"], row["model"])
        last = output.end_ns // SECOND_NS
        for second in range(max(output.begin_ns // SECOND_NS, last - LONGEST_S - WINDOW_S), last + 1):
            into[second][whose] += output.within(second * SECOND_NS, (second + 1) * SECOND_NS)
        self._longest_ns[last] = max(self._longest_ns.get(last, 0), output.end_ns - output.begin_ns)
        if last > self._newest:
            self._newest = last
            for sums in (self._tokens, self._chunks, self._longest_ns):
                for old in [second for second in sums if second < last - 2 * (LONGEST_S + WINDOW_S)]:
                    del sums[old]

    def per_s(self, now_ns: int) -> tuple[dict[Whose, float], float]:
        """Output tokens a second by endpoint and model, and how many seconds ago the window ended."""
        behind_ns = min(max(self._longest_ns.values(), default=0), LONGEST_S * SECOND_NS)
        until = (now_ns - behind_ns) // SECOND_NS
        made = {whose: 0.0 for sums in (self._tokens, self._chunks) for amounts in sums.values() for whose in amounts}
        for second in range(until - WINDOW_S, until):
            for whose, tokens in self._tokens.get(second, {}).items():
                made[whose] += tokens
            for whose, chunks in self._chunks.get(second, {}).items():
                made[whose] += chunks * (self._ratios.of(*whose) or 0.0)
        return {whose: made[whose] / WINDOW_S for whose in sorted(made)}, now_ns / SECOND_NS - until


def _sums() -> Sums:
    return defaultdict(float)
