"""The load curve of a capacity search: each trial's figures, the knee of the curve, and what gave way first. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from statistics import fmean
from typing import Any

from tokenswarm.capacity.trial import wrong
from tokenswarm.metrics.output import Output, TokensPerChunk, count, output, spread
from tokenswarm.metrics.percentile import is_supported, rank
from tokenswarm.metrics.slo.language import Slo

LEAST_LOADS = 3  # a curve of fewer has no knee
PERCENTILES = {"ttft_ms": (50, 95), "tpot_ms": (50, 95), "e2e_ms": (50, 95)}
MEANS = ("ttft_ms", "tpot_ms", "e2e_ms", "queue_ms", "load_ms", "prompt_eval_ms", "eval_ms")
# Whose growth makes an SLO's metric grow; what a server does not tell apart is left whole.
TOLD = {"queue": "queue_ms", "model load": "load_ms", "prefill": "prompt_eval_ms", "decode": "eval_ms"}
UNTOLD = {"queue": "ttft_ms", "decode": "decode_ms"}
ONLY = {"ttft_ms": ("queue", "model load", "prefill"), "tpot_ms": ("decode",), "itl_ms": ("decode",)}
SAID = {
    "queue": "requests waited",
    "model load": "finding the model took",
    "prefill": "prefill took",
    "decode": "decoding took",
}
Figures = Mapping[str, Any]


def figures(rows: Sequence[Mapping[str, Any]], slos: Iterable[Slo], from_ns: int, to_ns: int) -> dict[str, Any]:
    """Of one trial: rates a second in the window `from_ns` to `to_ns`, times in ms of steady requests that ended ok.

    Requests, as their tokens, lie between first output and end: of one that reaches beyond the window its part within.
    `goodput_per_s` are requests that ended ok and keep the limits of all SLOs themselves.
    """
    steady = [row for row in rows if row["phase"] == "steady" and row["outcome"] not in ("dropped", "cancelled")]
    ok = [row for row in steady if row["outcome"] == "ok"]
    bounds = [slo for slo in slos if slo.aggregate in ("percentile", "max", "min")]
    good = sum(not any(wrong(slo, row) for slo in bounds) for row in ok)
    known = {name: values(ok, name) for name in MEANS}
    rates = _rates(rows, from_ns, to_ns)
    per_s = rates["ok_per_s"]
    return {
        "requests": len(rows),
        "steady": len(steady),
        "failed": len(steady) - len(ok),
        "dropped": sum(row["outcome"] == "dropped" for row in rows),
        "from_unix_ns": from_ns,
        "to_unix_ns": to_ns,
        **rates,
        "goodput_per_s": None if per_s is None else round(per_s * good / len(ok), 6) if ok else 0.0,
        **{f"{name}_mean": round(fmean(seen), 6) if seen else None for name, seen in known.items()},
        **{
            f"{name}_p{percent}": percentile(known[name], percent)
            for name, percents in PERCENTILES.items()
            for percent in percents
        },
    }


def _rates(rows: Sequence[Mapping[str, Any]], from_ns: int, to_ns: int) -> dict[str, float | None]:
    """None where the trial had ended before its window began."""
    if to_ns <= from_ns:
        return {"ok_per_s": None, "output_tokens_per_s": None}
    ratios = TokensPerChunk()
    for row in rows:
        count(row, ratios)
    outputs = [found for row in rows if (found := output(row, ratios))]
    tokens = sum(found.within(from_ns, to_ns) for found in outputs)
    answers = [parts for row in rows if row["outcome"] == "ok" and (parts := spread(row))]
    requests = sum(Output(parts, 1, False).within(from_ns, to_ns) for parts in answers)
    per_s = 1e9 / (to_ns - from_ns)
    return {
        "ok_per_s": round(requests * per_s, 6),
        "output_tokens_per_s": round(tokens * per_s, 6) if outputs else None,
    }


def values(rows: Iterable[Mapping[str, Any]], name: str) -> list[float]:
    """What there is of a column."""
    return [row[name] for row in rows if row[name] is not None]


def percentile(seen: Sequence[float], percent: float) -> float | None:
    """By nearest rank; None where there are too few for it."""
    n = len(seen)
    return round(sorted(seen)[rank(n, percent) - 1], 6) if n and is_supported(n, percent) else None


def knee(trials: Sequence[Figures]) -> Figures | None:
    """The trial with the greatest power, throughput / mean E2E (Kleinrock 1979): beyond it, more load buys more wait
    than work. None of fewer than three loads."""
    able = [t for t in trials if t["ok_per_s"] and t["e2e_ms_mean"]]
    curve = len({t["load"] for t in able}) >= LEAST_LOADS
    return max(able, key=lambda t: t["ok_per_s"] / t["e2e_ms_mean"]) if curve else None


def gave_way(least: Figures, best: Figures | None, bad: Figures, slo: str) -> tuple[str, str]:
    """What gave way first, and a sentence with the figures: at the lowest load, the best one, and the first too great.

    It is the part of a request's time that grew most from the lowest load on, of those that the crossed SLO is about.
    `best` is None where no load was met.
    """
    usual = best["failed"] / max(1, best["steady"]) if best else 0.0
    share = bad["failed"] / max(1, bad["steady"])
    subject = slo.split()[0] if slo else ""
    if share > (0 if subject == "outcome" else max(0.01, 2 * usual)):
        return "errors", f"Errors came first: {100 * share:.3g} % of the requests failed."
    if subject == "check":
        return "", ""  # no part of a request's time says why answers got worse
    told = bad["queue_ms_mean"] is not None
    parts = TOLD if told else UNTOLD
    meant = [name for name in parts if name in ONLY.get(subject, tuple(parts))]
    known = {name: _three(parts[name], least, best or least, bad) for name in meant}
    grown = {name: ms[2] - ms[0] for name, ms in known.items() if None not in ms}
    if not grown or max(grown.values()) <= 0:
        return "", ""
    first = max(grown, key=lambda name: grown[name])
    at = [f"{_round(value)} ms" for value in known[first]]
    said = SAID[first] if told or first != "queue" else "until the first output it took"
    others = ", ".join(f"{name} by {_round(growth, '+')} ms" for name, growth in grown.items() if name != first)
    beside = f" ({others} from the lowest load on)" if others else ""
    head = {"queue": "The queue", "decode": "Decoding", "prefill": "Prefill", "model load": "Loading the model"}[first]
    return first, (
        f"{head} gave way first: {said} {at[0]} at the lowest load, {at[1]} at the best, {at[2]} at the first load "
        f"that was too much{beside}."
    )


def _round(value: float, sign: str = "") -> str:
    """To three digits, never as a power of ten."""
    return f"{float(f'{value:.3g}'):{sign},.10g}"


def _three(name: str, *trials: Figures) -> tuple[Any, ...]:
    if name == "decode_ms":
        both = [(t["e2e_ms_mean"], t["ttft_ms_mean"]) for t in trials]
        return tuple(None if None in pair else pair[0] - pair[1] for pair in both)
    return tuple(t[f"{name}_mean"] for t in trials)
