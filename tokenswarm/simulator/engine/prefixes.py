"""Which beginnings of prompts a loaded model still remembers: the KV caches of its slots, and those kept in RAM."""

from collections import OrderedDict
from itertools import pairwise

from tokenswarm.simulator.model.tokens import count_tokens

_BLOCK = 64  # characters, about 16 tokens: fine enough for a benefit, coarse enough to cost nothing


class Prefixes:
    """Beginnings of prompts in steps of a block, the least recently used forgotten first; bounded in tokens."""

    def __init__(self, limit_tokens: int) -> None:
        self._most = max(1, limit_tokens * 4 // _BLOCK)
        self._marks: OrderedDict[int, None] = OrderedDict()

    def cached_tokens(self, prompt: str, prompt_tokens: int) -> int:
        """How many of a prompt's tokens need no evaluation: its longest known beginning; one at least is left to do."""
        known = 0
        for mark, end in _mark(prompt[: self._most * _BLOCK]):
            if mark not in self._marks:
                break
            known = end
        if not known:
            return 0
        tokens = prompt_tokens if known == len(prompt) else count_tokens(prompt[:known])
        return max(0, min(tokens, prompt_tokens - 1))

    def remember(self, text: str) -> None:
        """Know all beginnings of a text; of what is older the ends go first, as a beginning is worth more."""
        for mark, _end in reversed(_mark(text[: self._most * _BLOCK])):  # more could not be kept
            self._marks[mark] = None
            self._marks.move_to_end(mark)
        while len(self._marks) > self._most:
            self._marks.popitem(last=False)


def _mark(text: str) -> list[tuple[int, int]]:
    """A hash of each beginning of a text, and where it ends: at whole blocks, and the whole text."""
    mark, found = 0, []
    for start, end in pairwise([*range(0, len(text), _BLOCK), len(text)]):
        mark = hash((mark, text[start:end]))
        found.append((mark, end))
    return found
