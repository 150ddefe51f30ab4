"""The capacity search of a run: its answer, its trials and its load curve, from run.json."""

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

from tokenswarm.reports.intervals import Interval, of_window
from tokenswarm.reports.load import Run
from tokenswarm.reports.parts.part import Part, Summary
from tokenswarm.reports.render.document import Line, Section, Table
from tokenswarm.reports.render.numbers import give_or_take, integer, many, number
from tokenswarm.reports.render.plots import BLUE, GREEN, GREY, ORANGE, RED, Plot, figure, log_ticks

RATES = ("ok_per_s", "goodput_per_s", "output_tokens_per_s")
TIMES = ("ttft_ms_p50", "ttft_ms_p95", "tpot_ms_p50", "e2e_ms_p50", "e2e_ms_p95")
MOST_NAMED = 8  # loads along an axis
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


def found_trial(found: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """The last trial of the load that was found, if there was one of just that."""
    met = (trial for trial in found["trials"] if trial.get("verdict") == "met" and trial["load"] == found.get("answer"))
    return max(met, key=lambda trial: trial.get("trial") or 0, default=None)


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


PANELS: tuple[tuple[str, tuple[tuple[str, str, str], ...]], ...] = (
    ("output tokens/s", (("output_tokens_per_s", "output tokens/s", BLUE),)),
    ("requests/s", (("ok_per_s", "ok/s", BLUE), ("goodput_per_s", "goodput/s", GREEN))),
    ("TTFT, ms", (("ttft_ms_p50", "p50", BLUE), ("ttft_ms_p95", "p95", ORANGE))),
    ("TPOT, ms", (("tpot_ms_p50", "p50", BLUE), ("tpot_ms_p95", "p95", ORANGE))),
)


def plot(frame: Any, summary: Mapping[str, Any]) -> Plot | None:
    """None where nothing was searched, or there are fewer than two loads to draw a line through."""
    found = summary.get("capacity")
    trials = _by_load(found["trials"]) if found else []
    if len(trials) < 2:
        return None
    made = curve(trials, found or {})
    note = (
        "Each point is the last trial of a load; hollow ones were more than the SLOs allow, or than the client could "
        "do. The line down is the answer, the dotted one the knee (throughput / mean E2E at its greatest). Bars: "
        "where a point may lie, at 95 %; a side without one is where the requests are too few to say."
    )
    return Plot("capacity", "capacity", "The load curve", note, made)


def curve(points: Sequence[Mapping[str, Any]], found: Mapping[str, Any]) -> tuple[Any, ...]:
    """A figure for each of throughput, requests, TTFT and TPOT over the load of some points that have it."""
    known = {name for point in points for name, value in point.items() if value is not None}
    return tuple(
        _panel(points, found, title, lines) for title, lines in PANELS if known.intersection(name for name, *_ in lines)
    )


def _by_load(trials: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    by_load = {trial["load"]: trial for trial in sorted(trials, key=lambda trial: bool(trial.get("firm")))}
    return [by_load[load] for load in sorted(by_load)]


def _ticks(loads: Sequence[float]) -> Sequence[float]:
    """The loads themselves, where they are whole and there is room to name each."""
    apart = all(after >= 1.3 * before for before, after in pairwise(loads)) and len(loads) <= MOST_NAMED
    return loads if apart and all(load == int(load) for load in loads) else log_ticks(loads)


def _panel(
    trials: Sequence[Mapping[str, Any]], found: Mapping[str, Any], title: str, lines: tuple[tuple[str, str, str], ...]
) -> Any:
    unit = "users" if found.get("unit") == "users" else "requests/s offered"
    lines = tuple(line for line in lines if any(trial.get(line[0]) is not None for trial in trials))
    made = figure(
        height=300,
        xaxis={"title": {"text": unit}, "type": "log", "tickvals": _ticks([trial["load"] for trial in trials])},
        yaxis={"title": {"text": title}, "rangemode": "tozero"},
        showlegend=len(lines) > 1,
    )
    symbols = ["circle" if trial.get("verdict") == "met" else "circle-open" for trial in trials]
    for name, label, colour in lines:
        made.add_scatter(
            x=[trial["load"] for trial in trials],
            y=[trial.get(name) for trial in trials],
            mode="lines+markers",
            line={"color": colour, "width": 1.5},
            marker={"symbol": symbols, "size": 8},
            error_y=_bars(trials, name, colour),
            name=label,
            hovertemplate="%{x:,.4~g}: %{y:,.4~g}",
        )
    knee = found.get("knee")
    for at, colour, dash in ((found.get("answer"), RED, "solid"), (_load(knee), GREY, "dot")):
        if isinstance(at, (int, float)) and at > 0:
            made.add_vline(x=at, line={"color": colour, "dash": dash, "width": 1})
    return made


def _bars(trials: Sequence[Mapping[str, Any]], name: str, colour: str) -> dict[str, Any]:
    """How sure each point is; nothing where nobody knows."""
    found = [(trial.get(name), (trial.get("intervals") or {}).get(name) or (None, None)) for trial in trials]

    def beyond(side: int) -> list[float | None]:
        return [None if value is None or at[side] is None else abs(at[side] - value) for value, at in found]

    bars = {"array": beyond(1), "arrayminus": beyond(0), "symmetric": False}
    return {"type": "data", **bars, "color": colour, "thickness": 1, "width": 3}


def _load(knee: Any) -> Any:
    return knee.get("load") if isinstance(knee, dict) else None


def data(run: Run, _summary: Summary) -> dict[str, Any]:
    """`capacity`, of a run that searched for it."""
    found = capacity(run.info, run.measured)
    return {"capacity": found} if found else {}


PART = Part(section, data, plot)
