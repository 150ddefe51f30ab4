"""The seeded choice: which prompt is asked at which place of a run, the same on every machine."""

from array import array
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import replace
from itertools import accumulate

from tokenswarm.payloads.large import Corpus, kinds
from tokenswarm.payloads.made_up import Making, with_text
from tokenswarm.payloads.prompt import Prompt
from tokenswarm.payloads.seeded import digest, fraction


def nonce(seed: int, worker: int, sequence: int, run: str) -> str:
    """The mark that makes one request's prompt unique: 8 hex characters, for `unique`.

    It depends on `run` too, since a server still holds the prompts of the run before.
    """
    return digest(4, "nonce", seed, worker, sequence, run).hex()


class Mix:
    """An endless weighted choice among prompts.

    Raises ValueError if there are no prompts, or a weight is not above 0.
    """

    def __init__(
        self,
        prompts: Sequence[Prompt],
        seed: int,
        making: Making | None = None,
        *,
        shuffled: bool = False,
        left_out: int = 0,
    ) -> None:
        if not prompts:
            raise ValueError("a mix needs at least one prompt")
        for prompt in () if isinstance(prompts, Corpus) else prompts:
            if not 0 < prompt.weight < float("inf"):
                raise ValueError(f"prompt {prompt.id} has the weight {prompt.weight}; give it a number above 0")
        self.prompts: Sequence[Prompt] = prompts if isinstance(prompts, Corpus) else tuple(prompts)
        self.kinds = kinds(self.prompts)
        self.seed = seed
        self.left_out = left_out  # of the payloads, by their length
        self.making = making or Making()
        self._order: Sequence[int] = range(len(self.prompts))
        if shuffled:
            self._order = sorted(self._order, key=lambda at: fraction("order", seed, at))
        weights = prompts.weights if isinstance(prompts, Corpus) else (prompt.weight for prompt in prompts)
        self._edges = array("d", accumulate(weights))

    def pick(self, worker: int, sequence: int, model: str = "") -> Prompt:
        """The prompt of a worker's request number `sequence`; the same seed, worker and sequence give the same one.

        `model` is the one that will be asked, where a run has several: they count tokens differently.
        """
        at = bisect_right(self._edges, fraction(self.seed, worker, sequence) * self._edges[-1])
        # The product may still be rounded up to the last edge.
        picked = self.prompts[min(at, len(self.prompts) - 1)]
        return with_text(replace(picked, model=model) if model else picked, self.making, self.seed, worker, sequence)

    def nth(self, number: int) -> Prompt:
        """The prompt that is asked as number so many, from 0, where each is asked once: in order, or shuffled."""
        return self.prompts[self._order[number]]

    def ask_nth(self, number: int, model: str = "") -> Prompt:
        """The same as it is asked, whichever worker does; see `pick`."""
        picked = self.nth(number)
        return with_text(replace(picked, model=model) if model else picked, self.making, self.seed, 0, number)

    @property
    def makes_text(self) -> bool:
        """Is any text made up, so that its length is to be set by the server's own count?"""
        return self.making.prefix_tokens > 0 or any(prompt.recipe for prompt in self.kinds)
