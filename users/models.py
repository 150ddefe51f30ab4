"""The models of a run and their weights: `--model a:3,b:1`, or `a=3,b=1` where a colon could be part of a name."""

from collections import Counter
from collections.abc import Callable, Iterator
from math import gcd

from users.errors import UsageError, wrong

MOST = 1000
WEIGHT = f"a whole number from 1 to {MOST}"


def models(text: str) -> tuple[str, ...]:
    """The names in `a=3,b=1`, each as often as its weight, shortened: ("a", "a", "a", "b"). Raises UsageError."""
    return _expanded((name, _weight(text, start, weight)) for start, name, weight in _items(text)) if text else ()


def settled(text: str, there: Callable[[str], bool], check: Callable[[str], str]) -> str:
    """The same models, spelt so that nothing is left to tell: `a`, or `a=3,b=1`. Raises UsageError.

    `there` says whether the server has a model; `check` raises for one that it has not. What ends in a colon and a
    number is the model of that name if there is one, else the model before the colon with that weight; where it could
    be either, in a list, it must be said.
    """
    found = []
    items = list(_items(text))
    for start, name, weight in items:
        head, colon, number = name.rpartition(":")
        counts = bool(colon) and not weight and number.isdecimal() and there(head)
        if counts and there(name) and len(items) > 1:
            what = f"may be the model {name} or {number} parts of {head}; write {name}=1 or {head}={number}"
            raise _wrong(text, start, name, what)
        if counts and not there(name):
            found.append((head, _weight(text, start + len(head), f":{number}")))
            continue
        try:
            check(name)
        except UsageError as error:
            raise wrong("--model", text, start, name, str(error)) from None
        found.append((name, _weight(text, start + len(name), weight)))
    weights = Counter(_expanded(found))
    return ",".join(f"{name}={weight}" for name, weight in weights.items()) if len(weights) > 1 else found[0][0]


def _items(text: str) -> Iterator[tuple[int, str, str]]:
    """Of each item where it stands, the name, and the weight with its sign (none: "")."""
    at = 0
    for item in text.split(","):
        name, equals, weight = item.rpartition("=")
        # A name alone may hold anything: it may be a server's only one, that nobody gave.
        weighs = equals and ("," in text or weight.strip().isdecimal())
        name, weight = (name, equals + weight) if weighs else (item, "")
        start = at + len(name) - len(name.lstrip())
        if not name.strip():
            raise _wrong(text, at, item, "names no model; write it like a=3,b=1")
        yield start, name.strip(), weight.strip()
        at += len(item) + 1


def _weight(text: str, near: int, given: str) -> int:
    """The weight that is written as `=3` or `:3`, somewhere after `near`."""
    if not given:
        return 1
    if not given[1:].strip().isdecimal() or not 1 <= int(given[1:]) <= MOST:
        raise _wrong(text, text.index(given, near) + 1, given[1:], f"is no weight; give {WEIGHT}")
    return int(given[1:])


def _expanded(weighted: Iterator[tuple[str, int]] | list[tuple[str, int]]) -> tuple[str, ...]:
    weights: Counter[str] = Counter()
    for name, weight in weighted:
        weights[name] += weight
    shared = gcd(*weights.values())
    return tuple(name for name, weight in weights.items() for _ in range(weight // shared))


def _wrong(text: str, start: int, part: str, what: str) -> UsageError:
    return wrong("--model", text, start, part, f"{part.strip() or 'it'} {what}")
