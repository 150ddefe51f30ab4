"""What a capacity search found, in sentences and for run.json. Pure."""

from collections.abc import Mapping, Sequence
from typing import Any

from tokenswarm.capacity.load_curve import gave_way, knee
from tokenswarm.capacity.search import ERROR, SearchRange, SearchResult
from tokenswarm.metrics.slo.language import Slo

LIMITED = "the client was the limit, not the server"
Trials = Sequence[Mapping[str, Any]]


def load(value: float | None, open_loop: bool) -> str:
    """A load with its unit."""
    if value is None:
        return "no load"
    return f"{value:,.4g} requests/s" if open_loop else f"{value:,.0f} {'user' if value == 1 else 'users'}"


def requests(n: int) -> str:
    """So many of them."""
    return f"{n:,} request{'' if n == 1 else 's'}"


def result(
    answer: SearchResult, field: SearchRange, slos: Sequence[Slo], trials: Trials, broken: str
) -> dict[str, Any]:
    """All of it; `broken` says why the search was broken off. `qualifier` is empty where the answer is exact."""
    why = (
        broken
        or {
            "crossed": "",
            "limited": LIMITED,
            "end": f"the search was to go no further than {load(field.most, field.open)}",
        }[answer.above]
    )
    best = _of(trials, answer.load, "met")
    bad = _of(trials, answer.bad, "crossed") or (None if answer.bad is not None else _least_crossed(trials))
    if answer.load is not None and answer.error is not None:  # of its neighbours, since chance puts some elsewhere
        best = max((t for t in trials if t["verdict"] == "met" and t["load"] <= answer.load), key=_load, default=None)
        bad = _least_crossed([t for t in trials if t["load"] >= answer.load])
    first = min((t for t in trials if t["verdict"] != "limited"), key=_load, default=None)
    what, sentence = "", ""
    if answer.above == "limited" and not broken:
        what, sentence = "client", f"The client gave way first: {'; '.join(_limits(trials, answer.bad))}."
    elif first and bad:
        what, sentence = gave_way(first, best, bad, _crossing(bad))
        if first["load"] == bad["load"] and what != "errors":
            what, sentence = "", ""  # the least load was too much: there is none to compare it with
    return {
        "mode": "open" if field.open else "closed",
        "unit": "requests/s" if field.open else "users",
        "answer": answer.load,
        "qualifier": "at least" if why and answer.load is not None else "",
        "confirmed": bool(best and best["firm"]),
        "sure": bool(best and best["sure"]) if answer.error is None else answer.error <= ERROR,
        "error": answer.error,
        "too_much": answer.bad,
        "sentence": _sentence(answer, field, slos, best, why),
        "why": why,
        "gave_way": {"what": what, "sentence": sentence},
        "knee": _knee(trials, field),
        "slos": [slo.text for slo in slos],
        "trials": list(trials),
    }


def trial_line(trial: Mapping[str, Any], field: SearchRange) -> str:
    """A line about one trial."""
    why = "; ".join(trial["client"]) if trial["verdict"] == "limited" else trial["why"]
    sure = "" if trial["sure"] else ", not sure"
    head = f"trial {trial['trial']}: {load(trial['load'], field.open)}: {trial['verdict']}{sure}"
    return f"{head} ({requests(trial['steady'])}, {trial['seconds']:.1f} s){f': {why}' if why else ''}"


def _sentence(
    answer: SearchResult, field: SearchRange, slos: Sequence[Slo], best: Mapping[str, Any] | None, why: str
) -> str:
    kept = " and ".join(slo.text for slo in slos)
    if answer.load is None:
        if answer.above == "crossed":
            verb = "keep" if field.open else "keeps"  # of users one is the least
            return f"Not even {load(answer.bad, field.open)} {verb} to {kept}."
        return f"No load was found that keeps to {kept}: {why}."
    head = f"At least {load(answer.load, field.open)}" if why else f"{load(answer.load, field.open)} at most"
    verb = "keeps" if not field.open and answer.load == 1 else "keep"
    text = f"{head} {verb} to {kept}"
    if why:
        text += f"; {why}"
    elif answer.bad is not None:
        text += f"; {load(answer.bad, field.open)} do not"
    if answer.error is not None:
        return f"{text} (± {100 * answer.error:.2g} %, by all trials together)."
    if best and not best["sure"]:
        text += (
            f" (by the estimate of {requests(best['steady'])}, which is not sure: a longer --trial-time makes it surer)"
        )
    return f"{text}."


def _knee(trials: Trials, field: SearchRange) -> dict[str, Any]:
    # At random arrivals a short trial may see more of them than its rate says: that is no throughput.
    able = [t for t in trials if t["ok_per_s"] is not None]
    at = knee([{**t, "ok_per_s": min(t["ok_per_s"], t["load"])} for t in able] if field.open else able)
    if at is None:
        return {"load": None, "sentence": ""}
    power = (
        f"The load curve has its knee at {load(at['load'], field.open)}, where throughput / mean E2E is greatest: "
        f"{at['ok_per_s']:.3g} requests/s at {at['e2e_ms_mean']:.4g} ms."
    )
    return {"load": at["load"], "sentence": power}


def _of(trials: Trials, at: float | None, verdict: str) -> Mapping[str, Any] | None:
    """The last firm trial of a load with this verdict, else the last one."""
    result = [t for t in trials if t["load"] == at and t["verdict"] == verdict]
    return next((t for t in reversed(result) if t["firm"]), result[-1] if result else None)


def _least_crossed(trials: Trials) -> Mapping[str, Any] | None:
    return min((t for t in trials if t["verdict"] == "crossed"), key=_load, default=None)


def _load(trial: Mapping[str, Any]) -> float:
    return float(trial["load"])


def _crossing(trial: Mapping[str, Any]) -> str:
    return next((one["slo"] for one in trial["standings"] if one["state"] == "crossed"), "")


def _limits(trials: Trials, at: float | None) -> list[str]:
    return next((t["client"] for t in reversed(trials) if t["load"] == at and t["client"]), ["it could not keep up"])
