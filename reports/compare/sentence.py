"""A comparison in one or two sentences."""

from collections.abc import Iterable

from tokenswarm.reports.compare import shown
from tokenswarm.reports.compare.comparable import SILENCES
from tokenswarm.reports.compare.comparison import Comparison
from tokenswarm.reports.compare.verdicts import BETTER, NONE, SAME, UNKNOWN, WORSE, Judged
from tokenswarm.reports.compare.words import bracket, list_all, say, translate


def sentence(made: Comparison) -> str:
    """The verdicts on means, rates and failures: worse first, then better, the same, and what nobody can tell."""
    if made.stops:
        return say("not comparable", why=list_all(map(translate, dict.fromkeys(made.stops)), "; "))
    first = [each for each in made.judged if each.figure.aggregate in ("mean", "")]
    means = {(e.figure.metric, e.figure.stage) for e in first if e.verdict in (WORSE, BETTER)}
    # Of a metric whose mean nobody can tell the median may be known.
    medians = [e for e in made.judged if e.figure.aggregate == "p50" and (e.figure.metric, e.figure.stage) not in means]
    parts = [*_found([*first, *medians], WORSE), *_found([*first, *medians], BETTER)]
    same = [each for each in first if each.verdict == SAME]
    if same:
        bounds = (say("over", figure=shown.name(e.figure), n1=shown.most(e, made.settings.edge)) for e in same)
        parts.append(say("differs not", figures=list_all(bounds, ", ")))
    if unknown := [each for each in first if each.verdict == UNKNOWN]:
        parts.append(say("nobody knows", figures=_names(unknown)))
    if none := [each for each in first if each.verdict == NONE]:
        why = next((each.why for each in made.differences if each.effect == SILENCES), "")
        parts.append(say("none of it", figures=_names(none), why=translate(why)))
    return list_all(parts, " ")


def _found(judged: Iterable[Judged], verdict: str) -> list[str]:
    words: dict[str, list[str]] = {}
    for each in judged:
        if each.verdict == verdict:
            said = f"{shown.name(each.figure)} {shown.change(each)}{bracket(shown.interval(each))}"
            words.setdefault(shown.word(each), []).append(said)
    failures = (say("more failures"), say("fewer failures"))
    return [
        say("B has" if w in failures else "B is", word=w, figures=list_all(said, "; ")) for w, said in words.items()
    ]


def _names(judged: Iterable[Judged]) -> str:
    return list_all((shown.name(each.figure) for each in judged), ", ")
