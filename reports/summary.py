"""The summary of a run: everything that a report says, as one plain dict that JSON can hold."""

from typing import Any

from tokenswarm.reports.aside import aside
from tokenswarm.reports.describe import describe_all
from tokenswarm.reports.gaps import Gaps
from tokenswarm.reports.load import Run
from tokenswarm.reports.output import Window, ok_per_s
from tokenswarm.reports.parts import PARTS, conclusions
from tokenswarm.reports.parts.capacity import sentences
from tokenswarm.reports.parts.censored import NEEDED as CENSORED
from tokenswarm.reports.parts.censored import include_cut
from tokenswarm.reports.parts.embeddings import vectors_per_s
from tokenswarm.reports.parts.time_spent import NEEDED, ledger
from tokenswarm.reports.parts.tokens import tokens
from tokenswarm.reports.parts.verdict import verdict
from tokenswarm.reports.progress import progress
from tokenswarm.reports.rejudging import as_mapping, dicts
from tokenswarm.reports.run_json import NO_STATE
from tokenswarm.reports.slices import are_of_models

FORMAT = 1
_GROUPS = ["endpoint", "model"]
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
    with outcome ok, `tokens` says over which. Each of PARTS adds its own, and has no groups for that: these are made
    meanwhile. Raises ReportError on a histogram that cannot be read.
    """
    frame, span = run.measured, run.span
    window_s = (span[1] - span[0]) / 1e9 if span else None
    groups = aside(lambda: _groups(run, span), len(frame))
    overall = _slice(frame, span, run.frame, run.gaps)
    left_out = len(run.frame) - len(frame)
    first: dict[str, Any] = {
        "format": FORMAT,
        "run": _run(run),
        "verdict": "",
        "validity": _validity(run.info),
        "notices": list(run.notices),
        "window": {
            "first_sent_unix_ns": span[0] if span else None,
            "last_ended_unix_ns": span[1] if span else None,
            "window_s": window_s,
            "ok_requests_per_s": ok_per_s(run.frame, span),
            "left_out": left_out,
        },
        "overall": overall,
    }
    summary = dict(first)
    for at, part in enumerate(PARTS):
        progress(f"describing {len(run.frame):,} requests: {100 * at / len(PARTS):.0f} %")
        summary |= part.data(run, summary)
    summary = first | {"groups": groups()} | summary
    said = verdict(overall["requests"], overall, window_s, left_out, vectors_per_s(summary["embedding"]))
    answer = sentences(summary.get("capacity", {}))[:1]
    summary["verdict"] = " ".join([*answer, "All trials together:", said] if answer else [said])
    return summary | {"conclusions": conclusions.sentences(summary)}


def _groups(run: Run, span: Window | None) -> list[dict[str, Any]]:
    measured = dict(run.measured.groupby(_GROUPS))
    every = measured if run.measured is run.frame else dict(run.frame.groupby(_GROUPS))
    return [
        {
            "endpoint": str(name[0]),
            "model": str(name[1]),
            **_slice(rows, span, every[name], run.gaps, *map(str, name)),
        }
        for name, rows in measured.items()
    ]


def _validity(info: dict[str, Any]) -> dict[str, Any]:
    """What run.json says of the run's validity; of a run without that, that nobody could judge it."""
    found = as_mapping(info.get("validity"))
    if found:
        verdict = "VALID" if found.get("verdict") == "VALID" else "INVALID"
        return {"verdict": verdict, "findings": [f for f in dicts(found.get("findings")) if f.get("what")]}
    what, do = "the run did not come to its end", "let a run end by itself, or with Ctrl-C"
    if info.get("state") == "complete":
        what, do = "run.json has no verdict on the run, as those of earlier versions", "run it again to have one"
    what += ", so it is not known how well its clients kept up"
    missing = {"rule": "ended", "level": "invalid", "figure": None, "limit": None, "unit": ""}
    return {"verdict": "INVALID", "findings": [{**missing, "what": what, "do": do}]}


def _slice(frame: Any, run_window: Window | None, everything: Any, gaps: Gaps, *name: str) -> dict[str, Any]:
    ok, cut = ((frame["outcome"] == outcome).to_numpy() for outcome in ("ok", "cancelled"))
    # The times of management calls are not those of generations and embeddings, where there are any.
    mask = are_of_models(frame).to_numpy()
    asking, cut_asking = (which & mask if (which & mask).any() else which for which in (ok, cut))
    return {
        "requests": {"total": len(frame), "by_outcome": _by_outcome(frame)},
        "tokens": tokens(frame, run_window, everything),
        "metrics": describe_all(frame, asking, gaps.pool(*name, asked=bool((ok & mask).any()))),
        "censored": include_cut(*(frame.loc[which, [*CENSORED]] for which in (asking, cut_asking))),
        "ledger": ledger(frame.loc[ok, [*NEEDED]]),
    }


def _by_outcome(frame: Any) -> dict[str, int]:
    counts = {str(name): int(n) for name, n in frame["outcome"].value_counts().items() if n}
    known = {name: counts.pop(name) for name in OUTCOMES if name in counts}
    return {**known, **{name or "not stated": counts[name] for name in sorted(counts)}}


def _run(run: Run) -> dict[str, Any]:
    info, target = run.info, as_mapping(run.info.get("target"))
    models = sorted({str(model) for model in run.frame["model"].unique()} - {""})
    started, ended = info.get("started_unix_s"), info.get("ended_unix_s")
    return {
        "run": str(info.get("run") or run.folder.resolve().name),
        "name": info.get("name"),
        "state": info.get("state") or NO_STATE,
        "host": target.get("host"),
        "kind": target.get("kind"),
        "engine": target.get("engine"),
        "version": target.get("version"),
        "model": ", ".join(models) or target.get("model"),
        "started_unix_s": started,
        "ended_unix_s": ended,
        "duration_s": _difference(ended, started),
    }


def _difference(ended_s: Any, started_s: Any) -> float | None:
    both = isinstance(ended_s, (int, float)) and isinstance(started_s, (int, float))
    return round(ended_s - started_s, 3) if both else None
