"""`--fail-on "tpot_ms mean +5%"`: what makes a comparison end with exit code 99."""

import difflib
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from tokenswarm.reports.compare import shown
from tokenswarm.reports.compare.figures import AGGREGATES, FAILED, RATES, TIMES
from tokenswarm.reports.compare.verdicts import NONE, WORSE, Judged
from tokenswarm.reports.compare.words import bracket, say, translate
from tokenswarm.reports.errors import ReportError

_RATES = tuple(RATES.values())
USAGE = 'write it like "tpot_ms mean +5%", "ttft_ms p95 +20%", "output_tokens_per_s -5%" or "failed +1%"'
_LIMIT = re.compile(r"([+-−])(\d+(?:\.\d+)?|\.\d+)%")


@dataclass(frozen=True, slots=True)
class Limit:
    """`change` is the least one, to the worse, that fails: a share of A, or of all requests for `failed`."""

    text: str
    metric: str
    aggregate: str
    change: float


@dataclass(frozen=True, slots=True)
class JudgedLimit:
    """A limit and its answer: True if it was crossed, None where there is no verdict."""

    limit: Limit
    crossed: bool | None
    said: str


def parse(text: str) -> Limit:
    """Read one. Raises ReportError with one line."""
    words = text.replace("%", "% ").split()
    words = [*words[:-2], "".join(words[-2:])] if len(words) > 1 and words[-1] == "%" else words
    metric = words[0] if words else ""
    if metric not in (*TIMES, *_RATES, FAILED):
        near = difflib.get_close_matches(metric, (*TIMES, *_RATES, FAILED), n=1)
        raise _wrong(text, metric, f"is no figure of a comparison; did you mean {near[0]}?" if near else USAGE)
    rest, aggregate = words[1:], ""
    if metric in TIMES:
        if not rest or rest[0] not in AGGREGATES:
            raise _wrong(text, rest[0] if rest else "", f"says not of which figure; give {', '.join(AGGREGATES)}")
        aggregate, rest = rest[0], rest[1:]
    found = _LIMIT.fullmatch(rest[0]) if len(rest) == 1 else None
    if not found:
        raise _wrong(text, " ".join(rest), f"is no change in per cent; {USAGE}")
    worse = "-" if metric in _RATES else "+"
    if found[1].replace("−", "-") != worse:
        raise _wrong(text, rest[0], f"would be better, not worse; write {worse}{found[2]}%")
    return Limit(" ".join(text.split()), metric, aggregate, float(found[2]) / 100)


def check(limits: Sequence[Limit], edge: float) -> None:
    """Raises ReportError for one that is less than what counts as a difference."""
    for limit in limits:
        if limit.change < edge:
            too_little = f"less than {100 * edge:g} % counts as no difference; give more, or lower --edge"
            raise ReportError(f"--fail-on {limit.text}: {too_little}")


def answers(limits: Iterable[Limit], judged: Sequence[Judged]) -> list[JudgedLimit]:
    """Each limit held against its figure, in every stage. Raises ReportError for a figure that the runs do not have."""
    found = []
    for limit in limits:
        own = [e for e in judged if (e.figure.metric, e.figure.aggregate) == (limit.metric, limit.aggregate)]
        if not own:
            raise ReportError(f"--fail-on {limit.text}: these runs have no such figure, or too few requests for it")
        found += [_answer(limit, each) for each in own]
    return found


def _answer(limit: Limit, each: Judged) -> JudgedLimit:
    percent = shown.percent(each.figure, each.figure.contrast.change)
    crossed = each.verdict == WORSE and percent is not None and abs(percent) >= 100 * limit.change - 1e-9
    where = f"{limit.text}{bracket(say('stage', n1=each.figure.stage))}" if each.figure.stage else limit.text
    if each.verdict == NONE:
        return JudgedLimit(limit, None, say("unanswered", text=where, verdict=say("no verdict")))
    key = "crossed" if crossed else "kept"
    return JudgedLimit(limit, crossed, say(key, text=where, change=shown.change(each), verdict=translate(each.verdict)))


def _wrong(text: str, part: str, what: str) -> ReportError:
    marked = text.replace(part, f"▸{part}◂", 1) if part else f"{text}▸◂"
    return ReportError(f"--fail-on {' '.join(marked.split())}: {f'{part} ' if part else 'it '}{what}")
