"""A comparison as a Document, for Markdown and HTML."""

import math
from collections.abc import Sequence

from tokenswarm.reports.compare import shown
from tokenswarm.reports.compare.comparable import COMPARED, NOTED, SILENCES, STOPS
from tokenswarm.reports.compare.comparison import Account, Comparison
from tokenswarm.reports.compare.contrast import LEAST_WORTH
from tokenswarm.reports.compare.figures import RATES
from tokenswarm.reports.compare.gates import JudgedLimit
from tokenswarm.reports.compare.sentence import sentence
from tokenswarm.reports.compare.verdicts import FIRST, Judged
from tokenswarm.reports.compare.words import say, translate
from tokenswarm.reports.load import Run
from tokenswarm.reports.parts.time_spent import LABELS
from tokenswarm.reports.render.document import Cell, Code, Document, Line, Section, Table
from tokenswarm.reports.render.numbers import ABSENT, integer, number

_SO = {STOPS: "so not comparable", SILENCES: "so no verdict", COMPARED: "so compared", NOTED: "so noted"}


def document(made: Comparison, gates: Sequence[JudgedLimit] = ()) -> Document:
    """The whole report."""
    method = Section("method", say("method"), lines=((say("method text"),),), folded=True)
    sections = (
        *(_gates(gates), _comparable(made), _figures(made)),
        *(_shift(made), _ledger(made), _throughput(made), method),
    )
    return Document(
        title=title(made),
        validity="",
        facts=_facts(made),
        verdict=sentence(made),
        tiles=_tiles(made),
        sections=tuple(section for section in sections if section.lines or section.items or section.tables),
    )


def title(made: Comparison) -> str:
    """`20261127T131608Z-a against …`."""
    return f"{_names(made.a)} {say('against')} {_names(made.b)}"


def _names(side: Sequence[Run]) -> str:
    first = side[0].folder.resolve().name
    return say("and more", name=first, n1=len(side) - 1) if len(side) > 1 else first


def _facts(made: Comparison) -> tuple[tuple[str, Cell], ...]:
    by = "by stage" if made.is_staged else f"by {made.matched_by or 'nothing'}"
    sides: list[tuple[str, Cell]] = []
    for key, side in (("A", made.a), ("B", made.b)):
        all_names = ", ".join(run.folder.resolve().name for run in side)
        text = all_names if len(side) == 1 else say("folders", n1=len(side), names=all_names)
        sides.append((say(key), Code(text)))
    return (*sides, (say("compared by"), say(by)))


def _tiles(made: Comparison) -> tuple[tuple[str, str], ...]:
    if made.is_staged:
        return ()
    first = [each for each in made.judged if each.figure.aggregate in ("mean", "")]
    return tuple(
        (f"{shown.name(each.figure)}: {shown.verdict(each, made.settings.edge)}", shown.change(each)) for each in first
    )


def _gates(gates: Sequence[JudgedLimit]) -> Section:
    return Section("gates", say("gates"), items=tuple((gate.said,) for gate in gates))


def _figures(made: Comparison) -> Section:
    if not made.judged:
        return Section("figures", say("figures"))
    settings = made.settings
    edge, margin = f"{100 * settings.edge:g} %", f"{100 * settings.margin:g} %"
    lines: list[Line] = [(say("times"),), (say("level"), " ", say("edge", edge=edge, margin=margin))]
    if len(made.a) > 1:
        lines.append((say("run unit"),))
    else:
        lines.append((say("worth note", n1=LEAST_WORTH), " ", say("p95 note")))
    judged = [each for each in made.judged if not made.is_staged or each.figure.aggregate in FIRST]
    columns = tuple(say("columns", margin=margin).split("|"))
    table = Table(columns, tuple(_row(each, made) for each in judged), names=2)
    return Section("figures", say("figures"), lines=tuple(lines), tables=(table,))


def _row(each: Judged, made: Comparison) -> tuple[Cell, ...]:
    return (
        shown.name(each.figure),
        shown.verdict(each, made.settings.edge),
        *shown.sides(each.figure),
        shown.change(each),
        shown.interval(each),
        *(_worth(n, worth) for n, worth in zip(each.figure.contrast.n, each.figure.contrast.worth, strict=True)),
        shown.needs(each),
    )


def _worth(n: int, worth: float) -> str:
    return integer(n) if math.isinf(worth) else f"{n:,} ({math.floor(worth):,})"


def _comparable(made: Comparison) -> Section:
    listed: list[tuple[Cell, ...]] = []
    for each in made.differences:
        what, a, b = (Code(translate(text) or ABSENT) for text in (each.what, each.a, each.b))
        listed.append((what, a, b, say(_SO[each.effect])))
    rows = tuple(dict.fromkeys(listed))  # two INVALID sides differ once
    tables = (Table(tuple(say("difference columns").split("|")), rows, names=4),) if rows else ()
    lines: tuple[Line, ...] = () if rows else ((say("all the same"),),)
    return Section("comparable", say("comparable"), lines, tuple((translate(text),) for text in made.remarks), tables)


def _ledger(made: Comparison) -> Section:
    kinds = dict.fromkeys(account["kind"] for side in made.ledgers for account in side)
    tables = []
    for kind in kinds:
        found = [
            (say(key), account)
            for key, side in zip("AB", made.ledgers, strict=True)
            for account in side
            if account["kind"] == kind
        ]
        parts = list(dict.fromkeys(part for _, account in found for part in account["parts_mean_ms"]))
        rows = tuple(_account(key, account, parts) for key, account in found)
        heads = (say("A") + " / " + say("B"), "n", *(translate(LABELS[part]) for part in parts), say("sum"))
        tables.append(Table(heads, rows, caption=(translate(f"As told by the {kind}; mean ms"),)))
    lines: tuple[Line, ...] = ((say("ledger note"),),) if tables else ()
    return Section("ledger", say("ledger"), lines=lines, tables=tuple(tables))


def _account(key: str, account: Account, parts: Sequence[str]) -> tuple[Cell, ...]:
    means = account["parts_mean_ms"]
    return (key, integer(account["n"]), *(number(means.get(p)) for p in parts), number(account["sum_mean_ms"]))


def _shift(made: Comparison) -> Section:
    percents = sorted({percent for each in made.shifts for percent in each.percents})
    rows = []
    for each in made.shifts:
        changes = dict(zip(each.percents, each.change, strict=True))
        rows.append((say(each.metric), *(shown.percentage(changes.get(percent)) for percent in percents)))
    columns = (say("shift columns"), *(f"p{percent}" for percent in percents))
    return Section("shift", say("shift"), tables=(Table(columns, tuple(rows)),) if rows else ())


def _throughput(made: Comparison) -> Section:
    if not all(made.rates):
        return Section("throughput", say("throughput"))
    rows: list[tuple[Cell, ...]] = [
        (Code(run.folder.resolve().name), say(key), number(float(values.mean())), number(lasted_s))
        for key, runs, side in zip("AB", (made.a, made.b), made.rates, strict=True)
        for run, (lasted_s, values) in zip(runs, side, strict=False)
    ]
    columns = tuple(say("throughput columns", what=say(RATES[made.counted])).split("|"))
    return Section("throughput", say("throughput"), tables=(Table(columns, tuple(rows), names=2),))
