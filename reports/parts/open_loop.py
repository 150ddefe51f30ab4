"""The open loop of a run: what was due, what was sent, and how late."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from tokenswarm.reports.load import Run
from tokenswarm.reports.parts.part import Part, Summary
from tokenswarm.reports.percentiles import describe, describe_known
from tokenswarm.reports.render.document import Line, Section, Table
from tokenswarm.reports.render.numbers import integer, number
from tokenswarm.reports.rows import known_values

KEPT_UP = 0.9  # of what was due
LEAST, LOOKS = 20, 50  # arrivals; looks at the queue in a quarter of their time


def open_loop(frame: Any, ok_per_s: float | None) -> dict[str, Any] | None:
    """Arrivals due, sent and dropped, rates a second, lateness and response times in ms; None of a closed loop.

    `offered_per_s` is what was due over the time from the first arrival to the last, `ok_per_s` the whole
    run's. Lateness is without the time that opening a connection took.
    """
    due = frame[frame["scheduled_unix_ns"].notna()]
    if not len(due):
        return None
    first_ns, last_ns = due["scheduled_unix_ns"].min(), due["scheduled_unix_ns"].max()
    span_s = float(last_ns - first_ns) / 1e9
    ok = due[due["outcome"] == "ok"]
    return {
        "due": len(due),
        "sent": int(due["sent_unix_ns"].notna().sum()),
        "dropped": int((due["outcome"] == "dropped").sum()),
        "failed": int((~due["outcome"].isin(("ok", "cancelled", "dropped"))).sum()),
        "span_s": round(span_s, 6),
        "offered_per_s": round((len(due) - 1) / span_s, 6) if span_s else None,
        "ok_per_s": ok_per_s,
        **_unanswered(due, int(first_ns), int(last_ns)),
        "lateness_ms": describe((due["lateness_ms"] - due["connect_ms"].fillna(0)).to_numpy(dtype=float)),
        "response_ms": describe_known(known_values(ok, "response_ms")),
        "e2e_ms": describe_known(known_values(ok, "e2e_ms")),
    }


def _unanswered(due: Any, first_ns: int, last_ns: int) -> dict[str, Any]:
    """Of the time of the arrivals: `answered_per_s` (ok), the mean number of requests that were due and not yet
    answered in its second quarter (`unanswered_early`) and its last (`unanswered_late`), and whether the queue grew
    from one to the other by more than half and by more than 2; None of fewer than LEAST arrivals."""
    if len(due) < LEAST or last_ns <= first_ns:
        return dict.fromkeys(("answered_per_s", "unanswered_early", "unanswered_late", "queue_grew"))
    sent = due[due["sent_unix_ns"].notna() & due["ended_unix_ns"].notna()]
    begun, ended = (np.sort(sent[name].astype("int64").to_numpy()) for name in ("scheduled_unix_ns", "ended_unix_ns"))
    moments = np.linspace(first_ns, last_ns, 4 * LOOKS + 1).astype("int64")[1:]
    waiting = np.searchsorted(begun, moments, side="right") - np.searchsorted(ended, moments, side="right")
    early, late = float(waiting[LOOKS : 2 * LOOKS].mean()), float(waiting[-LOOKS:].mean())
    answered = int(((sent["outcome"] == "ok") & (sent["ended_unix_ns"] <= last_ns)).sum())
    return {
        "answered_per_s": round(answered / (last_ns - first_ns) * 1e9, 6),
        "unanswered_early": round(early, 3),
        "unanswered_late": round(late, 3),
        "queue_grew": late > 1.5 * early and late > early + 2,
    }


def keeps_up(found: Mapping[str, Any]) -> bool:
    """Was nearly all answered that was due?"""
    return bool(found["answered_per_s"] >= KEPT_UP * found["offered_per_s"])


def say_lost(found: Mapping[str, Any]) -> str:
    """What was never answered, and did not wait in the queue either."""
    named = {"dropped": "were dropped", "failed": "failed"}
    said = [f"{integer(found[name])} {what}" for name, what in named.items() if found[name]]
    return f"of {integer(found['due'])} that were due {' and '.join(said)}" if said else ""


def section(summary: Mapping[str, Any]) -> Section:
    """Its part of the report."""
    found = summary["open_loop"]
    if not found:
        return Section("open-loop", "Open loop")
    dropped = found["dropped"]
    rate = "in all trials" if "capacity" in summary else f"{number(found['offered_per_s'])} a second"
    ok = f"; {number(found['ok_per_s'])} a second were answered ok over the whole run"
    lines: list[Line] = [
        (
            f"{integer(found['due'])} requests were due, {rate}; "
            f"{integer(found['sent'])} were sent and {integer(dropped)} dropped, as no client was free in time"
            f"{'' if 'capacity' in summary else ok}.",
        ),
        *((_queue_line(found),) if found["queue_grew"] is not None and "capacity" not in summary else ()),
        ("Response times count from when a request was due, E2E from when it was sent.",),
    ]
    names = {"lateness_ms": "lateness, ms", "response_ms": "response, ms", "e2e_ms": "E2E, ms"}
    columns = ("", "n", "mean", "p50", "p90", "p95", "p99")
    rows = tuple(
        (title, integer(found[name]["n"]), *(number(found[name][column]) for column in columns[2:]))
        for name, title in names.items()
    )
    return Section("open-loop", "Open loop", tuple(lines), tables=(Table(columns, rows),))


def _queue_line(found: Mapping[str, Any]) -> Line:
    early, late = number(found["unanswered_early"]), number(found["unanswered_late"])
    grew = "The queue grew" if found["queue_grew"] else "The queue did not grow"
    if not found["queue_grew"] and not keeps_up(found):
        gone = say_lost(found)
        grew = f"{gone[0].upper()}{gone[1:]} and did not wait" if gone else "Not nearly all were answered in that time"
    return (f"{grew}: {early} requests were due and not yet answered in the second quarter, {late} in the last.",)


def data(run: Run, summary: Summary) -> dict[str, Any]:
    """`open_loop`: None of a closed one."""
    return {"open_loop": open_loop(run.measured, summary["window"]["ok_requests_per_s"])}


PART = Part(section, data)
