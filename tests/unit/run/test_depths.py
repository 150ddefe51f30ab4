"""`--depths`: what it goes with, before any load."""

import pytest
from options import parsed

from tokenswarm.run.depths import check, check_classes
from tokenswarm.settings.errors import UsageError
from tokenswarm.settings.settings import settings
from tokenswarm.users import OllamaChatUser, OllamaColdStartUser, OllamaEmbedUser, OpenAIChatUser


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--arrivals", "poisson 5/s"), "leave --arrivals out"),
        (("--find-capacity",), "leave --find-capacity out"),
        (("--same-prompts",), "leave --same-prompts out"),
        (("--unique-prompts",), "leave --unique-prompts out"),
        (("--payloads", "code"), "leave --payloads out"),
        (("--shared-prefix-tokens", "99"), "leave --shared-prefix-tokens out"),
        (("--prompt-tokens", "100..1000"), "give --prompt-tokens 512, say"),
    ],
)
def test_what_it_does_not_go_with(options: tuple[str, ...], words: str) -> None:
    with pytest.raises(UsageError, match=words):
        check(parsed("--depths", "0,4096", *options))
    check(parsed(*options))


@pytest.mark.parametrize(("given", "tokens"), [((), 512), (("--prompt-tokens", "64"), 64)])
def test_as_many_are_prefilled_as_llama_bench_does_or_as_is_said(given: tuple[str, ...], tokens: int) -> None:
    options = parsed("--host", "http://127.0.0.1:1", "--depths", " 0, 4096", *given)
    check(options)
    made = settings(options)
    assert (made.depths, made.prefill_tokens, made.mix.makes_text) == ((0, 4096), tokens, True)


@pytest.mark.parametrize("text", ["-1", "4k", "0,0", "0,,1", "1.5"])
def test_depths_are_whole_numbers_each_once(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        parsed(f"--depths={text}")
    assert f"▸{text}◂ are no depths; give whole numbers of tokens, each once: 0,4096,16384" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("classes", "model", "words"),
    [
        ([OllamaChatUser, OpenAIChatUser], "m", "name one class, OllamaChatUser or OpenAIChatUser"),
        ([OllamaEmbedUser], "m", "OllamaEmbedUser has tasks of its own, or generates no text"),
        ([OllamaColdStartUser], "m", "OllamaColdStartUser has tasks of its own, or generates no text"),
        ([OllamaChatUser], "a=2,b=1", "give --model only one of a=2,b=1"),
    ],
)
def test_it_is_about_one_model_through_one_api(classes: list[type], model: str, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        check_classes(parsed("--depths", "0", "--model", model), classes)
    check_classes(parsed("--model", model), classes)
    check_classes(parsed("--depths", "0", "--model", "m"), [OpenAIChatUser])
