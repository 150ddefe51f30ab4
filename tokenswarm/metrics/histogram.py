"""Histograms of durations with buckets 1 % wide: they add up, so any slice has its percentiles exact to 1 %."""

import math
from collections import Counter
from collections.abc import Iterable, Mapping

from tokenswarm.metrics.percentile import rank

RATIO = 1.01
_LOG_RATIO = math.log(RATIO)


def bucket(duration_ns: int) -> int:
    """The bucket of a duration in ns; what took no time (two chunks in one read) has a bucket of its own, 0."""
    return 1 + int(math.log(duration_ns) / _LOG_RATIO) if duration_ns > 0 else 0


def middle_ms(number: int) -> float:
    """The value that stands for a bucket, in ms: its geometric middle, so off by 0.5 % at most."""
    return RATIO ** (number - 0.5) / 1e6 if number > 0 else 0.0


def encode(counts: Mapping[int, int]) -> str:
    """`bucket:count …` in order of the buckets, a count of 1 left out; "" for none."""
    return " ".join(f"{number}:{n}" if n > 1 else f"{number}" for number, n in sorted(counts.items()))


def decode(text: str) -> dict[int, int]:
    """The counts of an encoded histogram. Raises ValueError on anything else."""
    return decode_all(dict.fromkeys(text.split(), 1))


def decode_all(items: Mapping[str, int]) -> dict[int, int]:
    """The sum of many encoded histograms, of which each item is there so many times. Raises ValueError as `decode`."""
    total: dict[int, int] = {}
    for item, times in items.items():
        number, _, n = item.partition(":")
        at = int(number)
        total[at] = total.get(at, 0) + times * (int(n) if n else 1)
    return total


def merge(histograms: Iterable[Mapping[int, int]]) -> dict[int, int]:
    """The sum of histograms."""
    total: Counter[int] = Counter()
    for counts in histograms:
        total.update(counts)
    return dict(total)


def percentile_ms(counts: Mapping[int, int], percent: float) -> float | None:
    """The nearest-rank percentile in ms; None of an empty histogram."""
    n = sum(counts.values())
    at = rank(n, percent)
    seen = 0
    for number, count in sorted(counts.items()):
        seen += count
        if seen >= at:
            return middle_ms(number)
    return None
