"""`--same-prompts`: what it goes with, before any load."""

import pytest
from options import parsed

from tokenswarm.run.same_prompts import check, check_classes
from tokenswarm.settings.errors import UsageError
from tokenswarm.users import (
    AnthropicMessagesUser,
    OllamaChatUser,
    OllamaColdStartUser,
    OllamaEmbedUser,
    OpenAIChatUser,
)


class Other(OllamaChatUser):
    """Another class of the same API."""


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--arrivals", "poisson 5/s"), "--same-prompts is for a closed loop; leave --arrivals out"),
        (("--find-capacity",), "--same-prompts is for a closed loop; leave --find-capacity out"),
        (("--each-prompt-once",), "--same-prompts and --each-prompt-once do not go together"),
    ],
)
def test_what_it_does_not_go_with(options: tuple[str, ...], words: str) -> None:
    with pytest.raises(UsageError, match=words):
        check(parsed("--same-prompts", *options))
    check(parsed(*options))


@pytest.mark.parametrize(
    ("classes", "words"),
    [
        ([OllamaChatUser], "name User classes of two APIs or more, such as OllamaChatUser OpenAIChatUser"),
        ([OllamaChatUser, Other], "name User classes of two APIs or more"),
        ([OllamaChatUser, OllamaEmbedUser], "OllamaEmbedUser has tasks of its own, or generates no text"),
        ([OpenAIChatUser, OllamaColdStartUser], "OllamaColdStartUser has tasks of its own, or generates no text"),
    ],
)
def test_which_classes_can_take_turns(classes: list[type], words: str) -> None:
    with pytest.raises(UsageError, match=words):
        check_classes(parsed("--same-prompts"), classes)
    check_classes(parsed(), classes)
    check_classes(parsed("--same-prompts"), [OllamaChatUser, OpenAIChatUser, AnthropicMessagesUser])
