"""vLLM's `metrics` (`--enable-per-request-metrics`): queue, prefill and decoding of the one answer.

Source: docs/features/per_request_metrics.md of vLLM; not tried on a real one.
"""

from collections.abc import Mapping
from typing import Any

from tokenswarm.wire import lenient
from tokenswarm.wire.engines.llama_cpp import MS
from tokenswarm.wire.numbers import count, duration_ns, number
from tokenswarm.wire.values import Usage


def usage(metrics: Mapping[str, Any]) -> Usage:
    """Its time to first token counts from when the request was scheduled: it is the prefill, and no TTFT of a client's.

    A queue of 0 is a time that it says: what it does not know is null.
    """
    queued = metrics.get("queue_time_ms")
    kinds = lenient.as_mapping(metrics.get("output_token_metrics"))
    return Usage(
        queue_ns=0 if number(queued) == 0 else duration_ns(queued, MS),
        prompt_eval_ns=duration_ns(metrics.get("time_to_first_token_ms"), MS),
        eval_ns=duration_ns(metrics.get("generation_time_ms"), MS),
        reasoning_tokens=count(lenient.as_mapping(kinds.get("reasoning")).get("token_count")),
    )
