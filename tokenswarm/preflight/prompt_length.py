"""How a server counts made-up text, asked before the load: two requests of one output token and known length."""

import time
from dataclasses import replace

from tokenswarm.payloads.made_up import ruler, scale
from tokenswarm.payloads.recipe import Scale
from tokenswarm.preflight.server import Preflight
from tokenswarm.settings.errors import UsageError
from tokenswarm.settings.settings import Settings
from tokenswarm.wire import reading
from tokenswarm.wire.values import Api, Ask

# Multiples of a sentence; long enough for a slope that is right to a few per mille, short enough for any context. Many
# embedding models hold no more than 256 tokens, and Ollama cuts what is longer without a word.
SHORT_WORDS, LONG_WORDS, LONG_WORDS_TO_EMBED = 64, 512, 192


def calibrate(preflight: Preflight, settings: Settings, api: Api, ask: Ask) -> tuple[Scale | None, str]:
    """The scale by the server's own count, and why there is none if there is none.

    Raises UsageError if the server refuses the requests, or if prompts are to be shorter than its template alone.
    """
    counts = []
    for words in (SHORT_WORDS, LONG_WORDS_TO_EMBED if api in reading.EMBEDDING else LONG_WORDS):
        # New words each time: some servers leave cached tokens out of their count.
        prompt = ruler(settings.mix.making, words, time.time_ns())
        said = preflight.ask(prompt, api, replace(ask, max_tokens=1))
        tokens = said.facts.get("prompt_tokens")
        if said.outcome != "ok" or not tokens:
            return None, said.error or "the server does not say how many tokens a prompt has"
        counts.append((words, int(tokens)))
    try:
        found = scale(counts[0], counts[1])
    except ValueError as error:
        return None, f"the server counts {error}"
    _check_short(settings, found)
    return found, ""


def _check_short(settings: Settings, found: Scale) -> None:
    least = found.template_tokens + found.word_tokens
    for prompt in settings.mix.prompts:
        # Files tell what was; only what the user chose can be chosen otherwise.
        if prompt.id == "made-up" and prompt.recipe and prompt.recipe.tokens.mean < least:
            raise UsageError(
                f"--prompt-tokens {prompt.recipe.tokens.text}: the model's template alone takes "
                f"{found.template_tokens:.0f} tokens; ask for {least + 1:.0f} or more"
            )
