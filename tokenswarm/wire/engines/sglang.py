"""SGLang's `meta_info`, where an answer bears it: counts, cached tokens among them, and the wait in its queue.

What was cached stands in its `usage` as OpenAI has it, too (`--enable-cache-report`). Source: SGLang's public code;
not tried on a real one.
"""

from collections.abc import Mapping
from typing import Any

from tokenswarm.wire.engines.lm_studio import S
from tokenswarm.wire.numbers import count, duration_ns
from tokenswarm.wire.values import Usage


def usage(meta_info: Mapping[str, Any]) -> Usage:
    """Its `e2e_latency` is left out: no parts of it are told."""
    output_tokens = count(meta_info.get("completion_tokens"))
    return Usage(
        prompt_tokens=count(meta_info.get("prompt_tokens")),
        output_tokens=output_tokens,
        cached_tokens=count(meta_info.get("cached_tokens")),
        queue_ns=duration_ns(meta_info.get("queue_time"), S),
        source=None if output_tokens is None else "meta_info",
        reasoning_tokens=count(meta_info.get("reasoning_tokens")),
    )
