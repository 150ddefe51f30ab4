"""Batches: the texts of several prompts in one embedding request."""

from dataclasses import replace

from tokenswarm.payloads.distribution import Distribution
from tokenswarm.payloads.mix import Mix
from tokenswarm.payloads.prompt import Prompt
from tokenswarm.payloads.seeded import fraction

MOST = 2048  # texts in one request: OpenAI's own limit


def batch(mix: Mix, worker: int, sequence: int, size: Distribution, model: str = "") -> Prompt:
    """As many prompts of the mix as `size` says at this place of the run, as one prompt with all their texts.

    A prompt without `inputs` gives its text. The same seed, worker and sequence give the same batch.
    """
    drawn = size.whole(fraction("batch", mix.seed, worker, sequence))
    picked = [mix.pick(worker, sequence * MOST + n, model) for n in range(min(max(1, drawn), MOST))]
    first, *rest = picked
    named = f"{first.id}+{len(rest)}" if rest else first.id
    return replace(first, id=named, inputs=tuple(text for prompt in picked for text in prompt.inputs or (prompt.text,)))
