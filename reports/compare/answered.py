"""What the rows themselves say of whether two sides are comparable: prompts in common, lengths, cached and cold."""

from collections.abc import Iterator, Sequence

from tokenswarm.reports.compare.comparable import COMPARED, NOTED, SILENCES, STOPS, Difference
from tokenswarm.reports.compare.figures import ComparedRows, Sides
from tokenswarm.reports.compare.lengths import distance
from tokenswarm.reports.compare.matching import Matching
from tokenswarm.reports.compare.words import say
from tokenswarm.reports.render.numbers import number

DEPENDS_ON_LENGTH = ("ttft_ms", "e2e_ms")
_CACHED, _COLD = 0.05, 0.01  # shares: what is worth a line


def differences(sides: Sides, matched: Matching, edge: float) -> list[Difference]:
    """What differs in what was asked and answered; answers that differ in length by more than `edge` silence times."""
    asked = (*_prompt_tokens(sides, matched, edge), *_shares(sides), *_unmatched(matched))
    return [*_nothing_ok(sides), *_lengths(sides, matched, edge), *asked]


def _nothing_ok(sides: Sides) -> Iterator[Difference]:
    counts = [sum(len(rows.ok) for rows in side) for side in sides]
    for name, side in zip("AB", sides, strict=True):
        if not all(len(rows.ok) for rows in side):
            why = say("nothing ok why", side=name)
            yield Difference(say("nothing ok"), f"{counts[0]:,}", f"{counts[1]:,}", STOPS, why)


def _lengths(sides: Sides, matched: Matching, edge: float) -> Iterator[Difference]:
    generating = [rows.ok["max_tokens"].notna() for side in sides for rows in side]
    if not all(len(each) and each.any() for each in generating):
        return  # embeddings have no answer's length
    counted = next((c for c in ("output_tokens", "text_chars") if distance(sides, matched, c) is not None), "")
    if not counted:
        unknown = say("unknown")
        yield Difference(say("lengths"), unknown, unknown, SILENCES, say("lengths unknown"))
        return
    apart = distance(sides, matched, counted) or 0.0
    if apart > edge:
        a, b = (number(_mean(side, counted)) for side in sides)
        why = say("lengths why", distance=f"{number(100 * apart)} %")
        yield Difference(say("lengths"), a, b, SILENCES, why)


def _prompt_tokens(sides: Sides, matched: Matching, edge: float) -> Iterator[Difference]:
    apart = distance(sides, matched, "prompt_tokens")
    if apart is not None and apart > edge:
        a, b = (number(_mean(side, "prompt_tokens")) for side in sides)
        yield Difference(say("prompt tokens"), a, b, NOTED)


def _shares(sides: Sides) -> Iterator[Difference]:
    for key, effect, read, least in (("cached", NOTED, _cached, _CACHED), ("cold", COMPARED, _cold, _COLD)):
        a, b = (read(side) for side in sides)
        if a is not None and b is not None and abs(a - b) > least:
            yield Difference(say(key), f"{number(100 * a)} %", f"{number(100 * b)} %", effect)


def _mean(side: Sequence[ComparedRows], column: str) -> float | None:
    total, n = 0.0, 0
    for rows in side:
        known = rows.ok[column].dropna()
        total, n = total + float(known.sum()), n + len(known)
    return total / n if n else None


def _cached(side: Sequence[ComparedRows]) -> float | None:
    known = [rows.ok[rows.ok["cached_tokens"].notna() & rows.ok["prompt_tokens"].notna()] for rows in side]
    prompt = sum(float(rows["prompt_tokens"].sum()) for rows in known)
    return sum(float(rows["cached_tokens"].sum()) for rows in known) / prompt if prompt else None


def _cold(side: Sequence[ComparedRows]) -> float | None:
    n = sum(len(rows.ok) for rows in side)
    return sum(int((rows.ok["load_state"] == "cold").sum()) for rows in side) / n if n else None


def _unmatched(matched: Matching) -> Iterator[Difference]:
    if not matched.by and any(len(codes) for codes in matched.strata):
        yield Difference(say("not matched"), say("none"), say("none"), NOTED)
