"""What the two embedding endpoints share: the texts that are asked, and a look at every vector that comes."""

from collections.abc import Iterable, Sequence
from math import isfinite

from payloads.prompt import Prompt
from wire.values import Embeddings

HEADERS = (("Content-Type", "application/json"), ("Accept", "application/json"))


def texts(prompt: Prompt) -> tuple[str, ...]:
    """What is to be embedded: the prompt's `inputs`, else its text."""
    return prompt.inputs or (prompt.text,)


def look(vectors: Iterable[Sequence[object]]) -> Embeddings:
    """How many vectors, of how many numbers, and how many bad ones (see `Embeddings`). Raises TypeError."""
    total = dimension = bad = 0
    for vector in vectors:
        if isinstance(vector, str):
            raise TypeError("a vector is a text")
        dimension = dimension or len(vector)
        total += 1
        bad += len(vector) != dimension or not _sound(vector)
    return Embeddings(total, dimension, bad)


def _sound(vector: Sequence[object]) -> bool:
    """Finite numbers, not all of them zero. (The sum of finite numbers is finite, but for those beyond 1e300.)"""
    try:
        return any(vector) and (isfinite(sum(vector)) or all(map(isfinite, vector)))  # type: ignore[arg-type]
    except TypeError:  # null, as llama.cpp writes NaN, or a text
        return False
