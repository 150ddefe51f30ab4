"""Which requests of the sides are alike: the same arrival, the same prompt, or the same place in the run."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from tokenswarm.reports.rows import Rows

Array = Any
LEAST_COVERED = 0.8  # of each side's requests
_NEEDED = ("endpoint", "model", "prompt_id", "turn", "arrival", "worker", "sequence", "prompt_tokens")
_MADE_UP = 1.2  # prompts of one name that differ so in length are not one prompt


@dataclass(frozen=True, slots=True)
class Matching:
    """`by` is "arrival", "prompt", "place" or "" (nothing is alike); `strata` numbers the rows of each run by it.

    `prompts` numbers them by prompt at the finest: a quantile is not compared arrival by arrival, since the few pairs
    near it would say less of its error than they seem to.
    """

    by: str
    strata: tuple[Array, ...]
    prompts: tuple[Array, ...]
    covered: float = 0.0


def match(frames: Sequence[Rows], sides: Array, same_seed: bool, same_arrivals: bool) -> Matching:
    """Strata of the rows of several runs, `sides` (0 or 1) says whose each is.

    A seed gives each arrival its moment, and each place (worker, sequence) its prompt, whatever the server.
    """
    lengths = [len(frame) for frame in frames]
    whole = pd.concat([frame.frame(_NEEDED) for frame in frames], ignore_index=True)
    side = np.repeat(sides, lengths)
    who = [name for name in ("endpoint", "model") if _same_names(whole[name], side)]
    prompt = [*who, "prompt_id", "turn"]
    nothing = _split(np.zeros(len(whole), dtype=np.int64), lengths)
    tries = {
        "arrival": ["arrival", *prompt] if same_seed and same_arrivals else None,
        "prompt": None if _made_up(whole, [*who, "prompt_id"]) else prompt,
        "place": ["worker", "sequence", *prompt] if same_seed else None,
    }
    found: dict[str, tuple[tuple[Array, ...], float]] = {}
    for by, columns in tries.items():
        if columns:
            codes = whole.groupby(columns, dropna=False, sort=False).ngroup().to_numpy()
            if (covered := _covered(codes, side)) >= LEAST_COVERED:
                found[by] = (_split(codes, lengths), covered)
    by = next(iter(found), "")
    strata, covered = found.get(by, (nothing, 0.0))
    return Matching(by, strata, found.get("prompt", (nothing, 0.0))[0], covered)


def _split(codes: Array, lengths: Sequence[int]) -> tuple[Array, ...]:
    return tuple(np.split(codes, np.cumsum(lengths)[:-1]))


def _same_names(names: Any, side: Array) -> bool:
    return set(names[side == 0]) == set(names[side == 1])


def _covered(codes: Array, side: Array) -> float:
    """The share of a side's rows whose stratum the other has, too: the lesser of the two."""
    counts = [np.bincount(codes[side == which], minlength=codes.max(initial=0) + 1) for which in (0, 1)]
    if not counts[0].sum() or not counts[1].sum():
        return 0.0
    return float(min(mine[other > 0].sum() / mine.sum() for mine, other in (counts, counts[::-1])))


def _made_up(whole: Any, columns: Sequence[str]) -> bool:
    """Do prompts of one name differ, so that the name says not which was asked?"""
    first = whole[whole["turn"].fillna(1) == 1]
    lengths = first["prompt_tokens"].astype("float64").groupby([first[name] for name in columns])
    return bool((lengths.quantile(0.9) > _MADE_UP * lengths.quantile(0.1)).any())
