"""What the checks of the answers found: how many failed of how many, and the same request giving the same text."""

from collections import defaultdict
from collections.abc import Mapping
from itertools import zip_longest
from typing import Any

import numpy as np

from tokenswarm.metrics.catalogue import METRICS
from tokenswarm.metrics.checks import table
from tokenswarm.reports.load import Run
from tokenswarm.reports.parts.part import Part, Summary
from tokenswarm.reports.render.document import Cell, Code, Line, Section, Table
from tokenswarm.reports.render.numbers import integer, many, number
from tokenswarm.reports.rows import parts as parts_of
from tokenswarm.reports.wilson import interval

CHECKS = tuple(metric.name for metric in METRICS if metric.kind == "check")
MOST_EXAMPLES = 3
_WHO = ("prompt_id", "worker", "sequence", "output_text")
_EXAMPLE = ("endpoint", "model", *_WHO, "check_notes")


def checks(frame: Any) -> dict[str, Any]:
    """`found`: an entry for each check, endpoint and model with n > 0; `reproducible`: see `reproducibility`.

    An entry has `n` answers that it applied to, `failed`, `rate` and its 95 % interval, and up to three examples.
    """
    found = []
    names = [name for name in CHECKS if frame[name].notna().any()]
    shown = [name for name in (*_EXAMPLE, *names) if name in frame.columns]
    for (endpoint, model), rows in frame[shown].groupby(["endpoint", "model"], sort=True) if names else ():
        for name in names:
            n, failed = int(rows[name].count()), rows[rows[name] == 1]
            if n:
                where = {"check": name, "endpoint": str(endpoint), "model": str(model)}
                found.append({**where, **share(len(failed), n), "examples": _examples(failed, name)})
    found.sort(key=lambda entry: CHECKS.index(entry["check"]))
    return {"found": found, "reproducible": reproducibility(frame)}


def share(failed: int, n: int) -> dict[str, Any]:
    """How many of how many, as a rate from 0 to 1 with the ends of its 95 % interval."""
    low, high = interval(failed, n)
    return {
        "n": n,
        "failed": failed,
        "rate": round(failed / n, 6),
        "rate_low": round(low, 6),
        "rate_high": round(high, 6),
    }


def _examples(failed: Any, check: str) -> list[dict[str, Any]]:
    return [{**_who(row), "note": _note(row["check_notes"], check)} for _, row in _first(failed).iterrows()]


def _first(rows: Any) -> Any:
    return rows.take(np.arange(min(MOST_EXAMPLES, len(rows)))).frame()


def _who(row: Any) -> dict[str, Any]:
    """Which request it was; the beginning of its answer where texts were kept."""
    text = row.get("output_text")
    shown = {"text": text} if isinstance(text, str) and text else {}
    return {"prompt_id": str(row["prompt_id"]), "worker": int(row["worker"]), "sequence": int(row["sequence"]), **shown}


def _note(notes: object, check: str) -> str:
    """The part of all notes that one check wrote."""
    if not isinstance(notes, str) or f"{check}: " not in notes:
        return ""
    said = notes.partition(f"{check}: ")[2]
    ends = [at for other in CHECKS if (at := said.find(f"; {other}: ")) >= 0]
    return said[: min(ends)] if ends else said


def reproducibility(frame: Any) -> dict[str, Any] | None:
    """Of ok answers to requests that should give the same text each time and were made twice or more: how many did.

    A request's most frequent text counts as the same one, all others `differ`. `alone` and `together` tell apart the
    answers during which no other request was under way and those during which some were. None where there are none.
    """
    asked = frame[(frame["request_digest"].notna() & frame["text_digest"].notna()).to_numpy()]
    if not len(asked):
        return None
    of, text = _requests(asked), asked["text_digest"].to_numpy("uint64", na_value=0)
    order = np.lexsort((text, of)).astype(np.int32)
    of, text = of[order], text[order]
    first = np.append(True, of[1:] != of[:-1])  # of each request, and of each text that it was answered by
    first_text = first | np.append(True, text[1:] != text[:-1])
    request, answer = (np.cumsum(each, dtype=np.int32) - 1 for each in (first, first_text))
    del of, text, first
    made, same = np.bincount(request), np.bincount(answer)
    # Of texts that are as frequent, the first.
    by_frequency = np.lexsort((-same, request[first_text]))
    usual = by_frequency[np.append(True, np.diff(request[first_text]) > 0)]
    again = made[request] > 1
    other = again & (usual[request] != answer)
    if not again.any():
        return None
    among = _together(frame, asked)[order]
    parts = {
        name: share(int((other & which).sum()), int((again & which).sum()))
        for name, which in (("alone", ~among), ("together", among))
        if (again & which).any()
    }
    differing = np.unique(request[other])
    rows = np.full(len(made), len(order))  # of each request the first row with another text
    np.minimum.at(rows, request[other], order[other])
    examples = asked.take(np.sort(rows[differing])[:MOST_EXAMPLES]).frame([*filter(frame.columns.__contains__, _WHO)])
    return {
        **share(int(other.sum()), int(again.sum())),
        "requests": int((made > 1).sum()),
        "requests_differing": len(differing),
        **parts,
        "examples": [_who(row) for _, row in examples.iterrows()],
    }


def _requests(asked: Any) -> Any:
    """A number for each row, the same where endpoint, model and request are."""
    found = np.unique(asked["request_digest"].to_numpy("uint64", na_value=0), return_inverse=True)[1]
    for name in ("endpoint", "model"):
        found = found * (len(asked[name].cat.categories) + 1) + asked[name].cat.codes.to_numpy() + 1
    return found


def _together(frame: Any, asked: Any) -> Any:
    """Was any other request under way during each of some rows? Where times are missing, yes."""
    known = frame[(frame["sent_unix_ns"].notna() & frame["ended_unix_ns"].notna()).to_numpy()]
    sents, ends = (np.sort(known[name].to_numpy("int64")) for name in ("sent_unix_ns", "ended_unix_ns"))
    found = []
    for rows in parts_of(asked):
        absent = (rows["sent_unix_ns"].isna() | rows["ended_unix_ns"].isna()).to_numpy()
        begun = np.searchsorted(sents, rows["ended_unix_ns"].to_numpy("int64", na_value=0), side="left")
        over = np.searchsorted(ends, rows["sent_unix_ns"].to_numpy("int64", na_value=0), side="right")
        found.append(absent | (begun - over > 1))
    return np.concatenate(found)


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
_FAULTS = frozenset(check.name for check in table.CHECKS if check.shown)
_WHEN = (("alone", "while nothing else was under way"), ("together", "while other requests were under way"))
Entry = Mapping[str, Any]


def section(summary: Entry) -> Section:
    """A row for each check that failed, or that applies only to what was asked for; nothing if there is none.

    Folded where all that can be said is that answers reached their limit, which is no fault by itself.
    """
    shown = [entry for entry in summary["checks"]["found"] if entry["failed"] or entry["check"] not in _COMMON]
    rows: list[tuple[Cell, ...]] = [(Code(entry["check"]), *_where(entry), *_share(entry)) for entry in shown]
    examples = [
        row
        for check in dict.fromkeys(e["check"] for e in shown)
        if check in _FAULTS
        for row in _example_rows(shown, check)
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


def _example_rows(entries: list[Entry], check: str) -> list[tuple[Cell, ...]]:
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


def data(run: Run, _summary: Summary) -> dict[str, Any]:
    """`checks`: what failed, and what was not the same again."""
    return {"checks": checks(run.measured)}


PART = Part(section, data)
