"""A comparison as a plain dict that JSON can hold."""

import math
from collections.abc import Sequence
from typing import Any

from tokenswarm.reports.compare import shown
from tokenswarm.reports.compare.comparison import Comparison
from tokenswarm.reports.compare.gates import JudgedLimit
from tokenswarm.reports.compare.sentence import sentence
from tokenswarm.reports.compare.verdicts import Judged
from tokenswarm.reports.load import Run

FORMAT = 1


def as_json(made: Comparison, gates: Sequence[JudgedLimit], exit_code: int) -> dict[str, Any]:
    """`figures` hold changes in per cent of A (`failed`: in percentage points); None is a bound that is not known."""
    return {
        "format": FORMAT,
        "a": [_run(run) for run in made.a],
        "b": [_run(run) for run in made.b],
        "comparable": not made.stops,
        "sentence": sentence(made),
        "exit_code": exit_code,
        "matched_by": made.matched_by,
        "edge_percent": 100 * made.settings.edge,
        "margin_percent": 100 * made.settings.margin,
        "differences": [
            {"what": each.what, "a": each.a, "b": each.b, "effect": each.effect, "why": each.why}
            for each in made.differences
        ],
        "remarks": list(made.remarks),
        "figures": [_figure(each) for each in made.judged],
        "fail_on": [{"limit": gate.limit.text, "crossed": gate.crossed, "said": gate.said} for gate in gates],
        "shift": [
            {
                "metric": each.metric,
                "percentiles": list(each.percents),
                **{
                    f"{name}_percent": [_finite(value) for value in getattr(each, name)]
                    for name in ("change", "low", "high")
                },
            }
            for each in made.shifts
        ],
        "ledgers": {"a": list(made.ledgers[0]), "b": list(made.ledgers[1])},
    }


def _run(run: Run) -> dict[str, Any]:
    return {"run": str(run.info.get("run") or run.folder.resolve().name), "folder": str(run.folder)}


def _figure(each: Judged) -> dict[str, Any]:
    made = each.figure.contrast
    runs = math.isinf(min(made.worth))
    return {
        "metric": each.figure.metric,
        "aggregate": each.figure.aggregate or None,
        "stage": each.figure.stage,
        "a": round(made.a, 6),
        "b": round(made.b, 6),
        "change_percent": _rounded(shown.percent(each.figure, made.change)),
        "low_percent": _rounded(shown.percent(each.figure, each.low)),
        "high_percent": _rounded(shown.percent(each.figure, each.high)),
        "confidence": round(1 - each.level, 6),
        "verdict": each.verdict,
        "unit": "runs" if runs else "requests",
        "n_a": made.n[0],
        "n_b": made.n[1],
        "worth_a": None if runs else round(made.worth[0], 1),
        "worth_b": None if runs else round(made.worth[1], 1),
        "needed": each.needed,
    }


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 4)


def _finite(change: float) -> float | None:
    return _rounded(100 * math.expm1(change)) if math.isfinite(change) else None
