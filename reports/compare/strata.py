"""Like against like: values of two sides by the prompt (or the arrival) they belong to, each stratum's level out."""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

Array = Any


@dataclass(frozen=True, slots=True)
class ComparedValues:
    """Values of both sides in the order of sending, of the strata that both have; `weights` make their mix the same.

    The weight of a stratum is n_a n_b / (n_a + n_b), that of least squares; a side's weights have the mean 1. Errors
    are those of what `rests` gives, times `scale`, with `df_share` of their degrees of freedom: levels that were
    computed from the values themselves have taken some of the noise with them.
    """

    a: Array
    b: Array
    strata_a: Array
    strata_b: Array
    weights_a: Array
    weights_b: Array
    scale: float
    df_share: float

    def rests(self, a: Array, b: Array, ratio: float = 1.0) -> tuple[Array, Array]:
        """What is left of two sides' values without their strata's levels, which are `ratio` times as high on side B;
        weighted, so that their means' errors are those of the weighted means."""
        counts = np.bincount(self.strata_a) + np.bincount(self.strata_b)
        levels = (np.bincount(self.strata_a, a) + np.bincount(self.strata_b, b / ratio)) / counts
        return (a - levels[self.strata_a]) * self.weights_a, (b - ratio * levels[self.strata_b]) * self.weights_b


def alike(a: Array, b: Array, strata_a: Array, strata_b: Array) -> ComparedValues | None:
    """Values with the stratum (0, 1, …, the same numbers on both sides) of each; None where no stratum is on both."""
    count = 1 + max(int(strata.max(initial=-1)) for strata in (strata_a, strata_b))
    n_a, n_b = (np.bincount(strata, minlength=count) for strata in (strata_a, strata_b))
    both = (n_a > 0) & (n_b > 0)
    if not both.any():
        return None
    n_a, n_b, number = n_a[both], n_b[both], np.cumsum(both) - 1
    in_a, in_b = both[strata_a], both[strata_b]
    strata_a, strata_b = number[strata_a[in_a]], number[strata_b[in_b]]
    of_strata = n_a * n_b / (n_a + n_b)
    of_strata = of_strata / of_strata.sum()
    total, free = len(strata_a) + len(strata_b), len(strata_a) + len(strata_b) - len(n_a) - 1
    return ComparedValues(
        a[in_a],
        b[in_b],
        strata_a,
        strata_b,
        (len(strata_a) * of_strata / n_a)[strata_a],
        (len(strata_b) * of_strata / n_b)[strata_b],
        scale=math.sqrt(total / free) if free > 0 else math.inf,
        df_share=(total - len(n_a)) / total,
    )
