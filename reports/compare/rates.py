"""Tokens a second of a run's steady phase, as a series over time whose mean can be told with its error."""

from typing import Any

import numpy as np

from reports.figures.throughput import passed, seconds

Array = Any
BINS = 256
UNITS = ("output_tokens", "vectors", "requests")


def unit(frames: list[Any]) -> str:
    """What all these runs can be counted by: output tokens, else vectors, else requests that ended ok."""
    for name in UNITS[:2]:
        if all(frame[name].notna().any() for frame in frames):
            return name
    return UNITS[2]


def rate(frame: Any, steady: Any, counted: str) -> Array:
    """So many a second in each of BINS equal spans from the first to the last steady request; empty of less than two.

    All of a run's rows count, each evenly from its first output to its end.
    """
    if len(steady) < 2:
        return np.array([])
    rows = frame[frame["sent_unix_ns"].notna() & frame["ended_unix_ns"].notna()]
    first_ns, last_ns = int(steady["at_ns"].iloc[0]), int(steady["at_ns"].iloc[-1])
    if last_ns <= first_ns:
        return np.array([])
    sent, ended = seconds(rows["sent_unix_ns"], first_ns), seconds(rows["ended_unix_ns"], first_ns)
    if counted == UNITS[2]:
        amounts = (rows["outcome"] == "ok").to_numpy(dtype="float64")
    else:
        amounts = rows[counted].to_numpy(dtype="float64", na_value=0.0)
    waited_s = rows["ttft_ms"].to_numpy(dtype="float64") / 1e3
    begin = np.where(np.isnan(waited_s), sent, sent + waited_s)
    edges = np.linspace(0.0, (last_ns - first_ns) / 1e9, BINS + 1)
    made: Array = np.diff(passed(edges, begin, ended, amounts)) / np.diff(edges)
    return made
