"""The capacity search of a run: its answer, its trials and its load curve, from run.json."""

from collections.abc import Mapping
from typing import Any

from tokenswarm.reports.intervals import Interval, of_window
from tokenswarm.reports.render.document import Line, Section, Table
from tokenswarm.reports.render.numbers import give_or_take, integer, many, number

RATES = ("ok_per_s", "goodput_per_s", "output_tokens_per_s")
TIMES = ("ttft_ms_p50", "ttft_ms_p95", "tpot_ms_p50", "e2e_ms_p50", "e2e_ms_p95")
HEADS = ("ok/s", "goodput/s", "tokens/s", "TTFT p50", "p95", "TPOT p50", "E2E p50", "p95")


def capacity(info: Mapping[str, Any], frame: Any) -> dict[str, Any] | None:
    """What the search found, as run.json has it (see docs/capacity.md); None of any other run.

    Each trial's `intervals` are [from, to] at 95 % of its figures, by its rows; None where nobody knows.
    """
    found = info.get("capacity")
    if not isinstance(found, dict) or not isinstance(found.get("trials"), list):
        return None
    trials = [t for t in found["trials"] if isinstance(t, dict) and isinstance(t.get("load"), (int, float))]
    return {**found, "trials": [{**trial, "intervals": _intervals(trial, frame)} for trial in trials]}


def _intervals(trial: Mapping[str, Any], frame: Any) -> dict[str, Interval]:
    rows = frame[frame["stage"] == trial.get("trial")]
    since_ns, until_ns = (trial.get(name) for name in ("from_unix_ns", "to_unix_ns"))
    span = None  # a run of before has no window
    if isinstance(since_ns, int) and isinstance(until_ns, int) and since_ns < until_ns:
        span = since_ns, until_ns
    return of_window(rows, rows[(rows["outcome"] == "ok") & (rows["phase"] == "steady")], span)


def sentences(found: Mapping[str, Any]) -> list[str]:
    """The answer, what gave way first, the knee."""
    parts = (found.get("gave_way"), found.get("knee"))
    said = [found.get("sentence"), *(part.get("sentence") for part in parts if isinstance(part, dict))]
    return [str(sentence) for sentence in said if sentence]


def section(summary: Mapping[str, Any]) -> Section:
    """Its part of the report; empty where nothing was searched."""
    found = summary.get("capacity")
    if not found:
        return Section("capacity", "Capacity")
    trials = found["trials"]
    unit = "users" if found.get("unit") == "users" else "requests/s"
    rows = tuple(
        (
            str(trial.get("trial")),
            integer(round(trial["load"])) if unit == "users" else number(trial["load"]),
            _verdict(trial),
            integer(trial.get("steady")),
            number(trial.get("seconds")),
            *(give_or_take(trial.get(name), trial["intervals"].get(name)) for name in RATES),
            *(number(trial.get(name)) for name in TIMES),
        )
        for trial in trials
    )
    seconds = sum(trial.get("seconds") or 0 for trial in trials)
    about = (
        f"{many(len(trials), 'trial')} in {number(seconds)} s, each drained before the next. Requests: those of the "
        "steady load, by which it was judged. Times in ms; goodput are requests that ended ok within all limits. In "
        "brackets: where a rate may lie, at 95 %."
    )
    lines: tuple[Line, ...] = tuple((said,) for said in (*sentences(found), about))
    table = Table(("trial", unit, "verdict", "requests", "took, s", *HEADS), rows)
    return Section("capacity", "Capacity", lines, tables=(table,) if rows else ())


def _verdict(trial: Mapping[str, Any]) -> str:
    sure = "" if trial.get("sure") else ", not sure"
    if trial.get("verdict") == "limited":
        return f"the client's limit: {'; '.join(map(str, trial.get('client') or ()))}"
    why = f": {trial['why']}" if trial.get("why") else ""
    return f"{trial.get('verdict')}{sure}{why}"
