"""Stages: what the server gave at each number of users."""

from collections.abc import Mapping
from typing import Any

from reports.document import Section, Table
from reports.numbers import integer, number
from reports.percentiles import describe
from reports.tokens import Window, window

SHOWN = ("ttft_ms", "tpot_ms", "e2e_ms")


def stages(frame: Any, info: Mapping[str, Any]) -> list[dict[str, Any]]:
    """One entry a stage, of the requests that were sent in it while its users were all there (a ramp: all of them).

    `users` as text, latencies in ms; `ok_per_s` and `output_tokens_per_s` are what the server gave while the stage
    lasted: of a request that reaches beyond it the share of its time that lies within.
    """
    asked = info.get("stages")
    found = []
    for at, stage in enumerate(asked if isinstance(asked, list) else [], start=1):
        rows = frame[frame["stage"] == at]
        ramp = stage.get("from_users") != stage.get("users")
        held = rows if ramp else rows[rows["phase"] != "ramp-up"]
        ok = held[held["outcome"] == "ok"]
        ok_per_s, tokens_per_s = _rates(frame, _lasted(held, frame[frame["stage"] > at]))
        found.append(
            {
                "stage": at,
                "text": str(stage.get("text")),
                "users": f"{stage.get('from_users')}–{stage.get('users')}" if ramp else str(stage.get("users")),
                "requests": len(rows),
                "held": len(held),
                "ok": len(ok),
                "failed": int((~held["outcome"].isin(("ok", "cancelled"))).sum()),
                "ok_per_s": ok_per_s,
                "output_tokens_per_s": tokens_per_s,
                **{name: describe(ok[name].to_numpy(dtype=float), (50.0, 95.0)) for name in SHOWN},
            }
        )
    return found


def _lasted(held: Any, later: Any) -> Window | None:
    """From a stage's first request to the next stage's; without what was cut, unless that is most of it."""
    if not (span := window(held)):
        return None
    begun_ns, ended_ns = span
    if len(after := later["sent_unix_ns"].dropna()):
        ended_ns = min(ended_ns, int(after.min()))
    if len(cut := held.loc[held["outcome"] == "cancelled", "sent_unix_ns"].dropna()):
        before_ns = int(cut.min())
        ended_ns = before_ns if 2 * (before_ns - begun_ns) > ended_ns - begun_ns else ended_ns
    return begun_ns, ended_ns


def _rates(frame: Any, span: Window | None) -> tuple[float | None, float | None]:
    """Requests with outcome ok, and output tokens, a second."""
    if not span or span[1] <= span[0]:
        return None, None
    rows = frame[frame["sent_unix_ns"].notna() & frame["ended_unix_ns"].notna()]
    # Nanoseconds since the beginning fit a double, those of the wall clock do not.
    sent, ended = ((rows[name] - span[0]).astype("float64") for name in ("sent_unix_ns", "ended_unix_ns"))
    lasted_ns = float(span[1] - span[0])
    inside = (ended.clip(upper=lasted_ns) - sent.clip(lower=0)).clip(lower=0) / (ended - sent).clip(lower=1)
    tokens = rows["output_tokens"].astype("float64")
    per_s = 1e9 / lasted_ns
    ok, output = inside[rows["outcome"] == "ok"].sum() * per_s, (inside * tokens.fillna(0)).sum() * per_s
    return round(float(ok), 6), round(float(output), 6) if tokens.notna().any() else None


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
    said = (
        "Requests sent in each stage once all its users were there; of a ramp all of them. Times in ms. Rates are over "
        "the time of the stage: of a request that reaches beyond it they hold its part within."
    )
    return Section("stages", "Stages", ((said,),) if rows else (), tables=(table,) if rows else ())
