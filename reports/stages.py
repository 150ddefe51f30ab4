"""Stages: what the server gave at each number of users."""

from collections.abc import Mapping
from typing import Any

from reports.document import Section, Table
from reports.numbers import integer, number
from reports.percentiles import describe
from reports.tokens import tokens, window

SHOWN = ("ttft_ms", "tpot_ms", "e2e_ms")


def stages(frame: Any, info: Mapping[str, Any]) -> list[dict[str, Any]]:
    """One entry a stage, of the requests that were sent in it while its users were all there (a ramp: all of them).

    `users` as text, `ok_per_s` and `output_tokens_per_s` over the stage's own window, latencies in ms.
    """
    asked = info.get("stages")
    found = []
    for at, stage in enumerate(asked if isinstance(asked, list) else [], start=1):
        rows = frame[frame["stage"] == at]
        ramp = stage.get("from_users") != stage.get("users")
        held = rows if ramp else rows[rows["phase"] != "ramp-up"]
        ok, span = held[held["outcome"] == "ok"], window(held)
        span_s = (span[1] - span[0]) / 1e9 if span else 0.0
        found.append(
            {
                "stage": at,
                "text": str(stage.get("text")),
                "users": f"{stage.get('from_users')}–{stage.get('users')}" if ramp else str(stage.get("users")),
                "requests": len(rows),
                "held": len(held),
                "ok": len(ok),
                "failed": int((~held["outcome"].isin(("ok", "cancelled"))).sum()),
                "ok_per_s": round(len(ok) / span_s, 6) if span_s else None,
                "output_tokens_per_s": tokens(held, span)["output_tokens_per_s"],
                **{name: describe(ok[name].to_numpy(dtype=float), (50.0, 95.0)) for name in SHOWN},
            }
        )
    return found


def section(summary: Mapping[str, Any]) -> Section:
    """Its part of the report."""
    rows = tuple(
        (
            str(stage["stage"]),
            stage["users"],
            integer(stage["ok"]),
            integer(stage["held"]),
            *(number(stage[name]) for name in ("ok_per_s", "output_tokens_per_s")),
            *(number(stage[name][column]) for name in SHOWN for column in ("p50", "p95")),
        )
        for stage in summary["stages"]
    )
    heads = ("TTFT p50", "p95", "TPOT p50", "p95", "E2E p50", "p95")
    table = Table(("stage", "users", "ok", "of", "ok/s", "output tokens/s", *heads), rows, names=2)
    said = "Requests sent in each stage once all its users were there; of a ramp all of them. Times in ms."
    return Section("stages", "Stages", ((said,),) if rows else (), tables=(table,) if rows else ())
