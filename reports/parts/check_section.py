"""The report's section "Output checks", and their lines in the terminal."""

from collections import defaultdict
from collections.abc import Mapping
from itertools import zip_longest
from typing import Any

from tokenswarm.metrics.checks.table import CHECKS
from tokenswarm.reports.parts.checks import MOST_EXAMPLES
from tokenswarm.reports.render.document import Cell, Code, Line, Section, Table
from tokenswarm.reports.render.numbers import integer, many, number

# These apply to (almost) every answer: without a failure one line names them all.
_COMMON: tuple[str, ...] = (
    "repetition",
    "repeat_guard",
    "no_visible_answer",
    "think_unclosed",
    "think_leaked",
    "cut_by_limit",
)
_COMMON += ("limit_ignored", "prompt_truncated", "durations_impossible")
_FAULTS = frozenset(check.name for check in CHECKS if check.shown)
_WHEN = (("alone", "while nothing else was under way"), ("together", "while other requests were under way"))
Entry = Mapping[str, Any]


def check_section(summary: Entry) -> Section:
    """A row for each check that failed, or that applies only to what was asked for; nothing if there is none.

    Folded where all that can be said is that answers reached their limit, which is no fault by itself.
    """
    shown = [entry for entry in summary["checks"]["found"] if entry["failed"] or entry["check"] not in _COMMON]
    rows: list[tuple[Cell, ...]] = [(Code(entry["check"]), *_where(entry), *_share(entry)) for entry in shown]
    examples = [
        row for check in dict.fromkeys(e["check"] for e in shown) if check in _FAULTS for row in _examples(shown, check)
    ]
    again = _again(summary["checks"]["reproducible"])
    if not rows and not again:
        return Section("checks", "Output checks")
    lines: list[Line] = []
    if rows:
        passed = [entry for entry in summary["checks"]["found"] if entry not in shown]
        lines.append(("Of the answers that a check applies to, how many failed it, with the 95 % interval (Wilson).",))
        if said := _pass_line(passed):
            lines.append((f"Without a failure: {said}.",))
    columns = ("check", "endpoint", "model", "n", "failed", "rate, %", "95 % interval, %")
    tables = [Table(columns, tuple(rows), names=3)] if rows else []
    if examples:
        which = ("check", "prompt", "worker/sequence", "what failed")
        tables.append(Table(which, tuple(examples), caption=("Examples",), names=4))
    folded = not again and not any(entry["check"] in _FAULTS for entry in shown)
    return Section("checks", "Output checks", lines=(*lines, *again), tables=tuple(tables), folded=folded)


def check_lines(summary: Entry) -> list[str]:
    """A line for each check that failed and is a fault by itself, and one if the same requests gave other texts."""
    found: dict[str, list[Entry]] = defaultdict(list)
    for entry in summary["checks"]["found"]:
        if entry["check"] in _FAULTS:
            found[entry["check"]].append(entry)
    lines = []
    for check, entries in found.items():
        failed, n = (sum(entry[name] for entry in entries) for name in ("failed", "n"))
        if not failed:
            continue
        note = next((e["note"] for entry in entries for e in entry["examples"] if e["note"]), "")
        lines.append(f"check {check}: {integer(failed)} of {integer(n)} answers ({number(100 * failed / n)} %): {note}")
    again = summary["checks"]["reproducible"]
    if again and again["failed"]:
        rate = number(100 * again["rate"])
        lines.append(f"not reproducible: {integer(again['failed'])} of {integer(again['n'])} answers ({rate} %) differ")
    return lines


def _share(entry: Entry) -> tuple[str, str, str, str]:
    low, high = (number(100 * entry[name]) for name in ("rate_low", "rate_high"))
    return integer(entry["n"]), integer(entry["failed"]), number(100 * entry["rate"]), f"{low} to {high}"


def _where(entry: Entry) -> tuple[Cell, Cell]:
    return Code(entry["endpoint"]), Code(entry["model"])


def _examples(entries: list[Entry], check: str) -> list[tuple[Cell, ...]]:
    """Three at most, of different slices if there are any."""
    slices = [entry["examples"] for entry in entries if entry["check"] == check]
    inturn = [one for some in zip_longest(*slices) for one in some if one]
    return [
        (Code(check), Code(one["prompt_id"]), f"{one['worker']}/{one['sequence']}", Code(f"{one['note']}{_text(one)}"))
        for one in inturn[:MOST_EXAMPLES]
    ]


def _text(one: Entry) -> str:
    return f" “{one['text']}”" if one.get("text") else ""


def _pass_line(entries: list[Entry]) -> str:
    counts: dict[str, int] = defaultdict(int)
    for entry in entries:
        counts[entry["check"]] += entry["n"]
    return ", ".join(f"{check} ({integer(n)})" for check, n in counts.items())


def _again(found: Entry | None) -> tuple[Line, ...]:
    """The same request, the same text?"""
    if not found:
        return ()
    same, low, high = (number(100 * (1 - found[name])) for name in ("rate", "rate_high", "rate_low"))
    said = (
        f"Same request, same text (a seed, or temperature 0): {same} % ({low} to {high}) of "
        f"{many(found['n'], 'answer')} to {many(found['requests'], 'request')} made twice or more were the usual one"
    )
    parts = [(when, found[name]) for name, when in _WHEN if name in found]
    if len(parts) == 1:
        said += f", all {parts[0][0]}"
    else:
        said += "".join(
            f"; {when}: {number(100 * (1 - part['rate']))} % of {integer(part['n'])}" for when, part in parts
        )
    lines: list[Line] = [(said + ".",)]
    if found["examples"]:
        examples = " · ".join(f"{one['prompt_id']}{_text(one)}" for one in found["examples"])
        lines.append(
            (f"{many(found['requests_differing'], 'request')} gave different texts, such as ", Code(examples), ".")
        )
    return tuple(lines)
