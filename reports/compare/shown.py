"""How figures, changes and verdicts are written."""

import math

from tokenswarm.reports.compare.figures import FAILED, Figure
from tokenswarm.reports.compare.verdicts import BETTER, NONE, SAME, WORSE, Judged
from tokenswarm.reports.compare.words import list_all, say
from tokenswarm.reports.render.numbers import ABSENT, number


def name(figure: Figure) -> str:
    """`TPOT mean`; of a stage `stage 2, TPOT mean`."""
    said = say(f"{figure.metric} {figure.aggregate}".rstrip())
    return said if figure.stage is None else list_all((say("stage", n1=figure.stage), said), ", ")


def sides(figure: Figure) -> tuple[str, str]:
    """Both sides' figures; shares in per cent."""
    made = figure.contrast
    if made.points:
        return f"{number(100 * made.a)} %", f"{number(100 * made.b)} %"
    return number(made.a), number(made.b)


def percent(figure: Figure, change: float) -> float | None:
    """A change in per cent of A, or in percentage points; None where it is not bounded."""
    if not math.isfinite(change) or change > math.log(1e6):
        return None
    return 100 * (change if figure.contrast.points else math.expm1(change))


def amount(value: float | None, figure: Figure) -> str:
    """`+5.1 %`, `−0.3 pp`."""
    if value is None:
        return ABSENT
    said = f"{_sign(value)}{_digits(abs(value))}"
    return say("points", n1=said) if figure.contrast.points else f"{said} %"


def percentage(change: float | None) -> str:
    """A logarithm of a ratio as `+5.1 %`."""
    if change is None or not math.isfinite(change):
        return ABSENT
    value = 100 * math.expm1(change)
    return f"{_sign(value)}{_digits(abs(value))} %"


def _sign(value: float) -> str:
    return "+" if value > 0 else "−" if value < 0 else "±"


def _digits(size: float) -> str:
    return f"{size:,.0f}" if size >= 99.5 else f"{size:.1f}"


def change(judged: Judged) -> str:
    """What B is more or less than A."""
    return amount(percent(judged.figure, judged.figure.contrast.change), judged.figure)


def interval(judged: Judged) -> str:
    """`−0.3 to +1.2 %`."""
    low, high = (amount(percent(judged.figure, bound), judged.figure) for bound in (judged.low, judged.high))
    if low == high == ABSENT:
        return ABSENT
    return say("between", n1=low.partition(" ")[0], n2=high)


def most(judged: Judged, edge: float) -> str:
    """The least x of which it is true that there is no difference over x; never less than the edge."""
    bounds = [percent(judged.figure, bound) or 0.0 for bound in (judged.low, judged.high)]
    said = f"{max(100 * edge, math.ceil(10 * max(map(abs, bounds))) / 10):g}"
    return say("points", n1=said) if judged.figure.contrast.points else f"{said} %"


def word(judged: Judged) -> str:
    """`slower`, `fewer failures`, …: of a figure that was found to differ."""
    if judged.figure.metric == FAILED:
        return say("fewer failures" if judged.verdict == BETTER else "more failures")
    return say("faster" if judged.verdict == BETTER else "slower")


def verdict(judged: Judged, edge: float) -> str:
    """The verdict in words."""
    if judged.verdict in (BETTER, WORSE):
        return word(judged)
    if judged.verdict == SAME:
        return say("no difference", n1=most(judged, edge))
    return say("no verdict" if judged.verdict == NONE else "cannot tell")


def needs(judged: Judged) -> str:
    """`6,200 requests`: how many a side would tell a difference of the margin; where that was not told."""
    if judged.needed is None:
        return ABSENT
    runs = math.isinf(min(judged.figure.contrast.worth))
    return f"{judged.needed:,} {say('runs' if runs else 'requests')}"


def verdict_and_needs(judged: Judged, edge: float, margin: float) -> str:
    """Both in one line."""
    said = verdict(judged, edge)
    if judged.needed is None:
        return said
    return say("needs", verdict=said, margin=f"{100 * margin:g} %", needed=needs(judged))
