"""What of a prompt is made up when it is picked: its text, the shared prefix before it, its output length."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from tokenswarm.payloads.distribution import Distribution
from tokenswarm.payloads.prompt import Message, Prompt
from tokenswarm.payloads.recipe import Scale, made_up
from tokenswarm.payloads.seeded import fraction

NOT_MADE = "(made up when it is asked)"
NO_SCALE = Scale()


@dataclass(frozen=True, slots=True)
class Making:
    """How a run makes prompts up.

    Lengths repeat with the seed; words also depend on the `run`, since a server still holds the prompts of the one
    before. `prefix_tokens` of system prompt, one of `prefixes`, stand before each prompt; `output_tokens` limit the
    output of prompts without a limit of their own. `scales` are those of several models, by name. `system` stands
    before each prompt's own system message, after the prefix.
    """

    run: str = ""
    language: str = "en"
    scale: Scale = NO_SCALE
    scales: Mapping[str, Scale] = field(default_factory=dict)
    output_tokens: Distribution | None = None
    prefix_tokens: int = 0
    prefixes: int = 1
    system: str = ""


def with_text(prompt: Prompt, making: Making, seed: int, worker: int, sequence: int) -> Prompt:
    """The prompt as it is asked at a place of the run; the same one if nothing of it is made up."""
    place = (seed, worker, sequence)
    scale = making.scales.get(prompt.model, making.scale)
    if prompt.recipe:
        u = fraction("length", *place)
        text = prompt.recipe.text(u, scale, making.language, making.run, place)
        prompt = replace(prompt, messages=(*prompt.messages[:-1], Message("user", text)), recipe=None)
    if making.output_tokens and prompt.max_tokens is None:
        prompt = replace(prompt, max_tokens=making.output_tokens.whole(fraction("output", *place)))
    if making.system:
        prompt = _with_prefix(prompt, making.system)
    if making.prefix_tokens:
        one = int(fraction("prefix", *place) * making.prefixes)
        words = scale.words(making.prefix_tokens, whole=False)
        prompt = _with_prefix(prompt, made_up(words, making.language, making.run, seed, "prefix", one))
    return prompt


def ruler(making: Making, words: int, *mark: object) -> Prompt:
    """A prompt of so many words, formed as this run's are: what the server counts for two of them gives the scale."""
    prompt = Prompt("ruler", (Message("user", made_up(words, making.language, "ruler", *mark)),), max_tokens=1)
    # Its own system message, as short as can be: the template's words around it belong to the template's tokens.
    return _with_prefix(prompt, made_up(1, making.language, "ruler", *mark)) if making.prefix_tokens else prompt


def scale(short: tuple[int, int], long: tuple[int, int]) -> Scale:
    """The scale by the (words, tokens) of two rulers. Raises ValueError if they cannot be true."""
    word_tokens = (long[1] - short[1]) / (long[0] - short[0])
    if not 0.1 < word_tokens < 10:
        raise ValueError(f"{short[1]} and {long[1]} tokens for {short[0]} and {long[0]} words")
    return Scale(short[1] - short[0] * word_tokens, word_tokens)


def _with_prefix(prompt: Prompt, text: str) -> Prompt:
    """The same with a text before its system message, wherever that stands; it gets one if it has none."""
    at = next((at for at, message in enumerate(prompt.messages) if message.role == "system"), None)
    if at is None:
        return replace(prompt, messages=(Message("system", text), *prompt.messages))
    before, system, after = prompt.messages[:at], prompt.messages[at], prompt.messages[at + 1 :]
    return replace(prompt, messages=(*before, system._replace(content=f"{text}\n\n{system.content}"), *after))
