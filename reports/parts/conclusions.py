"""Three sentences for whoever ran it: where the time goes, where it saturates, what to change or run next.

Each is the first of its rules that holds; a rule is a function of the summary that gives a sentence or None.
"""

from collections.abc import Callable
from itertools import pairwise

from tokenswarm.metrics.percentile import minimum_n
from tokenswarm.reports.parts import capacity, open_loop, probe, stages
from tokenswarm.reports.parts.part import Part, Summary
from tokenswarm.reports.parts.time_spent import LABELS, accounts, main_account
from tokenswarm.reports.render.document import Section
from tokenswarm.reports.render.numbers import integer, many, number

Rule = Callable[[Summary], str | None]
WAITS = ("queue", "lateness")  # before anybody works on the request
SATURATED, FREE = 0.1, 0.02  # shares of a request's time that it waits in the queue
IDLE_MS = 30  # what Ollama's queue is where nobody waits in it
LEAST_WORTH = 10
MANY_FAILED, COLD = 0.05, 0.01


def time_goes(summary: Summary) -> str | None:
    """Where the time goes: the two largest parts of a mean request."""
    found = main_account(summary)
    if not found or not found["sum_mean_ms"] > 0:
        return None
    whole = found["sum_mean_ms"]
    first, *others = sorted(found["parts_mean_ms"].items(), key=lambda part: -part[1])
    every = sum(one["n"] for one in accounts(summary))
    of = f" (of {integer(found['n'])} of {integer(every)} requests)" if found["n"] < every else ""
    said = f"Of a mean request's {number(whole)} ms{of}, {_share(first[1], whole)} are {LABELS[first[0]]}"
    said += f" and {_share(others[0][1], whole)} {LABELS[others[0][0]]}" if others and others[0][1] > 0 else ""
    return said + "."


def _share(part: float, whole: float) -> str:
    return f"{number(100 * part / whole)} %"


def trials_say(summary: Summary) -> str | None:
    """A capacity search has the answer, and what gave way."""
    return " ".join(capacity.sentences(summary.get("capacity") or {})) or None


def curve_bends(summary: Summary) -> str | None:
    """Of stages, the last of each number of users: where no later one beats one by much, it bends."""
    held = stages.held_loads(summary["stages"])
    rates = [stage["output_tokens_per_s"] for stage in held]
    if len(held) < 2 or None in rates:
        return None
    if found := stages.bend(summary["stages"]):
        before, after = found
        waits = [number(stage["ttft_ms"]["p50"]) for stage in found]
        return (
            f"Saturates by {before['users']} users: with {after['users']}, output tokens/s went from "
            f"{number(before['output_tokens_per_s'])} to {number(after['output_tokens_per_s'])}, TTFT p50 from "
            f"{waits[0]} to {waits[1]} ms."
        )
    if any(after <= before for before, after in pairwise(rates)):
        return None
    return f"Not saturated at {held[-1]['users']} users: each stage with more users brought more output tokens/s."


def arrivals_pile_up(summary: Summary) -> str | None:
    """Of an open loop: did the queue grow, and was there one for all that were due?"""
    found = summary["open_loop"]
    if not found or found.get("queue_grew") is None:
        return None
    due, done = number(found["offered_per_s"]), number(found["answered_per_s"])
    rates = f"{due} requests a second were due and {done} answered meanwhile"
    waiting = (
        f"{number(found['unanswered_early'])} unanswered at once early on, {number(found['unanswered_late'])} late"
    )
    if found["queue_grew"]:
        return f"Saturated: {rates}, and the queue grew ({waiting})."
    if open_loop.keeps_up(found):
        return f"It kept up: {rates}, and the queue did not grow ({waiting})."
    if lost := open_loop.say_lost(found):
        return f"It did not keep up: {rates}; {lost}, and so did not wait ({waiting})."
    return f"Not known: {rates} ({waiting})."


def users_wait(summary: Summary) -> str | None:
    """Of one load on a server that tells its queue: how many of its requests wait at a time (Little's law).

    None where it is not told of most of them, or they are worth too few; nor where many failed: these did not wait.
    """
    found, in_flight = main_account(summary), summary["steady"]["in_flight"]
    if _many_loads(summary) or not found or "queue" not in found["parts_mean_ms"] or not in_flight or failures(summary):
        return None
    parts = summary["steady"]["figures"].get("e2e_ms_p95", {})
    worth = (parts.get("steady") or parts.get("whole") or {}).get("worth")
    if 2 * found["n"] < sum(one["n"] for one in accounts(summary)) or (worth is not None and worth < LEAST_WORTH):
        return None
    wait_ms = max(0.0, found["parts_mean_ms"]["queue"])
    share = wait_ms / found["sum_mean_ms"]
    if share >= SATURATED and wait_ms > IDLE_MS:
        return (
            f"Saturated: of {number(in_flight)} requests in flight {number((1 - share) * in_flight)} were served at a "
            f"time, the others waited in the server's queue. More load would wait longer, not be served faster."
        )
    if share <= FREE or wait_ms <= IDLE_MS:
        return f"Not saturated: with {number(in_flight)} requests in flight next to none waited in the server's queue."
    return f"Near its limit: {number(100 * share)} % of a request's time is a wait in the server's queue."


def _many_loads(summary: Summary) -> bool:
    return len({stage["users"] for stage in summary["stages"]}) > 1


def slots_known(summary: Summary) -> str | None:
    """A probe that counted the slots."""
    said = probe.sentences(summary)
    return said[0] if said and "slots" in said[0] else None


def unknown(summary: Summary) -> str | None:
    """One load, and a server that does not tell its queue, or not enough of it."""
    if failures(summary):
        return "Not known: too many requests failed, and those did not wait in the server's queue."
    if _many_loads(summary):
        return "The stages do not show where the server saturates: hold more of them, each for longer."
    if any("queue" in one["parts_mean_ms"] for one in accounts(summary)):
        return "One load does not show where the server saturates, and too few requests tell how long they waited."
    return (
        "One load does not show where the server saturates, and it does not tell how long requests waited in its queue."
    )


def not_believed(summary: Summary) -> str | None:
    """INVALID: first of all what makes it so; too few requests ended ok where the others failed."""
    findings = summary["validity"]["findings"]
    if any(found.get("rule") in ("samples", "errors") for found in findings) and (failed := failures(summary)):
        return failed
    for found in findings:
        if found.get("level") == "invalid" and found.get("do"):
            return f"First of all, since the run is INVALID ({found.get('rule')}): {found['do']}."
    return None


def failures(summary: Summary) -> str | None:
    """Too many requests failed; those of a search for more than can be served did so on purpose."""
    if "capacity" in summary and summary["overall"]["requests"]["by_outcome"].get("ok"):
        return None
    counts = summary["overall"]["requests"]
    failed = {name: n for name, n in counts["by_outcome"].items() if name not in ("ok", "cancelled")}
    if not failed or sum(failed.values()) <= MANY_FAILED * counts["total"]:
        return None
    name = max(failed, key=lambda outcome: failed[outcome])
    return f"See first why {integer(failed[name])} of {integer(counts['total'])} requests ended as {name}."


def slo_missed(summary: Summary) -> str | None:
    """An SLO was crossed: at which load would it be met? That is what a capacity search has asked."""
    if "capacity" in summary:
        return None
    missed = [slo["slo"] for slo in summary["slos"] if slo["state"] == "crossed"]
    return f"Missed: {'; '.join(missed)}. --find-capacity finds the highest load that meets it." if missed else None


def too_few(summary: Summary) -> str | None:
    """Too few requests, or too dependent ones, for what is shown."""
    found = summary["steady"]["figures"].get("e2e_ms_p95", {}).get("steady")
    seconds = summary["load"]["seconds"]
    if summary["stages"] or "capacity" in summary or not found or not seconds:
        return None
    needed = minimum_n(95)
    if found["worth"] < LEAST_WORTH:
        times = LEAST_WORTH / max(found["worth"], 0.5)
        return (
            f"Run it longer, {number(times * seconds)} s or more: {many(found['n'], 'steady request')}, worth "
            f"{integer(round(found['worth']))} independent, cannot say how sure a latency is."
        )
    if found["n"] < needed:
        return (
            f"Run it longer, {number(seconds * 1.1 * needed / max(found['n'], 1))} s or more: p95 needs {needed} "
            f"steady requests, there are {integer(found['n'])}, worth {integer(round(found['worth']))} independent."
        )
    return None


def waits_for_models(summary: Summary) -> str | None:
    """Requests waited until their model was loaded."""
    states = (summary["loading"] or {}).get("states", ())  # of those that tell
    cold, told = (sum(one["n"] for one in states if one["state"] in names) for names in (("cold",), ("cold", "warm")))
    if not told or cold <= COLD * told:
        return None
    said = f"{integer(cold)} of {integer(told)} requests waited for their model: keep it loaded (OLLAMA_KEEP_ALIVE), "
    return f"{said}or warm it up (--warmup)."


def serve_more_at_once(summary: Summary) -> str | None:
    """Saturated: more slots, or fewer users."""
    said = _first(SATURATES, summary) or ""
    if "capacity" in summary or not said.startswith("Saturate"):
        return None
    return (
        "Let the server take more at a time (OLLAMA_NUM_PARALLEL, or the slots of its engine) where memory allows, or "
        "find the most load within your SLO: --find-capacity --slo 'ttft_ms p95 < 2000'."
    )


def ask_for_more(summary: Summary) -> str | None:
    """Nothing gave way: more load."""
    if "capacity" not in summary:
        return "Raise the load until it gives way: --stages '1x30s, 2x30s, 4x30s, 8x30s, 16x30s', or --find-capacity."
    if summary["capacity"].get("answer") is None:
        return "No load kept to the SLOs: see what gave way at the lowest one, ask for less, or search with wider SLOs."
    return "Hold the load that was found for longer, with --slo, to confirm it."


TIME: tuple[Rule, ...] = (time_goes,)
SATURATES: tuple[Rule, ...] = (trials_say, curve_bends, arrivals_pile_up, users_wait, slots_known, unknown)
NEXT: tuple[Rule, ...] = (
    not_believed,
    failures,
    slo_missed,
    too_few,
    waits_for_models,
    serve_more_at_once,
    ask_for_more,
)
ABOUT = {"Where the time goes": TIME, "Where it saturates": SATURATES, "What next": NEXT}


def _first(rules: tuple[Rule, ...], summary: Summary) -> str | None:
    return next((said for rule in rules if (said := rule(summary))), None)


def sentences(summary: Summary) -> dict[str, str]:
    """What is said about each of ABOUT; nothing of a run in which no request ended ok."""
    if not summary["overall"]["requests"]["by_outcome"].get("ok"):
        return {"What next": said} if (said := not_believed(summary) or failures(summary)) else {}
    found = {about: _first(rules, summary) for about, rules in ABOUT.items()}
    return {about: said for about, said in found.items() if said}


def section(summary: Summary) -> Section:
    """Its part of the report."""
    items = tuple((f"{about}: ", said) for about, said in summary["conclusions"].items())
    return Section("conclusions", "What this run says", items=items)


PART = Part(section, terminal=section)
