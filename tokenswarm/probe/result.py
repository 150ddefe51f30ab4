"""Figure: one finding of the probe, with how it was found."""

from dataclasses import dataclass

# What the probe looks for, in the order in which it is shown.
LABELS = {
    "slots": "parallel slots",
    "waiting_limit": "limit of those that wait for a slot",
    "load_queue_limit": "limit of those that wait for a load",
    "decode_tokens_per_s": "decode rate, one stream",
    "prefill_tokens_per_s": "prefill rate",
    "prompt_cache": "prompts cached",
    "context_tokens": "context length",
    "warm_load_ms": "load, model in memory",
    "cold_load_ms": "load, model not in memory",
}


@dataclass(frozen=True, slots=True)
class ProbeResult:
    """One finding: absent is None, and `how` says why. `n` answers gave it; `at_least`: there may be more."""

    value: float | bool | None
    unit: str
    how: str
    n: int = 0
    spread_percent: float | None = None
    at_least: bool = False
