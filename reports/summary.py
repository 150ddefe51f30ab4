"""The summary of a run: everything that a report says, as one plain dict that JSON can hold."""

from typing import Any

from tokenswarm.metrics.error_groups import ErrorGroups
from tokenswarm.reports.describe import describe_all
from tokenswarm.reports.load import Run
from tokenswarm.reports.output import Window, window
from tokenswarm.reports.parts.capacity import capacity, sentences
from tokenswarm.reports.parts.censored import censored
from tokenswarm.reports.parts.checks import checks
from tokenswarm.reports.parts.cold_loads import loading
from tokenswarm.reports.parts.embeddings import embedding, vectors_per_s
from tokenswarm.reports.parts.limits import limits, quality
from tokenswarm.reports.parts.open_loop import open_loop
from tokenswarm.reports.parts.server_memory import memory
from tokenswarm.reports.parts.slos import slos
from tokenswarm.reports.parts.stages import stages
from tokenswarm.reports.parts.time_spent import ledger
from tokenswarm.reports.parts.tokens import tokens
from tokenswarm.reports.parts.turns import turns
from tokenswarm.reports.parts.verdict import verdict
from tokenswarm.reports.parts.workers import attendance
from tokenswarm.reports.percentiles import describe

FORMAT = 1
TOP_ERRORS, MOST_ERRORS = 10, 100  # kinds of errors that are shown, and told apart
_GROUPS = ["endpoint", "model"]
PHASES = ("warm-up", "ramp-up", "steady", "drain")
# ok first, then as the glossary has them; what is unknown here comes last.
OUTCOMES = (
    "ok",
    "http_error",
    "refused",
    "timeout",
    "truncated",
    "protocol_error",
    "server_error",
    "cancelled",
    "dropped",
)


def summarise(run: Run) -> dict[str, Any]:
    """A Run as a dict: numbers or None under keys that name the unit (latencies as `metrics[...]["ttft_ms"]["p50"]`).

    `groups` are the slices by endpoint and model, `overall` is all of them; `metrics` and `ledger` are over requests
    with outcome ok, `tokens` says over which. Raises ReportError on a histogram that cannot be read.
    """
    info, frame = run.info, measured_rows(run.frame)
    span = window(frame)
    window_s = (span[1] - span[0]) / 1e9 if span else None
    overall = _slice(frame, span, run.frame)
    every = dict(iter(run.frame.groupby(_GROUPS)))
    groups = [
        {"endpoint": str(name[0]), "model": str(name[1]), **_slice(rows, span, every[name])}
        for name, rows in frame.groupby(_GROUPS, sort=True)
    ]
    measured, embedded = quality(frame), embedding(frame, span)
    ok = overall["requests"]["by_outcome"].get("ok", 0)
    searched = capacity(info, frame)
    said = verdict(overall["requests"], overall, window_s, len(run.frame) - len(frame), vectors_per_s(embedded))
    return {
        "format": FORMAT,
        "run": _run(run),
        "verdict": " ".join([*sentences(searched)[:1], "All trials together:", said] if searched else [said]),
        "validity": _validity(info),
        "slos": slos(frame, _list(info, "slos")),
        "notices": list(run.notices),
        "window": {
            "first_sent_unix_ns": span[0] if span else None,
            "last_ended_unix_ns": span[1] if span else None,
            "window_s": window_s,
            "ok_requests_per_s": round(ok / window_s, 6) if window_s else None,
            "left_out": len(run.frame) - len(frame),
        },
        "phases": _phases(run.frame),
        "turns": turns(run.frame),
        "overall": overall,
        "groups": groups,
        "embedding": embedded,
        "loading": loading(frame),
        "memory": memory(run.looks),
        "errors": _errors(frame),
        "open_loop": open_loop(frame),
        "checks": checks(frame),
        "stages": stages(run.frame, info),
        "quality": measured,
        "limits": limits(measured, overall["tokens"], str(info.get("clock_source") or "")),
        "circumstances": {
            "options": _mapping(info, "options"),
            "software": _mapping(info, "software"),
            "workers": _list(info, "workers"),
            "attendance": attendance(info, span[0] if span else None),
            "warmup": _mapping(info, "warmup"),
            "clock_source": info.get("clock_source"),
        },
        **({"capacity": searched} if searched else {}),
        **({"probe": probe} if (probe := _mapping(info, "probe")) else {}),
    }


def measured_rows(frame: Any) -> Any:
    """The rows that figures are made of: all but those of the warm-up."""
    return frame[frame["phase"] != "warm-up"].reset_index(drop=True)


def _validity(info: dict[str, Any]) -> dict[str, Any]:
    """What run.json says of the run's validity; of a run without that, that nobody could judge it."""
    found = _mapping(info, "validity")
    if found:
        verdict = "VALID" if found.get("verdict") == "VALID" else "INVALID"
        return {"verdict": verdict, "findings": [f for f in _list(found, "findings") if f.get("what")]}
    what = "the run did not come to its end, so it is not known how well its clients kept up"
    missing = {"rule": "ended", "level": "invalid", "figure": None, "limit": None, "unit": "", "what": what}
    return {"verdict": "INVALID", "findings": [{**missing, "do": "let a run end by itself, or with Ctrl-C"}]}


def _phases(frame: Any) -> list[dict[str, Any]]:
    """Each phase of the run that has rows, in order: how many, over how long, at what TTFT and E2E."""
    found = []
    for phase in PHASES:
        rows = frame[frame["phase"] == phase]
        if len(rows):
            ok, span = rows[rows["outcome"] == "ok"], window(rows)
            asking = _asking(ok)
            p50s = {
                f"{name}_p50": describe(asking[name].to_numpy(), (50.0,))["p50"]
                for name in ("ttft_ms", "e2e_ms")
                if len(asking)
            }
            span_s = round((span[1] - span[0]) / 1e9, 6) if span else None
            found.append({"phase": phase, "requests": len(rows), "ok": len(ok), "span_s": span_s, **p50s})
    return found


def _slice(frame: Any, run_window: Window | None, everything: Any) -> dict[str, Any]:
    ok = frame[frame["outcome"] == "ok"]
    return {
        "requests": {"total": len(frame), "by_outcome": _by_outcome(frame)},
        "tokens": tokens(frame, run_window, everything),
        "metrics": describe_all(_asking(ok)),
        "censored": censored(_asking(ok), _asking(frame[frame["outcome"] == "cancelled"])),
        "ledger": ledger(ok),
    }


def _asking(ok: Any) -> Any:
    """The rows of generations and embeddings, where there are any: the times of management calls are not theirs."""
    asking = ok[ok["max_tokens"].notna() | ok["batch_size"].notna()]
    return asking if len(asking) else ok


def _by_outcome(frame: Any) -> dict[str, int]:
    counts = {str(name): int(n) for name, n in frame["outcome"].value_counts().items()}
    known = {name: counts.pop(name) for name in OUTCOMES if name in counts}
    return {**known, **{name or "not stated": counts[name] for name in sorted(counts)}}


def _errors(frame: Any) -> list[dict[str, Any]]:
    """The most frequent kinds of errors; `error` is the text where all have the same, `example` the first one's."""
    failed = frame[(frame["outcome"] != "ok") & (frame["error"] != "")]
    kinds, found = ErrorGroups(MOST_ERRORS), dict[tuple[str, str], dict[str, Any]]()
    counts = failed.groupby(["outcome", "error", "model"], sort=False, dropna=False).size()
    for (outcome, error, model), n in counts.items():
        kind = kinds.of(str(outcome), str(error), str(model))
        new = {"requests": 0, "outcome": str(outcome), "error": str(error), "example": str(error)}
        group = found.setdefault((str(outcome), kind), new)
        group["requests"] += int(n)
        if group["example"] != str(error):
            group["error"] = kind.removeprefix(f"{outcome}: ")
    return sorted(found.values(), key=lambda group: (-group["requests"], group["outcome"], group["error"]))[:TOP_ERRORS]


def _run(run: Run) -> dict[str, Any]:
    info, target = run.info, _mapping(run.info, "target")
    models = sorted({str(model) for model in run.frame["model"]} - {""})
    started, ended = info.get("started_unix_s"), info.get("ended_unix_s")
    return {
        "run": str(info.get("run") or run.folder.resolve().name),
        "name": info.get("name"),
        "state": info.get("state") or "not stated",
        "host": target.get("host"),
        "kind": target.get("kind"),
        "version": target.get("version"),
        "model": ", ".join(models) or target.get("model"),
        "started_unix_s": started,
        "ended_unix_s": ended,
        "duration_s": _difference(ended, started),
    }


def _difference(ended_s: Any, started_s: Any) -> float | None:
    both = isinstance(ended_s, (int, float)) and isinstance(started_s, (int, float))
    return round(ended_s - started_s, 3) if both else None


def _mapping(info: dict[str, Any], name: str) -> dict[str, Any]:
    found = info.get(name)
    return found if isinstance(found, dict) else {}


def _list(info: dict[str, Any], name: str) -> list[dict[str, Any]]:
    found = info.get(name)
    return [item for item in found if isinstance(item, dict)] if isinstance(found, list) else []
