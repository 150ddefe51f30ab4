"""llama.cpp's `timings`: the prompt's evaluated and cached tokens, prefill and decoding; of its queue it says nothing.

That is derived in `metrics.catalogue`, by when the first output came. Source: tools/server/README.md
of llama.cpp; read from its real server.
"""

from collections.abc import Mapping
from typing import Any

from tokenswarm.wire.numbers import count, duration_ns
from tokenswarm.wire.values import Usage

MS = 1e6  # in ns


def usage(timings: Mapping[str, Any]) -> Usage:
    """`prompt_n` leaves out what was cached; `predicted_ms` spans the first to the last token."""
    evaluated, cached, output_tokens = map(count, map(timings.get, ("prompt_n", "cache_n", "predicted_n")))
    return Usage(
        prompt_tokens=None if evaluated is None else evaluated + (cached or 0),
        output_tokens=output_tokens,
        cached_tokens=cached,
        prompt_eval_ns=duration_ns(timings.get("prompt_ms"), MS),
        eval_ns=duration_ns(timings.get("predicted_ms"), MS),
        source=None if output_tokens is None else "timings",
    )
