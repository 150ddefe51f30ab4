"""LM Studio's `stats`, in the answers of its own API (`--path /api/v0/chat/completions`): prefill, decoding, a load.

Source: LM Studio's documentation of its REST API; not tried on a real one.
"""

from collections.abc import Mapping
from typing import Any

from tokenswarm.wire.numbers import count, duration_ns
from tokenswarm.wire.values import Usage

S = 1e9  # in ns


def usage(stats: Mapping[str, Any]) -> Usage:
    """The names of /api/v0 and of /api/v1; the latter says a rate in place of the time that decoding took."""
    output_tokens = count(stats.get("total_output_tokens"))
    first = stats.get("time_to_first_token_seconds", stats.get("time_to_first_token"))
    return Usage(
        prompt_tokens=count(stats.get("input_tokens")),
        output_tokens=output_tokens,
        load_ns=duration_ns(stats.get("model_load_time_seconds"), S),
        prompt_eval_ns=duration_ns(first, S),
        eval_ns=duration_ns(stats.get("generation_time"), S),
        source=None if output_tokens is None else "stats",
        reasoning_tokens=count(stats.get("reasoning_output_tokens")),
    )
