"""A comparison in the terminal: at most 100 columns."""

from collections.abc import Sequence

from tokenswarm.reports.compare import page, shown
from tokenswarm.reports.compare.comparable import SILENCES, STOPS
from tokenswarm.reports.compare.comparison import Comparison
from tokenswarm.reports.compare.gates import JudgedLimit
from tokenswarm.reports.compare.sentence import sentence
from tokenswarm.reports.compare.words import say
from tokenswarm.reports.render.console import width, wrap

_NAME, _SIDE, _CHANGE, _INTERVAL = 18, 10, 13, 22


def render(made: Comparison, gates: Sequence[JudgedLimit]) -> str:
    """Sentence, a line a figure, what differs, remarks, gates; ends with a newline."""
    lines = [*wrap(page.title(made)), "", *wrap(sentence(made)), ""]
    if made.judged:
        heads = say("columns", margin="").split("|")
        lines.append(_line("", heads[2], heads[3], heads[4], heads[5], heads[1]))
        for each in made.judged:
            if not made.staged or each.figure.aggregate in ("mean", ""):
                cells = (*shown.sides(each.figure), shown.change(each), shown.interval(each))
                word = shown.verdict_and_needs(each, made.settings.edge, made.settings.margin)
                lines.append(_line(shown.name(each.figure), *cells, word))
        lines.append("")
    for found in made.differences:
        so = f": {found.why}" if found.effect in (STOPS, SILENCES) and found.why else ""
        lines += wrap(f"{found.what}: A {found.a or '–'}, B {found.b or '–'}{so}", "  ")
    for text in (*made.remarks, *(gate.said for gate in gates)):
        lines += wrap(text, "  ")
    return "\n".join(line.rstrip() for line in lines) + "\n"


def _line(name: str, a: str, b: str, change: str, interval: str, verdict: str) -> str:
    cells = zip((a, b, change, interval), (_SIDE, _SIDE, _CHANGE, _INTERVAL), strict=True)
    made = name + " " * max(1, _NAME - width(name)) + "".join(f"{cell:>{size}}" for cell, size in cells)
    return f"{made}  {verdict}"
