"""`--depths`: what it goes with, and which class can ask (see `users.depths`)."""

from collections.abc import Sequence
from typing import Any

from tokenswarm.payloads.corpus import DEFAULT
from tokenswarm.run.same_prompts import only_asks
from tokenswarm.settings.errors import UsageError
from tokenswarm.settings.models import models
from tokenswarm.users.base import LLMUser
from tokenswarm.wire.apis import GENERATING

OPTION = "--depths"
PREFILL_TOKENS = "512"  # llama-bench's own


def check(options: Any) -> None:
    """Do the options go together? Fills in how many tokens are prefilled. Raises UsageError."""
    if not options.depths.strip():
        return
    others = {
        **{"--arrivals": options.arrivals, "--trace": options.trace, "--find-capacity": options.find_capacity},
        **{"--same-prompts": options.same_prompts, "--each-prompt-once": options.each_prompt_once},
        **{"--payloads": options.payloads != DEFAULT, "--system-prompt": options.system_prompt},
        **{"--shared-prefix-tokens": options.shared_prefix_tokens, "--unique-prompts": options.unique_prompts},
        **{"--output-tokens": options.output_tokens.strip(), "--no-stream": options.no_stream},
    }
    for name, given in others.items():
        if given:
            raise UsageError(f"{OPTION} says itself what is asked, and in what order; leave {name} out")
    options.prompt_tokens = options.prompt_tokens.strip() or PREFILL_TOKENS
    if not options.prompt_tokens.isdecimal():
        raise UsageError(f"{OPTION} prefills the same number each time; give --prompt-tokens 512, say")


def check_classes(options: Any, classes: Sequence[Any]) -> None:
    """Is there one class that can ask? Raises UsageError."""
    if not options.depths.strip():
        return
    for c in classes:
        if not issubclass(c, LLMUser) or c.api not in GENERATING or not only_asks(c):
            raise UsageError(f"{OPTION}: {c.__name__} has tasks of its own, or generates no text; name another class")
    if len(classes) != 1:
        names = " or ".join(c.__name__ for c in classes)
        raise UsageError(f"{OPTION} goes through one API; name one class, {names}")
    if len({*models(options.model)}) > 1:
        raise UsageError(f"{OPTION} is for one model; give --model only one of {options.model}")
