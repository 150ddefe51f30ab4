"""How a server counts made-up text, asked before the load: it counts two texts of known length.

Where it has an endpoint that counts, that is asked (see `wire.counting`), and believed if it says of the warm-up what
the warm-up's answer said; else two requests of one output token are.
"""

import time
from dataclasses import replace

from tokenswarm.payloads.made_up import ruler, scale
from tokenswarm.payloads.recipe import Scale
from tokenswarm.preflight.engine import OTHER
from tokenswarm.preflight.warm_up import Rehearsal, WarmUp
from tokenswarm.settings.errors import UsageError
from tokenswarm.settings.settings import Settings
from tokenswarm.transport.control import ControlClient, Unanswered
from tokenswarm.wire import apis, counting
from tokenswarm.wire.values import Api, Ask

# Multiples of a sentence; long enough for a slope that is right to a few per mille, short enough for any context. Many
# embedding models hold no more than 256 tokens, and Ollama cuts what is longer without a word.
SHORT_WORDS, LONG_WORDS, LONG_WORDS_TO_EMBED = 64, 512, 192
PATIENCE_S = 10.0  # for a count


def calibrate(
    rehearsal: Rehearsal, settings: Settings, api: Api, ask: Ask, engine: str = OTHER
) -> tuple[Scale | None, str]:
    """The scale by the server's own count, and why there is none if there is none.

    Raises UsageError if prompts are to be shorter than the server's template alone.
    """
    counts = _without_generating(rehearsal, settings, api, ask, engine)
    # Half a thousand tokens may be more than a model takes.
    for words in (SHORT_WORDS, LONG_WORDS_TO_EMBED if api in apis.EMBEDDING else LONG_WORDS, LONG_WORDS_TO_EMBED):
        if len(counts) == 2:
            break
        said = _counted(rehearsal, settings, words, api, ask)
        tokens = said.facts.get("prompt_tokens")
        if said.outcome == "ok" and tokens:
            counts.append((words, int(tokens)))
        elif said.outcome != "http_error" or not counts:
            return None, said.error or "the server does not say how many tokens a prompt has"
    if len(counts) < 2:
        return None, said.error
    try:
        found = scale(counts[0], counts[1])
    except ValueError as error:
        return None, f"the server counts {error}"
    _check_short(settings, found)
    return found, ""


def _without_generating(
    rehearsal: Rehearsal, settings: Settings, api: Api, ask: Ask, engine: str
) -> list[tuple[int, int]]:
    """Words and tokens of two texts, by an endpoint that counts; none where there is none that is to be believed."""
    known = rehearsal.answered
    if known is None or api.PATH in settings.target.moved:
        return []
    client = ControlClient(settings, PATIENCE_S)
    try:
        counts = []
        for words in (0, SHORT_WORDS, LONG_WORDS):
            prompt = ruler(settings.mix.making, words, time.time_ns()) if words else known[0]
            question = counting.question(engine, api.PATH, api.build(prompt, ask))
            tokens = counting.tokens(client.ask(question)) if question else None
            if not tokens or (not words and tokens != known[1].facts.get("prompt_tokens")):
                return []
            counts.append((words, tokens))
        return counts[1:]
    except Unanswered:
        return []
    finally:
        client.close()


def _counted(rehearsal: Rehearsal, settings: Settings, words: int, api: Api, ask: Ask) -> WarmUp:
    # New words each time: some servers leave cached tokens out of their count.
    prompt = ruler(settings.mix.making, words, time.time_ns())
    said = rehearsal.once(prompt, api, ask if ask.max_tokens is None else replace(ask, max_tokens=1))
    if said.outcome != "http_error" or ask.max_tokens is None:
        return said
    return rehearsal.once(replace(prompt, max_tokens=None), api, ask)  # a limit of 1 may be too small for it


def _check_short(settings: Settings, found: Scale) -> None:
    least = found.template_tokens + found.word_tokens
    for prompt in settings.mix.kinds:
        # Files tell what was; only what the user chose can be chosen otherwise.
        if prompt.id == "made-up" and prompt.recipe and prompt.recipe.tokens.mean < least:
            raise UsageError(
                f"--prompt-tokens {prompt.recipe.tokens.text}: the model's template alone takes "
                f"{found.template_tokens:.0f} tokens; ask for {least + 1:.0f} or more"
            )
