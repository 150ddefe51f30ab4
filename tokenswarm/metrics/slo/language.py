"""The language of SLOs over METRICS: `ttft_ms p95 < 500`, `outcome ok > 99%`, `check json_invalid < 1%`, …"""

import difflib
import re
from dataclasses import dataclass
from typing import Literal

from tokenswarm.metrics.catalogue import METRICS

Aggregate = Literal["percentile", "mean", "max", "min", "share", "rate"]
USAGE = (
    "write it like `ttft_ms p95 < 500`, `tpot_ms mean < 50`, `outcome ok > 99%`, `check json_invalid < 1%` "
    "or `goodput > 3/s`"
)
OUTCOMES = ("ok", "http_error", "refused", "timeout", "truncated", "protocol_error", "server_error", "dropped")
CHECKS = tuple(m.name for m in METRICS if m.kind == "check")
SHARES = {"outcome": OUTCOMES, "check": CHECKS}
# Histograms are judged by the name that their pooled values bear.
SUBJECTS = tuple(m.name.removesuffix("_hist") for m in METRICS if m.kind in ("duration", "rate", "count", "histogram"))
_WORD = re.compile(r"[<>=]+|[^\s<>=]+")
_NUMBER = re.compile(r"(\d+(?:\.\d+)?|\.\d+)(%|/s|ms|s)?")


class SloError(ValueError):
    """An SLO that is none: one line, with the offending place between ▸ and ◂."""


@dataclass(frozen=True, slots=True)
class Slo:
    """One objective: the `aggregate` of `subject` over the requests of a run, compared with `limit`.

    `subject` is a metric (in its own unit), an outcome's name (its share, 0 to 1), a check's (the share that
    failed it, of the answers it applies to), or `goodput` (requests a second).
    """

    text: str
    subject: str
    aggregate: Aggregate
    percent: float | None
    below: bool  # must the figure stay below the limit, or above it?
    inclusive: bool
    limit: float

    def keeps(self, value: float) -> bool:
        """Is this value on the right side of the limit?"""
        if value == self.limit:
            return self.inclusive
        return (value < self.limit) == self.below


def parse(text: str) -> Slo:
    """Read one SLO. Raises SloError."""
    words = [(match.group(), match.start()) for match in _WORD.finditer(text)]
    if not words:
        raise SloError(f"an empty SLO; {USAGE}")
    subject, aggregate, percent, rest = _subject(text, words)
    if not rest or rest[0][0] not in ("<", "<=", ">", ">="):
        raise _wrong(text, rest[0] if rest else None, "is no comparison; use <, <=, > or >=")
    operator = rest[0][0]
    if len(rest) < 2:
        raise _wrong(text, None, "has no limit after the comparison; give a number")
    limit = _limit(text, rest[1], subject, aggregate)
    if len(rest) > 2:
        raise _wrong(text, rest[2], "is too much; give several SLOs one by one")
    return Slo(text.strip(), subject, aggregate, percent, operator[0] == "<", operator.endswith("="), limit)


def several(text: str) -> tuple[Slo, ...]:
    """Read SLOs that are parted by semicolons or lines. Raises SloError."""
    return tuple(parse(one) for one in re.split(r"[;\n]", text) if one.strip())


def as_said(slo: str, figure: float | None) -> tuple[float | None, str]:
    """A figure and its unit as its SLO is written: a share in per cent."""
    share = figure is not None and slo.split()[0] in SHARES
    return (100 * (figure or 0), " %") if share else (figure, "")


Words = list[tuple[str, int]]


def _subject(text: str, words: Words) -> tuple[str, Aggregate, float | None, Words]:
    name = words[0][0]
    if name == "goodput":
        return name, "rate", None, words[1:]
    if known := SHARES.get(name):
        if len(words) < 2 or words[1][0] not in known:
            raise _wrong(text, words[1] if len(words) > 1 else None, f"is no {name}; use {', '.join(known)}")
        return words[1][0], "share", None, words[2:]
    if name in CHECKS:
        raise _wrong(text, words[0], f"is a check; write `check {name} < 1%`")
    if name not in SUBJECTS:
        near = difflib.get_close_matches(name, (*SUBJECTS, "goodput", *SHARES), n=1)
        raise _wrong(text, words[0], f"is no metric; did you mean {near[0]}?" if near else f"is no metric; {USAGE}")
    how = words[1] if len(words) > 1 else None
    said = how[0] if how else ""
    if said in ("mean", "max", "min"):
        return name, said, None, words[2:]  # type: ignore[return-value]  # mypy does not narrow a str by `in`
    if re.fullmatch(r"p\d+(\.\d+)?", said) and 0 < float(said[1:]) < 100:
        return name, "percentile", float(said[1:]), words[2:]
    raise _wrong(text, how, "says not of which figure; put p95 (p50, p99, …), mean, max or min after the metric")


def _limit(text: str, word: tuple[str, int], subject: str, aggregate: Aggregate) -> float:
    found = _NUMBER.fullmatch(word[0])
    if not found:
        raise _wrong(text, word, "is no number")
    value, unit = float(found[1]), found[2] or ""
    if aggregate == "share":
        share = value / 100 if unit == "%" else value
        if unit not in ("%", "") or not 0 <= share <= 1:
            raise _wrong(text, word, "is no share; give 0% to 100%")
        return share
    if unit == "" or (unit == "/s" and (aggregate == "rate" or subject.endswith("_per_s"))):
        return value
    if unit in ("ms", "s") and subject.endswith("_ms"):
        return value * (1000 if unit == "s" else 1)
    raise _wrong(text, word, f"has a unit that {subject} has not")


def _wrong(text: str, word: tuple[str, int] | None, what: str) -> SloError:
    text = text.strip("\n")
    said, at = word or ("", len(text.rstrip()))
    marked = f"{text[:at]}▸{said}◂{text[at + len(said) :]}"
    return SloError(f"{' '.join(marked.split())}: {f'{said} ' if said else 'it '}{what}")
