"""Tokens a second of a run's steady phase, as a series over time whose mean can be told with its error."""

from typing import Any

import numpy as np

from tokenswarm.reports.output import series

Array = Any
BINS, MOST_TIMES = 64, 4  # spans of time: so many, and up to so many times as many where there are requests enough
UNITS = ("output_tokens", "vectors", "requests")


def unit(frames: list[Any]) -> str:
    """What all these runs can be counted by: output tokens, else vectors, else requests that ended ok."""
    for name in UNITS[:2]:
        if all(frame[name].notna().any() for frame in frames):
            return name
    return UNITS[2]


def rate(frame: Any, steady: Any, counted: str) -> Array:
    """So many a second in each of 64 to 256 equal spans of time from the first to the last steady request.

    Empty of less than two. All of a run's rows count, each evenly over the time in which its output was made.
    """
    if len(steady) < 2:
        return np.array([])
    rows = frame[frame["made_from_ns"].notna() & frame["made_to_ns"].notna()]
    first_ns, last_ns = int(steady["at_ns"].iloc[0]), int(steady["at_ns"].iloc[-1])
    if last_ns <= first_ns:
        return np.array([])
    if counted == UNITS[2]:
        amounts = (rows["outcome"] == "ok").to_numpy(dtype="float64")
    else:
        column = "made_tokens" if counted == UNITS[0] else counted
        amounts = np.nan_to_num(rows[column].to_numpy(dtype="float64", na_value=0.0))
    spans = BINS * min(MOST_TIMES, max(1, len(steady) // BINS))
    return series(rows, amounts, (first_ns, last_ns), spans)
