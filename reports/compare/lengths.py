"""Do the answers of both sides have the same lengths? Where they do not, other times say nothing of the server."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from tokenswarm.reports.compare.figures import Sides
from tokenswarm.reports.compare.matching import Matching
from tokenswarm.reports.compare.strata import ComparedValues, alike

Array = Any


def distance(sides: Sides, matched: Matching, column: str = "output_tokens") -> float | None:
    """How far apart the two distributions of a count are, relative to its mean; None where a side has no counts.

    The area between the distribution functions (Wasserstein's), over the same mix of prompts: at least as much as the
    means differ, and 0 only where all percentiles are the same.
    """
    n = len(sides[0])
    parts = [_known(rows.ok[column], codes) for rows, codes in zip((*sides[0], *sides[1]), matched.strata, strict=True)]
    (a, strata_a), (b, strata_b) = _joined(parts[:n]), _joined(parts[n:])
    pair = alike(a, b, strata_a, strata_b)
    if pair is None:
        return None
    mean = float((pair.a * pair.weights_a).mean())
    return _area(pair) / mean if mean > 0 else None


def _known(counts: Any, codes: Array) -> tuple[Array, Array]:
    values = counts.to_numpy(dtype="float64", na_value=np.nan)
    known = ~np.isnan(values)
    return values[known], codes[known]


def _joined(parts: Sequence[tuple[Array, Array]]) -> tuple[Array, Array]:
    return np.concatenate([values for values, _ in parts]), np.concatenate([codes for _, codes in parts])


def _area(pair: ComparedValues) -> float:
    values = np.concatenate([pair.a, pair.b])
    steps = np.concatenate([pair.weights_a / len(pair.a), -pair.weights_b / len(pair.b)])
    order = np.argsort(values, kind="stable")
    return float((np.abs(np.cumsum(steps[order]))[:-1] * np.diff(values[order])).sum())
