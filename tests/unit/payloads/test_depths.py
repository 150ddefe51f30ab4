"""A depth run's prompts: the same context twice, with new text behind it, as long as the server counts it."""

import pytest

from tokenswarm.payloads.depths import LEAST_OUTPUT_TOKENS, context, prefill
from tokenswarm.payloads.made_up import Making
from tokenswarm.payloads.recipe import Scale

MAKING = Making(run="a", scale=Scale(template_tokens=10, word_tokens=1.0))


def words(text: str) -> list[str]:
    return text.replace(".", "").split()


@pytest.mark.parametrize("depth", [0, 40, 4096])
def test_the_new_text_stands_behind_the_same_context(depth: int) -> None:
    first, second = context(depth, MAKING, 0, 0, 3), prefill(depth, 512, MAKING, 0, 0, 3)
    old, new = words(first.text), words(second.text)
    assert second.text.startswith(first.text)
    assert (len(old), len(new)) == (max(1, depth - 10), depth + 512 - 10)  # the template's are among them
    assert (first.id, second.id) == (f"d{depth} context", f"d{depth} prefill")
    assert (first.max_tokens, second.max_tokens) == (None, LEAST_OUTPUT_TOKENS)


def test_no_other_place_or_run_begins_alike() -> None:
    """So that no cache knows a context before it comes."""
    texts = [context(99, MAKING, 0, worker, number).text for worker in (0, 1) for number in range(20)]
    texts += [context(99, Making(run="b", scale=MAKING.scale), 0, 0, number).text for number in range(20)]
    assert len({text[:40] for text in texts}) == len(texts)
