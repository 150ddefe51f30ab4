"""A comparison in the terminal: at most 100 columns."""

from collections.abc import Sequence

from tokenswarm.reports.compare import page, shown
from tokenswarm.reports.compare.comparable import SILENCES, STOPS
from tokenswarm.reports.compare.comparison import Comparison
from tokenswarm.reports.compare.gates import JudgedLimit
from tokenswarm.reports.compare.sentence import sentence
from tokenswarm.reports.compare.verdicts import Judged
from tokenswarm.reports.compare.words import say, translate
from tokenswarm.reports.render.console import grid, wrap
from tokenswarm.reports.render.document import Table
from tokenswarm.reports.render.numbers import ABSENT

_SHOWN = ("mean", "")


def render(made: Comparison, gates: Sequence[JudgedLimit]) -> str:
    """Sentence, a line a figure, what differs, remarks, gates; ends with a newline."""
    lines = [*wrap(page.title(made)), "", *wrap(sentence(made)), ""]
    if made.judged:
        heads = say("columns", margin=f"{100 * made.settings.margin:g} %").split("|")
        rows = tuple(_row(each, made) for each in made.judged if not made.is_staged or each.figure.aggregate in _SHOWN)
        lines += grid(Table((*heads[:6], heads[-1]), rows, names=2))
        lines.append("")
    for found in made.differences:
        what, a, b, why = (translate(text) or ABSENT for text in (found.what, found.a, found.b, found.why))
        so = f": {why}" if found.effect in (STOPS, SILENCES) and found.why else ""
        lines += wrap(f"{say('difference', what=what, a=a, b=b)}{so}", "  ")
    for text in (*map(translate, made.remarks), *(gate.said for gate in gates)):
        lines += wrap(text, "  ")
    return "\n".join(line.rstrip() for line in lines) + "\n"


def _row(each: Judged, made: Comparison) -> tuple[str, ...]:
    """As in the table of the page, without the numbers of requests."""
    return (
        shown.name(each.figure),
        shown.verdict(each, made.settings.edge),
        *shown.sides(each.figure),
        shown.change(each),
        shown.interval(each),
        shown.needs(each),
    )
