"""A depth run's prompts: a context of so many tokens, and the same one with more behind it, as llama-bench has them."""

from tokenswarm.payloads.made_up import Making
from tokenswarm.payloads.prompt import Message, Prompt
from tokenswarm.payloads.recipe import made_up

# Of the answer that only ends a prefill. Some APIs allow no fewer, and one token of a thinking model may be no text.
LEAST_OUTPUT_TOKENS = 16


def context(depth: int, making: Making, *place: object) -> Prompt:
    """A prompt of `depth` tokens with its template's, the shortest one that there is for 0; new text at each place."""
    return _prompt(f"d{depth} context", depth, making, place)


def prefill(depth: int, tokens: int, making: Making, *place: object) -> Prompt:
    """The context of this place, and so many tokens of new text behind it, to be answered briefly."""
    return _prompt(f"d{depth} prefill", depth + tokens, making, place, LEAST_OUTPUT_TOKENS)


def _prompt(name: str, tokens: int, making: Making, place: tuple[object, ...], limit: int | None = None) -> Prompt:
    words = making.scale.words(tokens, whole=True)
    text = made_up(words, making.language, making.run, "depth", *place)  # a longer one begins as a shorter one does
    return Prompt(name, (Message("user", text),), max_tokens=limit)
