"""What the two embedding endpoints share: the texts that are asked, and a look at every vector that comes."""

from array import array
from collections.abc import Iterable, Sequence
from math import isfinite

from tokenswarm.payloads.prompt import Prompt
from tokenswarm.wire.values import Embeddings

HEADERS = (("Content-Type", "application/json"), ("Accept", "application/json"))


def texts(prompt: Prompt) -> tuple[str, ...]:
    """What is to be embedded: the prompt's `inputs`, else its text."""
    return prompt.inputs or (prompt.text,)


def look(vectors: Iterable[object]) -> Embeddings:
    """How many vectors, of how many numbers, and how many bad ones (see `Embeddings`).

    Raises TypeError where not one of them is a list.
    """
    total = lists = dimension = bad = 0
    for vector in vectors:
        numbers = vector if isinstance(vector, list | array) else ()
        lists += numbers is vector
        dimension = dimension or len(numbers)
        total += 1
        bad += len(numbers) != dimension or not _sound(numbers)
    if total and not lists:
        raise TypeError("no vector is a list")
    return Embeddings(total, dimension, bad)


def _sound(vector: Sequence[object]) -> bool:
    """Finite numbers, not all of them zero. (The sum of finite numbers is finite, but for those beyond 1e300.)"""
    try:
        return any(vector) and (isfinite(sum(vector)) or all(map(isfinite, vector)))  # type: ignore[arg-type]
    except (TypeError, OverflowError):  # null, as llama.cpp writes NaN, or a text; a number too large for any
        return False
