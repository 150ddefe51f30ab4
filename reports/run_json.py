"""run.json as a report needs it: what is of another type than it should be is left out, and said."""

import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tokenswarm.reports.errors import ReportError

FORMAT = 1
NO_STATE = "not stated"
MOST_SHOWN = 40  # characters of what is odd
LAST_UNIX_S = 253_402_300_800  # the year 10000 begins


@dataclass(frozen=True, slots=True)
class ValueType:
    """A type of value, and its name."""

    name: str
    fits: Callable[[Any], bool]


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)


TEXT = ValueType("text", lambda value: isinstance(value, str))
NUMBER = ValueType("number", _is_number)
DATE = ValueType("moment", lambda value: _is_number(value) and 0 <= value < LAST_UNIX_S)
WHOLE = ValueType("whole number", lambda value: isinstance(value, int) and not isinstance(value, bool))
FLAG = ValueType("true or false", lambda value: isinstance(value, bool))
ANSWER = ValueType("number, nor true or false", lambda value: isinstance(value, bool) or _is_number(value))
OBJECT = ValueType("object", lambda value: isinstance(value, dict))
MOMENT = ValueType(
    "pair of moment and ns", lambda value: isinstance(value, list) and len(value) == 2 and all(map(WHOLE.fits, value))
)
ANY = ValueType("anything", lambda value: True)
# An object's keys with their kinds ("*": all others'); an object without a key that ends with "!" is left out itself.
# A list of one kind loses what is odd, a tuple of one kind is left out whole: its places have a meaning.
SHAPE: Mapping[str, Any] = {
    **dict.fromkeys(("run", "name", "state", "clock_source"), TEXT),
    **dict.fromkeys(("started_unix_s", "ended_unix_s"), DATE),
    "rows": WHOLE,
    "target": {**dict.fromkeys(("host", "kind", "engine", "version", "model"), TEXT), "*": ANY},
    **dict.fromkeys(("options", "software", "warmup"), OBJECT),
    "workers": [{"worker!": WHOLE, "clock_track": [MOMENT], "*": ANY}],
    "attendance": [{"what!": TEXT, "at_unix_s!": NUMBER, "worker!": WHOLE, "*": ANY}],
    "stages": ({"text": TEXT, "from_users!": WHOLE, "users!": WHOLE, "began_unix_s": NUMBER, "*": ANY},),
    "slos": [{"slo!": TEXT, "state!": TEXT, "figure": NUMBER, "n": WHOLE, "why": TEXT, "*": ANY}],
    "validity": {
        "verdict": TEXT,
        "findings": [
            {"what!": TEXT, **dict.fromkeys(("rule", "level", "do", "unit"), TEXT), "figure": NUMBER, "limit": NUMBER}
        ],
    },
    "capacity": {
        "answer": NUMBER,
        "trials": [
            {
                "load!": NUMBER,
                **dict.fromkeys(("verdict", "why"), TEXT),
                **dict.fromkeys(("sure", "firm"), FLAG),
                "client": [TEXT],
                "standings": [OBJECT],
                **dict.fromkeys(("trial", "steady", "requests", "failed", "dropped"), WHOLE),
                "*": NUMBER,
            }
        ],
        "gave_way": {"*": TEXT},
        "knee": {"load": NUMBER, "sentence": TEXT},
        **dict.fromkeys(("sentence", "unit"), TEXT),
        "*": ANY,
    },
    "probe": {
        "seconds": NUMBER,
        "figures": {"*": {**dict.fromkeys(("label", "how", "unit"), TEXT), "value": ANSWER, "*": ANY}},
        "*": ANY,
    },
    "*": ANY,
}


def read_info(path: Path) -> tuple[dict[str, Any], list[str]]:
    """run.json ({} without one), and what is to be said of it. Raises ReportError."""
    if not path.exists():
        return {}, ["there is no run.json (was the run killed?): target, options and workers are not known"]
    try:
        info = json.loads(path.read_text(encoding="utf-8-sig"), parse_constant=lambda _: None)
    except (OSError, ValueError, RecursionError) as error:
        raise ReportError(f"{path}: cannot be read: {error}; move it away to report on requests.csv alone") from error
    if not isinstance(info, dict):
        raise ReportError(f"{path}: holds no JSON object; move it away to report on requests.csv alone")
    if info.get("format") != FORMAT:
        raise ReportError(f"{path}: format {info.get('format')!r} is unknown here, this version reads {FORMAT}")
    odd: list[str] = []
    shaped = _shaped(info, SHAPE, "", odd)
    notices = [f"run.json, {one}; it is left out" for one in odd]
    if info.get("state") == "running":
        notices.append("run.json says that the run has not ended: it still goes on, or it was killed")
    return shaped or {}, notices


def _shaped(value: Any, shape: Any, at: str, odd: list[str]) -> Any:
    """The value without what does not fit; None where it does not fit itself. None is absent, and fits."""
    if value is None:
        return None
    if isinstance(shape, ValueType):
        return value if shape.fits(value) else _odd(value, shape.name, at, odd)
    if isinstance(shape, Mapping):
        return _object(value, shape, at, odd) if isinstance(value, dict) else _odd(value, "object", at, odd)
    if not isinstance(value, list):
        return _odd(value, "list", at, odd)
    before = len(odd)
    found = [_shaped(one, shape[0], f"{at} {number}", odd) for number, one in enumerate(value, start=1)]
    if isinstance(shape, tuple) and len(odd) > before:
        return None
    return [one for one in found if one is not None]


def _object(value: dict[str, Any], shape: Mapping[str, Any], at: str, odd: list[str]) -> dict[str, Any] | None:
    found: dict[str, Any] = {}
    for name, one in value.items():
        kind = shape.get(name, shape.get(f"{name}!", shape.get("*", ANY)))
        found[name] = _shaped(one, kind, f"{at}, {name}" if at else str(name), odd)
    needed = [name.removesuffix("!") for name in shape if name.endswith("!")]
    lacking = [name for name in needed if found.get(name) is None]
    return found if not lacking else _odd(value, f"entry with {' and '.join(lacking)}", at, odd)


def _odd(value: Any, name: str, at: str, odd: list[str]) -> Any:
    """Note it; nothing is left of it."""
    shown = json.dumps(value, ensure_ascii=False)
    odd.append(f"{at}: {shown if len(shown) <= MOST_SHOWN else shown[:MOST_SHOWN] + '…'} is no {name}")
    return None
