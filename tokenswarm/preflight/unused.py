"""Options that were given and that nothing in the run makes use of: they are said, not silently ignored."""

from collections.abc import Sequence
from typing import Any

from tokenswarm.settings.options import OPTIONS


def unused_options(given: Any, classes: Sequence[type]) -> list[str]:
    """One line each, where an option has another value than its default."""
    names = [{base.__name__ for base in one.__mro__} for one in classes]
    return [
        f"{option.name} does nothing here: it is for {option.read_by.words}"
        for option in OPTIONS
        if getattr(given, option.dest) != option.initial and not option.read_by.there(given, names)
    ]
