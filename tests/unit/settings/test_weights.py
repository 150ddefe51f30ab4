"""Weights of User classes: how they are written."""

from types import SimpleNamespace

import pytest

from tokenswarm.settings.errors import UsageError
from tokenswarm.settings.weights import check, check_classes, weigh
from tokenswarm.users.ollama import OllamaChatUser, OllamaGenerateUser

TWO = (OllamaChatUser, OllamaGenerateUser)


class Fixed(OllamaChatUser):
    fixed_count = 1


def test_a_class_gets_its_own_weight_back() -> None:
    own: dict[type, float] = {}
    weigh(TWO, "OllamaChatUser=3, OllamaGenerateUser = .5", own)
    assert [c.weight for c in TWO] == [3, 0.5]
    weigh(TWO, "OllamaChatUser=2", own)
    assert [c.weight for c in TWO] == [2, 1]
    weigh(TWO, "", own)
    assert [c.weight for c in TWO] == [1, 1]


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("OllamaChatUser", "--weights ▸OllamaChatUser◂: is no weight of a class; write OllamaChatUser=3,Ollama"),
        ("OllamaChatUser=3,", "--weights OllamaChatUser=3,▸◂: is no weight of a class"),
        ("OllamaChatUser:3", "--weights ▸OllamaChatUser:3◂: is no weight of a class"),
        ("OllamaChatUser=0", "--weights OllamaChatUser=▸0◂: is no weight; give a number above 0"),
        ("OllamaChatUser=-1", "--weights OllamaChatUser=▸-1◂: is no weight"),
        ("OllamaChatUser=inf", "--weights OllamaChatUser=▸inf◂: is no weight"),
        ("OllamaChatUser=", "--weights OllamaChatUser=▸◂: is no weight"),
        ("OllamaChatUser=3,OllamaChatUser=1", "--weights OllamaChatUser=3,▸OllamaChatUser◂=1: is there twice"),
        ("OllamaChtUser=3", "--weights ▸OllamaChtUser◂=3: no class OllamaChtUser runs; did you mean OllamaChatUser?"),
        ("Fixed=3", "--weights ▸Fixed◂=3: Fixed has a fixed_count"),
    ],
)
def test_what_is_no_weight_is_marked(text: str, line: str) -> None:
    with pytest.raises(UsageError) as error:
        check_classes(text, (*TWO, Fixed))
    assert str(error.value).startswith(line)


def test_locusts_own_option_and_ours_exclude_each_other() -> None:
    with pytest.raises(UsageError, match="give one of them"):
        check(SimpleNamespace(weights="OllamaChatUser=3", equal_weights=True))
