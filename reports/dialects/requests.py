"""Answers: what other tools' definitions need of each request, as arrays, whether it comes from our log or theirs."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from tokenswarm.metrics.histogram import middle_ms
from tokenswarm.reports.gaps import Gaps

Array = Any


@dataclass(frozen=True, slots=True)
class Answers:
    """A run's requests, an element each; absent is NaN.

    Times are ms since the request was sent: `first_ms`, `last_ms` chunk with output, `answer_ms` the first with answer
    text, `end_ms` the last byte. `sent_ms` is since any common moment; `connect_ms` is how long opening the connection
    took before that, 0 where it was open. `ok` and `streamed` are bools; `has_output` says that anything was answered.
    `gap_ms` (sorted) and `gap_counts` are the gaps between chunks of the ok ones, pooled.
    """

    ok: Array
    streamed: Array
    has_output: Array
    sent_ms: Array
    connect_ms: Array
    first_ms: Array
    answer_ms: Array
    last_ms: Array
    end_ms: Array
    prompt_tokens: Array
    output_tokens: Array
    chunks: Array
    gap_ms: Array
    gap_counts: Array


def answers(frame: Any, pooled: Gaps) -> Answers:
    """The answers of a run folder's frame, and its gaps.

    The log has no column for the last chunk; it follows from `ttft_ms` + `tpot_ms` × (`output_tokens` − 1), and where
    the server counted no tokens from the sum of the gaps, exact to 1 %.
    """
    gaps = pooled.pool(asked=True)
    buckets = sorted(gaps)
    first_ms, tpot_ms, chunks = (_floats(frame[name]) for name in ("ttft_ms", "tpot_ms", "output_chunks"))
    tokens = _floats(frame["output_tokens"])
    last_ms = np.where(chunks == 1, first_ms, first_ms + tpot_ms * (tokens - 1))
    uncounted = np.isnan(last_ms) & ~np.isnan(first_ms)
    last_ms[uncounted] = first_ms[uncounted] + np.nan_to_num(frame["gaps_ms"].to_numpy())[uncounted]
    sent_ns = frame["sent_unix_ns"]
    # Integers first: a double cannot hold a wall-clock nanosecond.
    since_ns = sent_ns - (sent_ns.min() if sent_ns.notna().any() else 0)
    said = sum(frame[name].fillna(0) for name in ("text_chars", "thinking_chars", "tool_calls")) > 0
    return Answers(
        ok=(frame["outcome"] == "ok").to_numpy(dtype=bool),
        streamed=(frame["streamed"].fillna(0) == 1).to_numpy(dtype=bool),
        has_output=(frame["ttft_ms"].notna() | said).to_numpy(dtype=bool),
        sent_ms=_floats(since_ns) / 1e6,
        connect_ms=np.nan_to_num(_floats(frame["connect_ms"])),
        first_ms=first_ms,
        answer_ms=_floats(frame["ttfa_ms"]),
        last_ms=last_ms,
        end_ms=_floats(frame["e2e_ms"]),
        prompt_tokens=_floats(frame["prompt_tokens"]),
        output_tokens=tokens,
        chunks=chunks,
        gap_ms=np.array([middle_ms(bucket) for bucket in buckets]),
        gap_counts=np.array([gaps[bucket] for bucket in buckets], dtype=np.int64),
    )


def _floats(column: Any) -> Array:
    return column.to_numpy(dtype="float64", na_value=float("nan"))
