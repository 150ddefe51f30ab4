"""The mix of a run's prompts, out of the options: which there are, and what of them is made up."""

from typing import Any

from payloads.corpus import DEFAULT, PayloadError, load
from payloads.distribution import Distribution, parse
from payloads.lengths import prompt_tokens
from payloads.making import NOT_MADE, Making
from payloads.mix import Mix
from payloads.prompt import Message, Prompt
from payloads.recipe import Recipe, Scale
from users.errors import UsageError


def mix(options: Any) -> Mix:
    """The mix that the options ask for. Raises UsageError."""
    making = Making(
        run=options.run_id,
        language=options.prompt_language,
        scale=scale(options.scale),
        output_tokens=_amount(options.output_tokens),
        prefix_tokens=options.shared_prefix_tokens,
        prefixes=options.prefix_pool,
    )
    return Mix(_prompts(options), options.seed, making)


def scale(text: str) -> Scale:
    """The scale that the preflight has found, as `--scale` hands it to the workers: template tokens, word tokens."""
    return Scale(*map(float, text.split(","))) if text else Scale()


def _prompts(options: Any) -> tuple[Prompt, ...]:
    if options.trace:
        return (Prompt("made-up", (Message("user", NOT_MADE),), recipe=Recipe(prompt_tokens("256"))),)
    if options.prompt_tokens.strip():
        if options.payloads != DEFAULT:
            raise UsageError("--prompt-tokens makes the prompts up, so there is no use for --payloads; leave one out")
        recipe = Recipe(prompt_tokens(options.prompt_tokens))
        return (Prompt("made-up", (Message("user", NOT_MADE),), recipe=recipe),)
    try:
        return load(options.payloads)
    except PayloadError as error:
        raise UsageError(f"--payloads: {error}") from error


def _amount(text: str) -> Distribution | None:
    return parse(text, least=1) if text.strip() else None
