"""Rows of a trial, made by hand."""

from typing import Any

from tokenswarm.capacity.search import Field
from tokenswarm.metrics.slo.language import parse

SLO = parse("ttft_ms p95 < 500")
USERS = Field(False, 1.0, 1.0, 1000.0)


def row(ttft_ms: float, at_ms: float = 0.0, **changes: Any) -> dict[str, Any]:
    """A steady request that ended ok."""
    return {
        "outcome": "ok",
        "phase": "steady",
        "endpoint": "/api/chat",
        "model": "sim",
        "ttft_ms": ttft_ms,
        "tpot_ms": 10.0,
        "e2e_ms": ttft_ms + 100,
        "response_ms": None,
        "queue_ms": ttft_ms - 20,
        "load_ms": 1.0,
        "prompt_eval_ms": 19.0,
        "eval_ms": 100.0,
        "output_tokens": 11,
        "output_chunks": 11,
        "itl_ms_hist": "",
        "sent_unix_ns": round(at_ms * 1e6),
        "ended_unix_ns": round((at_ms + ttft_ms + 100) * 1e6),
        **changes,
    }
