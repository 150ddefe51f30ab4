"""The run in one sentence."""

from collections.abc import Mapping
from typing import Any

from tokenswarm.metrics.percentile import minimum_n
from tokenswarm.reports.describe import are_lumps
from tokenswarm.reports.parts.tokens import generates
from tokenswarm.reports.render.numbers import BUFFERED, integer, number

NOTHING = "No request was made: there is nothing to measure."


def verdict(
    requests: Mapping[str, Any],
    overall: Mapping[str, Any],
    window_s: float | None,
    left_out: int = 0,
    vectors_per_s: float | None = None,
) -> str:
    """Requests by outcome, output tokens/s with the window, TTFT p50 and p95, ITL p99; of embeddings vectors/s."""
    total, outcomes = requests["total"], requests["by_outcome"]
    if not total:
        return "No request was made but for the warm-up: there is nothing to measure." if left_out else NOTHING
    ok = outcomes.get("ok", 0)
    others = ", ".join(f"{integer(n)} {name}" for name, n in outcomes.items() if name != "ok")
    if not ok:
        return f"Not one of {integer(total)} requests was answered in full ({others}): there are no latencies to show."
    parts = [f"{integer(ok)} of {integer(total)} requests ok" + (f" ({others})" if others else "")]
    if vectors_per_s is not None:
        parts.append(f"{number(vectors_per_s)} vectors/s over {number(window_s)} s")
    if not generates(overall):
        parts.append(_e2e(overall["metrics"]))
        return "; ".join(parts) + "."
    rate = overall["tokens"]["output_tokens_per_s"]
    if rate is None:
        parts.append("output tokens/s not known, since the server counted none")
    else:
        share = overall["tokens"]["output_estimated_percent"]
        marked = f" ({number(share)} % of them estimated)" if share else ""
        parts.append(f"{number(rate)} output tokens/s over {number(window_s)} s{marked}")
    metrics = overall["metrics"]
    if are_lumps(metrics):
        parts.append(f"TTFT and ITL {BUFFERED}, {_e2e(metrics)}")
    elif "ttft_ms" in metrics:
        ttft = metrics["ttft_ms"]
        p95 = f"{number(ttft['p95'])} ms" if ttft["p95"] is not None else _too_few(95, ttft["n"])
        parts.append(f"TTFT p50 {number(ttft['p50'])} ms, p95 {p95}")
    else:
        parts.append(f"no TTFT, since nothing was streamed, {_e2e(metrics)}")
    if "itl_ms" in metrics:
        itl = metrics["itl_ms"]
        p99 = f"{number(itl['p99'])} ms" if itl["p99"] is not None else _too_few(99, itl["n"], "gaps")
        parts.append(f"ITL p99 {p99}")
    return "; ".join(parts) + "."


def _e2e(metrics: Mapping[str, Any]) -> str:
    """What there is to say where nobody saw chunks."""
    e2e = metrics.get("e2e_ms")
    if e2e is None:
        return "no latencies"
    p95 = f"{number(e2e['p95'])} ms" if e2e["p95"] is not None else _too_few(95, e2e["n"])
    return f"E2E p50 {number(e2e['p50'])} ms, p95 {p95}"


def _too_few(percent: float, n: Any, what: str = "requests") -> str:
    return f"– (needs {minimum_n(percent)} {what}, there are {n})"
