"""`--same-prompts`: what it goes with, and which classes can take turns (see `users.same_prompts`)."""

from collections.abc import Sequence
from typing import Any

from tokenswarm.settings.errors import UsageError
from tokenswarm.users.base import LLMUser
from tokenswarm.wire.apis import GENERATING

OPTION = "--same-prompts"


def check(options: Any) -> None:
    """Do the options go together? Raises UsageError."""
    given = {"--arrivals": options.arrivals, "--trace": options.trace, "--find-capacity": options.find_capacity}
    for name, value in given.items() if options.same_prompts else ():
        if value:
            raise UsageError(f"{OPTION} is for a closed loop; leave {name} out")
    if options.same_prompts and options.each_prompt_once:
        raise UsageError(f"{OPTION} and --each-prompt-once do not go together; leave one of them out")


def check_classes(options: Any, classes: Sequence[Any]) -> None:
    """Can the classes take turns? Raises UsageError."""
    if not options.same_prompts:
        return
    for c in classes:
        if not issubclass(c, LLMUser) or c.api not in GENERATING or not only_asks(c):
            raise UsageError(f"{OPTION}: {c.__name__} has tasks of its own, or generates no text; name other classes")
    paths = [c.api.PATH for c in classes]
    if len({*paths}) < len(paths) or len(paths) < 2:
        raise UsageError(
            f"{OPTION}: name User classes of two APIs or more, such as OllamaChatUser OpenAIChatUser"
            " AnthropicMessagesUser OpenAIResponsesUser"
        )


def only_asks(c: type[LLMUser]) -> bool:
    """Has a class no tasks, conversations or model of its own?"""
    return c.tasks == LLMUser.tasks and c.converse is LLMUser.converse and not c.own_model
