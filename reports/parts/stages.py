"""Stages: what the server gave at each number of users."""

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

from tokenswarm.reports.describe import drop_lumps
from tokenswarm.reports.intervals import of_window
from tokenswarm.reports.load import Run
from tokenswarm.reports.output import Window, ok_per_s, tokens_per_s, window
from tokenswarm.reports.parts.capacity import curve
from tokenswarm.reports.parts.part import Part, Summary, only_tables
from tokenswarm.reports.parts.slos import meets_all
from tokenswarm.reports.percentiles import describe_known
from tokenswarm.reports.rejudging import dicts
from tokenswarm.reports.render.document import Section, Table
from tokenswarm.reports.render.numbers import give_or_take, integer, number
from tokenswarm.reports.render.plots import Plot
from tokenswarm.reports.rows import known_values

SHOWN = ("ttft_ms", "tpot_ms", "e2e_ms")
FLAT = 0.1  # more tokens/s than that, for twice the users or more: not yet saturated


def stages(frame: Any, info: Mapping[str, Any]) -> list[dict[str, Any]]:
    """One entry a stage, of the requests that were sent in it while its users were all there (a ramp: all of them).

    `users` as text, latencies in ms. `ok_per_s` and `output_tokens_per_s` are what the server gave in the window
    `from_unix_ns` to `to_unix_ns`, to whomever: of a request that reaches beyond it, its output's part within.
    `intervals` has [from, to] at 95 % of each of these figures (`ttft_ms_p50`); None where nobody knows. `slos_met`:
    did it meet the run's SLOs, all of them? None where its requests are too few to say, or there is no SLO.
    """
    asked = info.get("stages")
    asked = [stage for stage in asked if isinstance(stage, dict)] if isinstance(asked, list) else []
    if not asked:
        return []
    measured = frame[frame["phase"] != "warm-up"]
    slos = [str(slo["slo"]) for slo in dicts(info.get("slos"))]
    found = []
    for at, stage in enumerate(asked, start=1):
        rows = measured[measured["stage"] == at]
        ramp = stage.get("from_users") != stage.get("users")
        held = rows if ramp else rows[rows["phase"] != "ramp-up"]
        ok = held[held["outcome"] == "ok"]
        span = _window(
            held, measured[measured["stage"] > at], asked[at].get("began_unix_s") if at < len(asked) else None
        )
        found.append(
            {
                "stage": at,
                "text": str(stage.get("text")),
                "users": f"{stage.get('from_users')}–{stage.get('users')}" if ramp else str(stage.get("users")),
                "requests": len(rows),
                "held": len(held),
                "ok": len(ok),
                "failed": int((~held["outcome"].isin(("ok", "cancelled"))).sum()),
                "from_unix_ns": span[0] if span else None,
                "to_unix_ns": span[1] if span else None,
                "ok_per_s": ok_per_s(frame, span),
                "output_tokens_per_s": tokens_per_s(frame, span),
                **{name: describe_known(known_values(ok, name), (50.0, 95.0)) for name in SHOWN},
                "intervals": of_window(frame, ok, span),
                "slos_met": meets_all(held, slos),
            }
        )
    return found


def _window(held: Any, later: Any, next_began_s: Any) -> Window | None:
    """From a stage's first request, all its users there, until the next stage begins, or the first request ends that
    was under way when the run was stopped: as long as all of them ask."""
    if not (span := window(held)):
        return None
    ends = [span[1]]
    if isinstance(next_began_s, (int, float)):
        ends.append(round(next_began_s * 1e9))
    elif len(after := later["sent_unix_ns"].dropna()):
        ends.append(int(after.min()))
    ends += held.loc[held["phase"] == "drain", "ended_unix_ns"].dropna().map(int).tolist()
    return (span[0], min(ends)) if min(ends) > span[0] else None


def users_at_slos(stages: Sequence[Mapping[str, Any]]) -> int | None:
    """The most users of which a stage met all SLOs, as did every one of fewer; 0 where none did, None where the first
    that did not is one of which nobody can say it."""
    most = 0
    for stage in sorted((one for one in stages if one["users"].isdigit()), key=lambda one: int(one["users"])):
        if not stage["slos_met"]:
            return None if stage["slos_met"] is None and not most else most
        most = int(stage["users"])
    return most or None


def section(summary: Mapping[str, Any]) -> Section:
    """Its part of the report."""
    rows = tuple(
        (
            str(stage["stage"]),
            stage["users"],
            integer(stage["ok"]),
            integer(stage["held"]),
            *(give_or_take(stage[name], stage["intervals"][name]) for name in ("ok_per_s", "output_tokens_per_s")),
            *(number(stage[name][column]) for name in SHOWN for column in ("p50", "p95")),
        )
        for stage in summary["stages"]
    )
    heads = ("TTFT p50", "p95", "TPOT p50", "p95", "E2E p50", "p95")
    table = Table(("stage", "users", "ok", "of", "ok/s", "output tokens/s", *heads), rows, names=2)
    said = (
        "Requests sent in each stage once all its users were there; of a ramp all of them. Times in ms. Rates are over "
        "the time from the first of them to the stage's end: requests and tokens lie between first output and end, and "
        "of what reaches beyond that time they hold the part within; in brackets where they may lie, at 95 %."
    )
    return Section("stages", "Stages", ((said,),) if rows else (), tables=(table,) if rows else ())


def held_loads(found: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """The last stage of each number of users that was held, by that number."""
    last = {int(stage["users"]): stage for stage in found if stage["users"].isdigit() and stage["held"]}
    return [last[users] for users in sorted(last) if users]


def bend(found: Sequence[Mapping[str, Any]]) -> tuple[Mapping[str, Any], Mapping[str, Any]] | None:
    """The first held load that no later one beats by more than FLAT in output tokens/s, and the next; None without."""
    held = held_loads(found)
    rates = [stage["output_tokens_per_s"] for stage in held]
    if None in rates:
        return None
    for at, (before, after) in enumerate(pairwise(held)):
        if max(rates[at + 1 :]) < (1 + FLAT * min(1.0, int(held[-1]["users"]) / int(before["users"]) - 1)) * rates[at]:
            return before, after
    return None


def plot(frame: Any, summary: Summary) -> Plot | None:
    """The load curve of stages that held so many users; None of fewer than two different ones."""
    held = {int(stage["users"]): stage for stage in summary["stages"] if stage["users"].isdigit() and stage["ok"]}
    points = [_point(users, held[users]) for users in sorted(held) if users]
    if len(points) < 2:
        return None
    note = "Each point is a stage, the last one of so many users. Bars: where a point may lie, at 95 %."
    return Plot("stages", "load-curve", "The load curve", note, curve(points, {"unit": "users"}))


def _point(users: int, stage: Mapping[str, Any]) -> dict[str, Any]:
    times = {f"{name}_{column}": stage[name][column] for name in SHOWN for column in ("p50", "p95")}
    return {"load": users, "verdict": "met", **stage, **times}


def data(run: Run, summary: Summary) -> dict[str, Any]:
    """`stages`: an entry each; none of a run without."""
    return {"stages": stages(drop_lumps(run.frame, summary["overall"]["metrics"]), run.info)}


PART = Part(section, data, plot, terminal=only_tables(section))
