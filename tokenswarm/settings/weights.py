"""Weights of User classes, `--weights OllamaChatUser=3,OllamaGenerateUser=1`; a class not named keeps its own."""

import re
from collections.abc import Iterator, Sequence
from typing import Any

from tokenswarm.payloads.wording import nearest
from tokenswarm.settings.errors import UsageError, wrong

_ITEM = re.compile(r"\s*(\w+)\s*=\s*(\S*)\s*")
MOST = 1000.0


def check(options: Any) -> None:
    """Is `--weights` well-formed? Raises UsageError."""
    if list(_items(options.weights)) and getattr(options, "equal_weights", False):
        raise UsageError("--weights and --equal-weights: give one of them")


def check_classes(text: str, classes: Sequence[Any]) -> None:
    """Do the weights fit the classes that will run? Raises UsageError."""
    by_name = {c.__name__: c for c in classes}
    for start, name, _ in _items(text):
        if name not in by_name:
            hint = nearest(name, list(by_name)) or f"; there are {', '.join(by_name)}"
            raise wrong("--weights", text, start, name, f"no class {name} runs{hint}")
        if by_name[name].fixed_count:
            raise wrong("--weights", text, start, name, f"{name} has a fixed_count, to which a weight means nothing")


def weigh(classes: Sequence[Any], text: str, own: dict[Any, float]) -> None:
    """Give the classes their weights; `own` remembers what they had, and a class gets it back for the next run."""
    for changed, weight in own.items():
        changed.weight = weight
    given = {name: weight for _, name, weight in _items(text)}
    own.clear()
    own |= {c: c.weight for c in classes if c.__name__ in given}
    for c in own:
        c.weight = given[c.__name__]


def _items(text: str) -> Iterator[tuple[int, str, float]]:
    """Of each item where it stands, the class, the weight. Raises UsageError."""
    at, seen = 0, set()
    for item in text.split(",") if text.strip() else ():
        found = _ITEM.fullmatch(item)
        if not found:
            raise wrong(
                "--weights", text, at, item, "is no weight of a class; write OllamaChatUser=3,OllamaGenerateUser=1"
            )
        name, weight = found.groups()
        if not re.fullmatch(r"\d+(\.\d+)?|\.\d+", weight) or not 0 < float(weight) <= MOST:
            what = f"is no weight; give a number above 0, at most {MOST:g} (to leave a class out, name the others)"
            raise wrong("--weights", text, at + found.start(2), weight, what)
        if name in seen:
            raise wrong("--weights", text, at + found.start(1), name, "is there twice; give each class one weight")
        seen.add(name)
        yield at + found.start(1), name, float(weight)
        at += len(item) + 1
