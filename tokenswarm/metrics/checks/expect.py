"""Whether an answer is what the user said it must be (`--expect`, a line's `expect`)."""

import re
from collections import Counter
from collections.abc import Mapping
from functools import lru_cache
from typing import cast

from tokenswarm.metrics.checks.json_schema import validator
from tokenswarm.metrics.checks.time_limit import TookTooLong, at_most

GIVEN_UP_AFTER = 3
_too_long: Counter[str] = Counter()  # by pattern: how often it was given up


@lru_cache(maxsize=1000)
def _pattern(text: str) -> re.Pattern[str]:
    return re.compile(text)


def check(kind: str, wanted: object) -> None:
    """Raise ValueError if an expectation cannot be judged: a pattern or a schema that is none."""
    if kind == "regex":
        try:
            _pattern(str(wanted))
        except (re.error, RecursionError, OverflowError) as error:
            raise ValueError(f"regex {wanted!r}: {error}") from None
    elif kind == "schema":
        validator(cast("Mapping[str, object]", wanted))


def unmet(kind: str, wanted: object, text: str, value: object, broken: str) -> str:
    """What is not as expected, in a few words; "" if all is. `value` is the text's JSON, unless it is `broken`."""
    if kind == "schema":
        return f"no JSON: {broken}" if broken else validator(cast("Mapping[str, object]", wanted))(value)
    said = str(wanted)
    short = said if len(said) <= 30 else f"{said[:29]}…"
    if kind == "contains":
        return "" if said in text else f"no {short!r}"
    if kind == "not_contains":
        return f"holds {short!r}" if said in text else ""
    if kind == "equals":
        return "" if text.strip() == said.strip() else f"not {short!r}"
    if _too_long[said] >= GIVEN_UP_AFTER:
        return f"undecided: /{short}/ takes too long, and is not tried any more"
    try:
        with at_most():
            return "" if _pattern(said).search(text.strip()) else f"no match of /{short}/"
    except TookTooLong:
        _too_long[said] += 1
        return f"undecided: /{short}/ takes too long"
