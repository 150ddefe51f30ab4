"""What the requests of a User class ask, of the run's options, the class's own and those given for it; does it fit?"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from tokenswarm.payloads.field_check import ignored_names, misfit, prompt_misfit
from tokenswarm.payloads.prompt import Prompt
from tokenswarm.payloads.request_fields import fields
from tokenswarm.payloads.wording import nearest
from tokenswarm.settings.errors import UsageError
from tokenswarm.settings.settings import Settings
from tokenswarm.wire import apis, openai
from tokenswarm.wire.values import Ask

NEWER = "max_completion_tokens"
LIMITS = ("num_predict", "max_tokens", "max_output_tokens", NEWER)
OF_A_PROMPT = "prompt "  # how an error about a prompt of a file begins
Source = tuple[str, Mapping[str, Any]]


def ask_of(user_class: Any, settings: Settings) -> Ask:
    """The Ask of all requests of a class. Of a field given more than once the nearest counts: class over run."""
    given: dict[str, Any] = {name: value for _, some in _sources(user_class, settings) for name, value in some.items()}
    known = fields(user_class.api.PATH)
    ask, options, body = _with_limit(settings.ask, given), dict(settings.ask.options), dict(settings.ask.fields)
    for name, value in given.items():
        if name == "think":
            ask = replace(ask, think=value)
        elif name == "format" and user_class.api.PATH.startswith("/v1/"):
            body["response_format"] = None if value is None else openai.response_format(value)
        elif name.removeprefix("+") not in LIMITS:
            (options if name in known and known[name].place == "options" else body)[name.removeprefix("+")] = value
    return replace(ask, options=options, fields=body)


def _with_limit(ask: Ask, given: Mapping[str, Any]) -> Ask:
    """With the output limit that is given; null leaves it out. OpenAI's newer name goes in the place of the other."""
    limits = {bare: value for name, value in given.items() if (bare := name.removeprefix("+")) in LIMITS}
    if (newer := limits.pop(NEWER, None)) is not None:
        return replace(ask, max_tokens=newer, limit_as=NEWER)
    return replace(ask, max_tokens=next(reversed(limits.values()))) if limits else ask


def check(classes: Sequence[Any], settings: Settings, *, ollama: bool, named: bool) -> list[str]:
    """Do all options and prompts fit the APIs of the classes? What will be ignored, in words.

    `ollama`: the server is one; `named`: the user chose the classes. Raises UsageError.
    """
    _check_class_names(classes, settings)
    wrong = {c: text for c in classes if (text := next(_misfits(c, settings, ollama), ""))}
    if wrong:
        fit = " ".join(c.__name__ for c in classes if c not in wrong)
        hint = f"; or name only the classes that it fits: {fit}" if fit and not named else ""
        text = next(iter(wrong.values()))
        raise UsageError(text + hint, "--payloads" if text.startswith(OF_A_PROMPT) else "")
    return list(_ignored_lines(classes, settings)) if ollama else []


def _sources(user_class: Any, settings: Settings) -> tuple[Source, Source, Source]:
    name, overrides = user_class.__name__, settings.overrides
    return (
        ("--options", overrides.get("", {})),
        (f"{name}.options", user_class.options),
        (f"--options {name}", overrides.get(name, {})),
    )


def _misfits(user_class: Any, settings: Settings, ollama: bool) -> Iterator[str]:
    path = user_class.api.PATH
    if not fields(path):
        return  # an API of a locustfile's own: what it takes is its business
    if settings.mix.making.prefix_tokens and user_class.api in apis.EMBEDDING:
        yield f"--shared-prefix-tokens: a prefix is a system message, which {path} has not; leave it out"
    if settings.mix.making.system and user_class.api in apis.EMBEDDING:
        yield f"--system-prompt: {path} has no system message; leave it out"
    for source, given in _sources(user_class, settings):
        yield from (f"{source}: {text}" for n, v in given.items() if (text := misfit(path, n, v, ollama=ollama)))
    for prompt in settings.mix.kinds:
        if text := prompt_misfit(path, prompt, ollama=ollama):
            yield f"{OF_A_PROMPT}{prompt.id}: {text}"


def _ignored_lines(classes: Sequence[Any], settings: Settings) -> Iterator[str]:
    for user_class in classes:
        path = user_class.api.PATH
        names = dict.fromkeys(name for _, some in _sources(user_class, settings) for name in ignored_names(path, some))
        names |= dict.fromkeys(
            name for prompt in settings.mix.kinds for name in ignored_names(path, _prompt_fields(prompt))
        )
        if settings.ask.think is not None and fields(path) and "think" not in fields(path):
            names["think"] = None
        if names:
            yield f"{user_class.__name__}: Ollama's {path} ignores {', '.join(names)}"


def _prompt_fields(prompt: Prompt) -> Mapping[str, object]:
    if not prompt.options and not prompt.fields and prompt.format is None:
        return {}
    return {**prompt.options, **prompt.fields, **({} if prompt.format is None else {"format": prompt.format})}


def _check_class_names(classes: Sequence[Any], settings: Settings) -> None:
    names = [c.__name__ for c in classes]
    for name in settings.overrides:
        if name and name not in names:
            raise UsageError(
                f"--options: no class {name} runs{nearest(name, names) or '; there are ' + ', '.join(names)}"
            )
