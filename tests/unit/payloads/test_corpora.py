"""The built-in corpora: whole, in both languages, and each what its name says."""

import pytest

from tokenswarm.payloads.corpus import BUILT_IN, DEFAULT, FOLDER, load


def test_built_in_corpora_load_alone_and_together() -> None:
    prompts = load(",".join(BUILT_IN))
    assert len({prompt.id for prompt in prompts}) == len(prompts)
    assert {prompt.tags[0] for prompt in prompts} == set(BUILT_IN)
    assert {path.stem for path in FOLDER.glob("*")} == set(BUILT_IN)
    for prompt in prompts:
        corpus, language = prompt.tags
        assert prompt.id.startswith(f"{corpus}-{language}-")
        assert any("\u4e00" <= letter <= "\u9fff" for letter in prompt.text) == (language == "zh")


@pytest.mark.parametrize(
    ("name", "lines"),
    [("chat", 24), ("long", 6), ("code", 10), ("json", 8), ("reasoning", 10), ("sessions", 6), ("tools", 3)],
)
def test_a_built_in_corpus_has_enough_to_say_in_both_languages(name: str, lines: int) -> None:
    prompts = load(name)
    assert len(prompts) >= lines
    assert {prompt.tags[1] for prompt in prompts} == {"en", "zh"}
    assert len({prompt.messages for prompt in prompts}) == len(prompts)


def test_the_default_corpus_asks_about_machine_learning_in_chinese() -> None:
    texts = {prompt.text for prompt in load(DEFAULT)}
    assert {"什么是机器学习？", "请生成一个关于机器学习的简短介绍。"} <= texts


def test_long_prompts_are_long_and_json_prompts_ask_for_json() -> None:
    assert all(1500 <= len(prompt.text) <= 6000 for prompt in load("long"))
    assert {type(prompt.format) for prompt in load("json")} == {str, dict}


def test_sessions_are_long_and_every_tool_has_a_result() -> None:
    lengths = [1 + len(prompt.then) for prompt in load("sessions")]
    assert min(lengths) >= 4
    assert lengths.count(10) >= 4
    for prompt in load("tools"):
        assert {tool["function"]["name"] for tool in prompt.tools} == set(prompt.tool_results)  # type: ignore[index]
