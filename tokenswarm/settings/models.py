"""The models of a run and their weights: `--model a:3,b:1`, or `a=3,b=1` where a colon could be part of a name.

A name that itself holds a comma, or ends like a weight, may stand in double quotes: `"Qwen (8B, q4)"=3,b=1`. One that
the server lists needs none.
"""

import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from math import gcd
from typing import NamedTuple

from tokenswarm.settings.errors import UsageError, wrong

MOST = 1000
WEIGHT = f"a whole number from 1 to {MOST}"


class ListedModel(NamedTuple):
    """One of the list: where its name stands, the name, its weight with the sign before it ("" if it has none)."""

    start: int
    name: str
    weight: str
    quoted: bool = False


def models(text: str) -> tuple[str, ...]:
    """The names in `a=3,b=1`, each as often as its weight, shortened: ("a", "a", "a", "b").

    What cannot be read so is taken for one name: that is for `settle` to judge.
    """
    try:
        return _expand((one.name, _weight(text, one)) for one in _items(text)) if text else ()
    except UsageError:
        return (text,)


def settle(text: str, listed: Sequence[str], there: Callable[[str], bool], check: Callable[[str], object]) -> str:
    """The same models, spelt so that nothing is left to tell: `a`, or `a=3,b=1`. Raises UsageError.

    `listed` are the names that the server gave, if it did, `there` says whether it has a model, and `check` raises for
    one that nobody can ask for. A name that is there wins before any comma, colon or equals sign is one between names.
    What ends in a colon and a number is the model of that name if there is one, else the model before the colon with
    that weight; where it could be either, in a list, it must be said.
    """
    for name in (text, text.strip()):
        if there(name):
            return spell(name)
    items = list(_items(text, listed))
    found = [_settle_one(text, one, items, there, check, bool(listed)) for one in items]
    weights = Counter(_expand(found))
    if len(weights) == 1:
        return spell(found[0][0])
    return ",".join(f"{spell(name)}={weight}" for name, weight in weights.items())


def spell(name: str) -> str:
    """A name as it stands in the text of all: in quotes if it would be read as more than a name."""
    plain = name == name.strip() and not name.startswith('"') and "," not in name and models(name) == (name,)
    return name if plain else json.dumps(name, ensure_ascii=False)


def _settle_one(
    text: str,
    one: ListedModel,
    items: Sequence[ListedModel],
    there: Callable[[str], bool],
    check: Callable[[str], object],
    listed: bool,
) -> tuple[str, int]:
    """The name and the weight of one of the items."""
    start, name, weight, quoted = one
    alone = len(items) == 1
    if alone and weight and not quoted and not there(name):
        start, name, weight = 0, text.strip(), ""  # one model needs no weight: it belongs to its name
    head, colon, number = name.rpartition(":")
    counts = bool(colon) and bool(head) and not weight and not quoted and number.isdecimal()
    counts = counts and (there(head) or not (alone or listed or there(name)))
    if counts and there(name) and not alone:
        what = f"may be the model {name} or {number} parts of {head}; write {name}=1 or {head}={number}"
        raise _wrong(text, start, name, what)
    if counts and not there(name):
        name, weight = head, f":{number}"
    try:
        check(name)
    except UsageError as error:
        raise wrong("--model", text, start, name, str(error)) from None
    return name, _weight(text, ListedModel(start, name, weight))


def _items(text: str, listed: Sequence[str] = ()) -> Iterator[ListedModel]:
    """The items of the list, in order. Raises UsageError for one without a name."""
    whole = sorted((name for name in listed if "," in name or "=" in name), key=len, reverse=True)
    at = 0
    while at <= len(text):
        start = at + len(text[at:]) - len(text[at:].lstrip())
        one, at = _read_quoted(text, start) or _whole(text, start, whole) or _plain(text, at)
        yield one


def _read_quoted(text: str, start: int) -> tuple[ListedModel, int] | None:
    if text[start : start + 1] != '"':
        return None
    try:
        name, end = json.JSONDecoder().raw_decode(text, start)
    except ValueError:
        return None
    if not name.strip():
        raise _wrong(text, start, text[start:end], "names no model; write it like a=3,b=1")
    return _read_end(text, ListedModel(start, name, "", quoted=True), end)


def _whole(text: str, start: int, names: Iterable[str]) -> tuple[ListedModel, int] | None:
    """An item that begins with one of these names."""
    fitting = (name for name in names if text.startswith(name, start))
    ended = (_read_end(text, ListedModel(start, name, ""), start + len(name)) for name in fitting)
    return next(filter(None, ended), None)


def _read_end(text: str, one: ListedModel, end: int) -> tuple[ListedModel, int] | None:
    """The item with the weight that follows its name, and where the next begins; None if the name goes on."""
    rest = text[end:].partition(",")[0]
    weight = rest.strip()
    if weight and not (weight[0] in "=:" and weight[1:].strip().isdecimal()):
        return None
    return one._replace(weight=weight), end + len(rest) + 1


def _plain(text: str, at: int) -> tuple[ListedModel, int]:
    item = text[at:].partition(",")[0]
    name, equals, weight = item.rpartition("=")
    # A name alone may hold anything: it may be a server's only one, that nobody gave.
    weighs = equals and ("," in text or weight.strip().isdecimal())
    name, weight = (name, equals + weight) if weighs else (item, "")
    if not name.strip():
        raise _wrong(text, at, item, "names no model; write it like a=3,b=1")
    return ListedModel(at + len(name) - len(name.lstrip()), name.strip(), weight.strip()), at + len(item) + 1


def _weight(text: str, one: ListedModel) -> int:
    """The weight that is written as `=3` or `:3`, somewhere after the name."""
    given = one.weight[1:].strip()
    if not one.weight:
        return 1
    if not given.isdecimal() or len(given) > len(str(MOST)) or not 1 <= int(given) <= MOST:
        at = text.index(one.weight, one.start + len(one.name)) + 1
        raise _wrong(text, at, one.weight[1:], f"is no weight; give {WEIGHT}")
    return int(given)


def _expand(weighted: Iterable[tuple[str, int]]) -> tuple[str, ...]:
    weights: Counter[str] = Counter()
    for name, weight in weighted:
        weights[name] += weight
    shared = gcd(*weights.values())
    return tuple(name for name, weight in weights.items() for _ in range(weight // shared))


def _wrong(text: str, start: int, part: str, what: str) -> UsageError:
    return wrong("--model", text, start, part, f"{part.strip() or 'it'} {what}")
