"""Several tests at once: the chance that any of them cries wolf stays what one alone would have."""

from collections.abc import Callable, Sequence

ALPHA = 0.05


def holm(clear: Sequence[Callable[[float], bool]], alpha: float = ALPHA) -> list[tuple[bool, float]]:
    """(found, level) of each test; `clear(alpha)` says whether it finds something at that level.

    Holm (1979): all at alpha / m; those that find nothing once more at alpha / (m - found), until none is new. An
    interval at a test's `level` is clear of "no difference" if and only if it was found.
    """
    found: dict[int, float] = {}
    while left := [at for at in range(len(clear)) if at not in found]:
        level = alpha / len(left)
        new = [at for at in left if clear[at](level)]
        if not new:
            return [(at in found, found.get(at, level)) for at in range(len(clear))]
        found |= dict.fromkeys(new, level)
    return [(True, found[at]) for at in range(len(clear))]
