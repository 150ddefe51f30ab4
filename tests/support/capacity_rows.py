"""Rows of a trial, and a trial, made by hand."""

from typing import Any

from tokenswarm.capacity.search import SearchRange
from tokenswarm.metrics.moments import MOMENTS
from tokenswarm.metrics.slo.language import parse

SLO = parse("ttft_ms p95 < 500")
USERS = SearchRange(False, 1.0, 1.0, 1000.0)


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
        **dict.fromkeys(name for pair in MOMENTS for name in pair),
        "sent_unix_ns": round(at_ms * 1e6),
        "ended_unix_ns": round((at_ms + ttft_ms + 100) * 1e6),
        **changes,
    }


def trial(number: int, load: float, verdict: str, queue_ms: float) -> dict[str, Any]:
    """A trial as run.json has it."""
    times = {"ttft_ms": 20 + queue_ms, "tpot_ms": 10.0, "e2e_ms": 120 + queue_ms}
    means = {"queue_ms_mean": queue_ms, "load_ms_mean": 1.0, "prompt_eval_ms_mean": 19.0, "eval_ms_mean": 100.0}
    return {
        **{"trial": number, "load": load, "verdict": verdict, "firm": True, "sure": number > 1, "client": []},
        **{"why": SLO.text if verdict == "crossed" else "", "steady": 100, "failed": 0, "seconds": 12.5},
        **{"standings": [{"slo": SLO.text, "state": "crossed" if verdict == "crossed" else "met"}]},
        **{"ok_per_s": 4.0 * min(load, 2), "goodput_per_s": 4.0 if verdict == "met" else 0.5},
        **{"output_tokens_per_s": 50.0 * min(load, 2), **means},
        **{f"{name}_{column}": value for name, value in times.items() for column in ("mean", "p50", "p95")},
    }
