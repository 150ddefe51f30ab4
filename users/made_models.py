"""The models that a lifecycle user has asked for, each until it is known to be gone."""

from collections.abc import Iterable

SETTLE_S = 3.0  # a create or copy that was cut makes its model within that, or not at all


class MadeModels:
    """Names, and when each may last have come into being, on a clock of the caller's, s.

    That a delete said 404 proves nothing: Ollama's look-up of a name fails where other models come or go meanwhile. A
    model is gone when its delete said so, or when the list of models does not have it after a while.
    """

    def __init__(self) -> None:
        self._since_s: dict[str, float] = {}

    def __contains__(self, name: str) -> bool:
        return name in self._since_s

    def __len__(self) -> int:
        return len(self._since_s)

    def names(self) -> tuple[str, ...]:
        """Those that may be there."""
        return tuple(self._since_s)

    def may_be(self, name: str, now_s: float) -> None:
        """It is about to be asked for, or what was to make it has ended."""
        self._since_s[name] = now_s

    def forget(self, name: str) -> None:
        """It is not there, and will not be."""
        self._since_s.pop(name, None)

    def look(self, listed: Iterable[str], now_s: float) -> tuple[list[str], list[str]]:
        """By a list of full names: which are there, and which have been missing for so long that they are gone."""
        there, gone = list[str](), list[str]()
        found = {name.lower() for name in listed}  # a name may be listed in other letters than it was asked for in
        for name, since_s in self._since_s.items():
            if f"{name}:latest".lower() in found:
                there.append(name)
            elif now_s - since_s >= SETTLE_S:
                gone.append(name)
        self._since_s.update(dict.fromkeys(there, now_s))
        return there, gone
