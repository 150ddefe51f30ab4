"""The mix of a run's prompts, out of the options: which there are, and what of them is made up."""

import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tokenswarm.payloads.columns import columns
from tokenswarm.payloads.corpus import DEFAULT, PayloadError, load
from tokenswarm.payloads.distribution import Distribution, parse
from tokenswarm.payloads.formats.lengths import prompt_tokens
from tokenswarm.payloads.large import Corpus
from tokenswarm.payloads.length import about_tokens
from tokenswarm.payloads.made_up import NOT_MADE, Making
from tokenswarm.payloads.mix import Mix
from tokenswarm.payloads.prompt import Message, Prompt
from tokenswarm.payloads.recipe import Recipe, Scale
from tokenswarm.settings.errors import UsageError


def mix(options: Any) -> Mix:
    """The mix that the options ask for. Raises UsageError."""
    counted = scales(options.scale)
    making = Making(
        run=options.run_id,
        language=options.prompt_language,
        scale=next(iter(counted.values()), Scale()),
        scales=counted,
        output_tokens=_amount(options.output_tokens),
        prefix_tokens=options.shared_prefix_tokens,
        prefixes=options.prefix_pool,
        system=system_prompt(options.system_prompt),
    )
    prompts = _prompts(options)
    kept = _within(options, prompts)
    return Mix(kept, options.seed, making, shuffled=options.shuffle_prompts, left_out=len(prompts) - len(kept))


def system_prompt(text: str) -> str:
    """The text itself, or that of the file after an @. Raises UsageError."""
    if not text.startswith("@"):
        return text
    try:
        said = Path(text[1:]).read_text(encoding="utf-8-sig").strip()
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else "no UTF-8 text"
        raise UsageError(f"--system-prompt {text}: cannot be read: {why}; each worker needs the file") from None
    if not said:
        raise UsageError(f"--system-prompt {text}: the file is empty; write the text into it")
    return said


def _within(options: Any, prompts: Sequence[Prompt]) -> Sequence[Prompt]:
    least, most = options.min_prompt_tokens, options.max_prompt_tokens
    if not least and not most:
        return prompts
    for name, given in (("--trace", options.trace), ("--prompt-tokens", options.prompt_tokens.strip())):
        if given:
            raise UsageError(f"{name} says how long prompts are; leave --min-prompt-tokens and --max-prompt-tokens out")
    if isinstance(prompts, Corpus):
        kept: Sequence[Prompt] = prompts.within(least, most or math.inf)
    else:
        kept = [prompt for prompt in prompts if least <= about_tokens(prompt) <= (most or math.inf)]
    if not kept:
        lengths = sorted(map(about_tokens, prompts))
        there = f"they have about {lengths[0]:.0f} to {lengths[-1]:.0f}"
        raise UsageError(f"--min-prompt-tokens {least} --max-prompt-tokens {most or '∞'} leave no prompt: {there}")
    return kept


def scales(text: str) -> dict[str, Scale]:
    """By model what the preflight has found, as `--scale` hands it to the workers: template tokens, word tokens."""
    return {model: Scale(*two) for model, two in json.loads(text or "{}").items()}


def _prompts(options: Any) -> Sequence[Prompt]:
    if options.trace:
        _check_trace(options)
        return (Prompt("made-up", (Message("user", NOT_MADE),), recipe=Recipe(prompt_tokens("256"))),)
    if options.prompt_tokens.strip():
        if options.payloads != DEFAULT:
            raise UsageError("--prompt-tokens makes the prompts up, so there is no use for --payloads; leave one out")
        recipe = Recipe(prompt_tokens(options.prompt_tokens))
        return (Prompt("made-up", (Message("user", NOT_MADE),), recipe=recipe),)
    try:
        return load(options.payloads, columns(options.columns), json.loads(options.payload_places or "{}"))
    except PayloadError as error:
        raise UsageError(f"--payloads: {error}", error.place and f"--payloads: {error.place}") from error


def _check_trace(options: Any) -> None:
    payloads, tokens = options.payloads != DEFAULT, options.prompt_tokens.strip()
    if payloads or tokens or options.columns.strip():
        name = "--payloads" if payloads else "--prompt-tokens" if tokens else "--columns"
        raise UsageError(f"--trace says how long prompts are, so there is no use for {name}; leave one out")
    try:
        Path(options.trace).open("rb").close()
    except OSError as error:
        why = f"cannot be read: {error.strerror}; each worker needs the file, in the same place"
        raise UsageError(f"--trace {options.trace}: {why}") from None


def _amount(text: str) -> Distribution | None:
    return parse(text, least=1) if text.strip() else None
