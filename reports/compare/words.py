"""Every text of a comparison that people read, by keys. Their Chinese is in the one table of messages, zh.txt.

A comparison itself is in English, as its JSON is; what shows it says it within `speaking`.
"""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar

from tokenswarm.reports.render.chinese import pattern, zh

EN: Mapping[str, str] = {
    # names of metrics, and the units of their values
    "tpot_ms": "TPOT",
    "ttft_ms": "TTFT",
    "e2e_ms": "E2E",
    "output_tokens_per_s": "output tokens/s",
    "vectors_per_s": "vectors/s",
    "ok_per_s": "ok requests/s",
    "failed": "failed",
    "tpot_ms mean": "TPOT mean",
    "tpot_ms p50": "TPOT p50",
    "tpot_ms p95": "TPOT p95",
    "ttft_ms mean": "TTFT mean",
    "ttft_ms p50": "TTFT p50",
    "ttft_ms p95": "TTFT p95",
    "e2e_ms mean": "E2E mean",
    "e2e_ms p50": "E2E p50",
    "e2e_ms p95": "E2E p95",
    # verdicts
    "slower": "slower",
    "faster": "faster",
    "more failures": "more failures",
    "fewer failures": "fewer failures",
    "no difference": "no difference over {n1}",
    "cannot tell": "cannot tell",
    "needs": "{verdict}: {margin} would need about {needed} a side",
    "no verdict": "no verdict",
    "requests": "requests",
    "runs": "runs",
    # the sentence
    "against": "against",
    "B is": "B is {word}: {figures}.",
    "B has": "B has {word}: {figures}.",
    "differs not": "No difference: {figures}.",
    "over": "{figure} (over {n1})",
    "nobody knows": "Cannot tell: {figures}.",
    "none of it": "No verdict on {figures}, since {why}.",
    "not comparable": "Not comparable: {why}.",
    "stage": "stage {n1}",
    "points": "{n1} pp",
    "between": "{n1} to {n2}",
    # facts and sections
    "A": "A",
    "B": "B",
    "folders": "{n1} runs: {names}",
    "compared by": "requests compared",
    "by arrival": "arrival by arrival",
    "by prompt": "prompt by prompt",
    "by place": "request by request (same place in the run)",
    "by nothing": "as they come: no request of A has its like in B",
    "by stage": "stage by stage, each as its requests allow",
    "comparable": "Are they comparable?",
    "all the same": "Nothing that was looked at differs: seed, prompts, lengths, server, options, load, clients.",
    "figures": "B against A",
    "shift": "B / A by percentile",
    "ledger": "Where the time went",
    "throughput": "Throughput over time",
    "gates": "--fail-on",
    "method": "How this was judged",
    "columns": "figure|verdict|A|B|change|interval|n (worth) A|n (worth) B|{margin} needs",
    "difference columns": "what|A|B|so",
    "sum": "sum",
    "times": (
        "Times in ms, of steady requests that ended ok, without what the server took to settle (MSER-5). The mean, and "
        "each percentile, is over the same mix of prompts on both sides where they had the same prompts."
    ),
    "worth note": (
        "Worth: how many independent requests these are; neighbours share a queue, so 500 may be worth 15. Below "
        "{n1} nobody can tell."
    ),
    "run unit": "Each side has several runs: the run is the unit, so what differs from run to run is in the interval.",
    "trend": "The runs of A and B lie among each other in time: a straight line of time is taken out.",
    "level": (
        "Intervals are at the level at which each was judged, 95 % or more, so that with all metrics together one "
        "comparison in twenty at most finds a difference where there is none (Holm)."
    ),
    "edge": "A difference is one of more than {edge}; none is one that is shown to be less than {margin}.",
    "p95 note": "p95 has a verdict of its own only where mean or median differ, or where --fail-on asks for it.",
    "method text": (
        "A request's neighbours share its queue, so that the usual tests take chance for a difference in one "
        "comparison of three. Here the error of a mean is that of block means (8 autocorrelation times a block), "
        "inflated by what correlation these still have; that of a percentile is the inverted one of the share below "
        "it. docs/compare.md says how often this errs."
    ),
    "forest": "Changes and their intervals",
    "worse": "B is worse",
    "better": "B is better",
    "same": "no difference",
    "shift columns": "B / A − 1",
    "shift plot": "The shift function",
    "output_tokens_per_s plot": "output tokens/s over time",
    "vectors_per_s plot": "vectors/s over time",
    "ok_per_s plot": "ok requests/s over time",
    "and more": "{name} and {n1} more",
    "throughput columns": "run|side|{what}|over s",
    "shift note": (
        "B / A − 1 at each percentile, with its own 95 % interval: above 0 B is slower. A line that climbs to the "
        "right is a tail that got worse."
    ),
    "forest note": (
        "B / A − 1 with the interval by which it was judged; of failed requests the difference in percentage points "
        "(pp). Shaded: less than counts as a difference. Hollow: no verdict, or cannot tell."
    ),
    "ledger note": "Mean ms a request, of steady requests that ended ok; all runs of a side together.",
    "throughput note": "Means over {n1} s, in s since the first steady request; a line a run.",
    "change axis": "B / A − 1, %",
    "percentile axis": "percentile",
    "time axis": "s since the first steady request",
    # what differs, and what follows
    "difference": "{what}: A {a}, B {b}",
    "so not comparable": "not comparable",
    "so no verdict": "no verdict on TTFT and E2E",
    "so noted": "",
    "so compared": "this is compared",
    "invalid": "verdict of the run",
    "valid": "{n1} of {n2} VALID",
    "invalid why": "{side} is INVALID ({why})",
    "invalid some": "{n1} of {n2} runs of {side} are INVALID ({why})",
    "capacity": "capacity search",
    "capacity why": "the load of a capacity search follows its server; compare the answers: A {a}, B {b}",
    "nothing ok": "requests that ended ok",
    "nothing ok why": "{side} has no steady request that ended ok",
    "nothing in common": "the two sides have no figure in common",
    "option why": "{what} differs (A {a}, B {b})",
    "payloads": "payloads (digest)",
    "seed": "seed",
    "host": "host",
    "model": "model",
    "model digest": "model digest",
    "server": "server",
    "user classes": "user classes",
    "clients": "clients (host, CPUs)",
    "code": "tokenswarm's code",
    "lengths": "answers' lengths",
    "lengths why": (
        "answers differ in length by {distance} (hold them with --output-tokens, or with temperature 0 and a seed)"
    ),
    "lengths unknown": "the answers' lengths are not known",
    "prompt tokens": "prompt tokens, mean",
    "cached": "cached share of prompt tokens",
    "cold": "cold requests",
    "not matched": "prompts in common",
    "none": "none, or too few",
    "unknown": "not known",
    "one run": (
        "One run a side: what differs from run to run (where the model lies, heat, other load) is not in the "
        "intervals. Three runs a side, in turns, would tell (tokenswarm ab)."
    ),
    "not in turns": (
        "The runs of one side came before those of the other: whatever changed with time looks like a difference. "
        "Run them in turns (tokenswarm ab)."
    ),
    "few runs": "Two runs a side tell very little: take three or more.",
    "ramps": "Stages that are a ramp are not compared: nothing in them is steady.",
    # gates
    "crossed": "{text}: crossed: {change}, {verdict}",
    "kept": "{text}: not crossed: {change}, {verdict}",
    "unanswered": "{text}: cannot be answered: {verdict}",
    "report at": "The comparison: {path}",
}


_LANG = ContextVar("lang", default="en")


@contextmanager
def speak_in(lang: str) -> Iterator[None]:
    """Say all in that language, en or zh."""
    token = _LANG.set(lang)
    try:
        yield
    finally:
        _LANG.reset(token)


def say(key: str, **values: object) -> str:
    """The text of that key, filled in."""
    return (pattern(EN[key]) if _chinese() else EN[key]).format(**values)


def translate(text: str) -> str:
    """What was said in English before."""
    if not _chinese():
        return text
    said, (server, _, fact) = zh(text), text.partition(" ")
    return f"{zh(server)} {fact}" if said == text and server == EN["server"] else said


def list_all(texts: Iterable[str], mark: str) -> str:
    """One after the other, with that mark (", ", "; ", " ") between."""
    return {", ": "、", "; ": "；", " ": ""}[mark].join(texts) if _chinese() else mark.join(texts)


def bracket(text: str) -> str:
    """Behind what it belongs to."""
    return f"（{text}）" if _chinese() else f" ({text})"


def _chinese() -> bool:
    return _LANG.get() == "zh"
