"""LM Studio's `stats`, in the answers of its own APIs (/api/v1/chat, /api/v0): prefill, decoding, a load.

Source: LM Studio's documentation of its REST API; not tried on a real one.
"""

from collections.abc import Mapping
from typing import Any

from tokenswarm.wire.numbers import count, duration_ns, number
from tokenswarm.wire.values import Usage

S = 1e9  # in ns


def usage(stats: Mapping[str, Any]) -> Usage:
    """The names of /api/v0 and of /api/v1; the latter says tokens/s in place of the time that decoding took."""
    output_tokens = count(stats.get("total_output_tokens"))
    decoding, rate = stats.get("generation_time"), number(stats.get("tokens_per_second"))
    if decoding is None and output_tokens and rate:
        decoding = output_tokens / rate
    first = stats.get("time_to_first_token_seconds", stats.get("time_to_first_token"))
    return Usage(
        prompt_tokens=count(stats.get("input_tokens")),
        output_tokens=output_tokens,
        load_ns=duration_ns(stats.get("model_load_time_seconds"), S),
        prompt_eval_ns=duration_ns(first, S),
        eval_ns=duration_ns(decoding, S),
        source=None if output_tokens is None else "stats",
        reasoning_tokens=count(stats.get("reasoning_output_tokens")),
    )
