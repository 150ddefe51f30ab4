"""A comparison as a value: two sides of runs, what differs between them, and a verdict for each figure."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from tokenswarm.reports.compare import answered, comparable, contrast
from tokenswarm.reports.compare.comparable import NOTED, SILENCES, STOPS, Difference
from tokenswarm.reports.compare.figures import ComparedRows, Figure, Sides, figures, match_requests
from tokenswarm.reports.compare.rates import rate, unit
from tokenswarm.reports.compare.shift import Shift, shifts
from tokenswarm.reports.compare.verdicts import EDGE, MARGIN, Judged, judge
from tokenswarm.reports.compare.words import say
from tokenswarm.reports.load import Run
from tokenswarm.reports.parts.time_spent import NEEDED, ledger

Account = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Tolerances:
    """`edge` is what counts as a difference, `margin` what counts as none (shares); `asked` are figures of gates."""

    edge: float = EDGE
    margin: float = MARGIN
    asked: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Comparison:
    """Everything that a report of it says; the reasons why it is no comparison are differences that stop it.

    `rates` are (seconds, so many a second) of each run of each side, of `counted`; `ledgers` are accounts as in
    `reports.parts.time_spent`.
    """

    a: tuple[Run, ...]
    b: tuple[Run, ...]
    settings: Tolerances
    differences: tuple[Difference, ...]
    matched_by: str
    judged: tuple[Judged, ...]
    shifts: tuple[Shift, ...]
    ledgers: tuple[tuple[Account, ...], tuple[Account, ...]]
    rates: tuple[tuple[Any, ...], tuple[Any, ...]]
    counted: str
    remarks: tuple[str, ...]

    @property
    def is_staged(self) -> bool:
        """Is it stage by stage?"""
        return any(each.figure.stage is not None for each in self.judged)

    @property
    def stops(self) -> tuple[str, ...]:
        """Why the sides are not comparable; none if they are."""
        return tuple(each.why for each in self.differences if each.effect == STOPS)


def compare(a: Sequence[Run], b: Sequence[Run], settings: Tolerances | None = None) -> Comparison:
    """Compare one run a side, or several a side."""
    settings = settings or Tolerances()
    sides = _rows(a), _rows(b)
    found = comparable.differences(a, b)
    stops = any(each.effect == STOPS for each in found)
    same_seed = comparable.same(a, b, lambda run: run.info.get("seed", comparable.option(run, "seed")))
    same_seed = same_seed and comparable.same(a, b, comparable.digest)
    arrivals = any(comparable.option(run, name) for run in (*a, *b) for name in ("arrivals", "trace"))
    matched = match_requests(sides, same_seed, arrivals and not stops)
    found += answered.differences(sides, matched, settings.edge)
    stages: Sequence[int] = _stages((*a, *b))
    made: list[Figure] = []
    for stage in stages or (None,):
        parts = (_rows(a, stage), _rows(b, stage)) if stage else sides
        made += figures(parts, match_requests(parts, same_seed, arrivals) if stage else matched, stage)
    if not made and not any(each.effect == STOPS for each in found):
        found.append(Difference(say("figures"), "", "", STOPS, say("nothing in common")))
    silent = _silent(found, made)
    counted = unit([rows.whole for side in sides for rows in side])
    return Comparison(
        tuple(a),
        tuple(b),
        settings,
        tuple(sorted(found, key=lambda each: _ORDER.index(each.effect))),
        matched.by,
        tuple(judge(made, silent, settings.asked, settings.edge, settings.margin)),
        () if stages or _too_few(sides) else tuple(shifts(sides, matched)),
        (_ledger(sides[0]), _ledger(sides[1])),
        (_rates(sides[0], counted), _rates(sides[1], counted)),
        counted,
        tuple(_remarks(a, b, sides, stages)),
    )


_ORDER = (STOPS, SILENCES, comparable.COMPARED, NOTED)


def _rows(side: Sequence[Run], stage: int | None = None) -> list[ComparedRows]:
    return [ComparedRows.of(run.frame, _began(run), stage) for run in side]


def _began(run: Run) -> float:
    began = run.info.get("started_unix_s")
    return float(began) if isinstance(began, (int, float)) else float("nan")


def _stages(runs: Sequence[Run]) -> list[int]:
    """Numbers of the stages that hold a number of users; none where there is but one."""
    listed = [run.info.get("stages") for run in runs]
    known = [stages for stages in listed if isinstance(stages, list) and len(stages) > 1 and not _by_hand(stages)]
    if len(known) < len(runs):
        return []
    first = [stage if isinstance(stage, dict) else {} for stage in known[0]]
    return [at for at, stage in enumerate(first, start=1) if stage.get("from_users") == stage.get("users")]


def _by_hand(stages: list[Any]) -> bool:
    """Were the users changed while the run went on? Then no other run has the same stages."""
    return isinstance(stages[0], dict) and bool(stages[0].get("by_hand"))


def _silent(found: Sequence[Difference], made: Sequence[Figure]) -> Collection[str]:
    """The metrics that get no verdict."""
    effects = {each.effect for each in found}
    if STOPS in effects:
        return {figure.metric for figure in made}
    return answered.DEPENDS_ON_LENGTH if SILENCES in effects else ()


def _too_few(sides: Sides) -> bool:
    return any(not len(rows.ok) for side in sides for rows in side)


def _ledger(side: Sequence[ComparedRows]) -> tuple[Account, ...]:
    if len(side) == 1:
        return tuple(ledger(side[0].ok))
    return tuple(ledger(pd.concat([rows.ok.frame(NEEDED) for rows in side], ignore_index=True)))


def _rates(side: Sequence[ComparedRows], counted: str) -> tuple[Any, ...]:
    found = []
    for rows in side:
        values = rate(rows.whole, rows.steady, counted)
        if len(values):
            lasted_s = (int(rows.steady["at_ns"].iloc[-1]) - int(rows.steady["at_ns"].iloc[0])) / 1e9
            found.append((lasted_s, values))
    return tuple(found)


def _remarks(a: Sequence[Run], b: Sequence[Run], sides: Sides, stages: Sequence[int]) -> list[str]:
    found = []
    times = [rows.began_s for side in sides for rows in side]
    if len(a) == 1:
        found.append(say("one run"))
    elif min(len(a), len(b)) == 2:
        found.append(say("few runs"))
    elif not contrast.are_interleaved(len(a), times):
        found.append(say("not in turns"))
    else:
        found.append(say("trend"))
    if stages and len(stages) < len(a[0].info["stages"]):
        found.append(say("ramps"))
    return found
