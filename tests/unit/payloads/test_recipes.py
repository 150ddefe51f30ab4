"""Made-up prompts: as long as asked for by the server's own count, new in each run, shared where they should be."""

import os
from pathlib import Path

import orjson
import pytest

from tokenswarm.payloads.corpus import PayloadError, load, read_corpus
from tokenswarm.payloads.distribution import parse
from tokenswarm.payloads.made_up import Making, ruler, scale
from tokenswarm.payloads.mix import Mix
from tokenswarm.payloads.prompt import Message, Prompt
from tokenswarm.payloads.recipe import LANGUAGES, Recipe, Scale, made_up

TRACES = Path(__file__).parents[4] / "shared" / "data" / "traces"


def mix(tokens: str, making: Making | None = None, seed: int = 0) -> Mix:
    return Mix([Prompt("m", (Message("user", "-"),), recipe=Recipe(parse(tokens)))], seed, making)


def common(one: str, two: str) -> int:
    return next((at for at, (a, b) in enumerate(zip(one, two, strict=False)) if a != b), min(len(one), len(two)))


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_text_has_its_words_each_of_the_same_length(language: str) -> None:
    spoken = LANGUAGES[language]
    assert len(spoken.words) == len(set(spoken.words)) == 256
    assert len({len(word) for word in spoken.words}) == 1
    text = made_up(1000, language, "a")
    assert text == made_up(1000, language, "a") != made_up(1000, language, "b")
    assert made_up(5000, language, "a").startswith(text)
    bare = text.replace(spoken.stop.strip(), "").replace(" ", "")
    assert len(bare) == 1000 * len(spoken.words[0])


def test_lengths_repeat_with_the_seed_and_words_are_new_in_each_run_and_request() -> None:
    one, two = (mix("lognormal 300 cv=1", Making(run=run)) for run in ("1", "2"))
    texts = [one.pick(0, sequence).text for sequence in range(50)]
    others = [two.pick(0, sequence).text for sequence in range(50)]
    assert [len(text) for text in texts] == [len(text) for text in others]
    assert texts == [one.pick(0, sequence).text for sequence in range(50)]
    # No beginning is shared, which a server could have cached.
    everything = sorted({*texts, *others, *(one.pick(1, sequence).text for sequence in range(50))})
    assert len(everything) == 150
    assert max(map(common, everything, everything[1:])) < 30


def test_the_scale_comes_from_two_counts_and_takes_the_template_off() -> None:
    found = scale((64, 64 * 2 + 11), (512, 512 * 2 + 11))
    assert found == Scale(11.0, 2.0)
    assert [found.words(tokens, whole=whole) for tokens in (111, 5) for whole in (True, False)] == [50, 56, 1, 2]
    with pytest.raises(ValueError, match=r"^70 and 70 tokens for 64 and 512 words$"):
        scale((64, 70), (512, 70))


def test_output_lengths_are_drawn_for_prompts_without_a_limit_of_their_own() -> None:
    prompts = [Prompt("a", (Message("user", "x"),)), Prompt("b", (Message("user", "y"),), max_tokens=99)]
    mixed = Mix(prompts, 0, Making(output_tokens=parse("1..4")))
    limits = {(one.id, one.max_tokens) for one in (mixed.pick(0, sequence) for sequence in range(200))}
    assert limits == {("a", 1), ("a", 2), ("a", 3), ("a", 4), ("b", 99)}


def test_a_shared_prefix_stands_before_any_prompt() -> None:
    prompts = [Prompt("a", (Message("user", "x"),)), Prompt("b", (Message("system", "S"), Message("user", "y")))]
    mixed = Mix(prompts, 0, Making(prefix_tokens=100, prefixes=3, scale=Scale(9, 2)))
    systems: dict[str, set[str]] = {"a": set(), "b": set()}
    for sequence in range(200):
        one = mixed.pick(0, sequence)
        systems[one.id].add((one.system or "").removesuffix("\n\nS"))
        assert one.id == "a" or one.messages[0].content.endswith("\n\nS")
    assert len(systems["a"]) == 3
    assert systems["a"] == systems["b"]
    assert {len(text.split()) for text in systems["a"]} == {50}
    assert [message.role for message in ruler(mixed.making, 64, 1).messages] == ["system", "user"]
    assert [message.role for message in ruler(Making(), 64, 1).messages] == ["user"]


def test_rows_of_traces_are_made_up_prompts_of_their_lengths(tmp_path: Path) -> None:
    files = {
        "azure.csv": "TIMESTAMP,ContextTokens,GeneratedTokens\n2023-11-16 18:15:46.6805900,374,44\n,10,0",
        "burst.csv": "Timestamp,Model,Request tokens,Response tokens,Log Type\n5,ChatGPT,374,44,API\n6,G,10,1,C",
        "plain.csv": "prompt_tokens,output_tokens\n374,44\n10,1",
        "own.jsonl": '{"prompt_tokens": 374, "max_tokens": 44}\n{"prompt_tokens": "10", "output_length": 1}',
    }  # fmt: skip
    for name, text in files.items():
        (tmp_path / name).write_text(text)
        prompts = read_corpus(tmp_path / name)
        assert [prompt.max_tokens for prompt in prompts] == [44, 1], name
        recipes = [prompt.recipe for prompt in prompts]
        assert [recipe and recipe.tokens.mean for recipe in recipes] == [374, 10], name


def test_the_blocks_of_mooncake_share_what_their_ids_say(tmp_path: Path) -> None:
    rows = [
        {"timestamp": 0, "input_length": 1124, "output_length": 5, "hash_ids": [7, 8, 9]},
        {"timestamp": 3000, "input_length": 1024, "output_length": 5, "hash_ids": [7, 8]},
        {"timestamp": 3000, "input_length": 600, "output_length": 5, "hash_ids": [8, 7]},
        {"chat_id": 1, "timestamp": 6.5, "input_length": 40, "output_length": 5, "hash_ids": [7, 8, 9]},
    ]
    path = tmp_path / "mooncake.jsonl"
    path.write_bytes(b"\n".join(map(orjson.dumps, rows)))
    prompts = read_corpus(path)
    one, two, three, bailian = (Mix([prompt], 0).pick(0, 0).text for prompt in prompts)
    assert [len(text.split()) for text in (one, two, three, bailian)] == [1124, 1024, 600, 40]
    assert one.startswith(two)
    assert common(one, three) < 30
    assert common(one, bailian) > 60
    assert two == Mix([prompts[1]], 0).pick(5, 99).text  # the text is the row's, wherever it is asked


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ('{"prompt_tokens": 0}', "prompt_tokens: ▸0◂ is too small; make it 1 or more"),
        ('{"prompt_tokens": []}', "prompt_tokens is a list; make it a whole number above 0"),
        ('{"prompt_tokens": 5, "prompt": "a"}', "both prompt and prompt_tokens, which makes one up; keep one of them"),
        ('{"input_length": 1.5, "output_length": 5}', "input_length is 1.5; make it a whole number"),
        (
            '{"input_length": 5000, "output_length": 5, "hash_ids": [1]}',
            "1 hash_ids fit 5000 tokens neither by 512 nor",
        ),
        (
            '{"input_length": 5, "output_length": 5, "hash_ids": "1"}',
            'hash_ids is "1"; make it a list of whole numbers',
        ),
    ],
)
def test_a_wrong_length_is_told(tmp_path: Path, line: str, said: str) -> None:
    (tmp_path / "a.jsonl").write_text(line)
    with pytest.raises(PayloadError) as caught:
        read_corpus(tmp_path / "a.jsonl")
    assert str(caught.value).startswith(f"{tmp_path}/a.jsonl:1: {said}")


@pytest.mark.parametrize(
    ("name", "rows"), [("azure_conv_2023_first1000.csv", 1000), ("mooncake_conversation_first400.jsonl", 400)]
)
def test_the_real_traces_as_they_are(name: str, rows: int) -> None:
    if not TRACES.exists():
        assert os.environ.get("CI") != "true", f"{TRACES} is not here"
        pytest.skip(f"{TRACES} is not here")
    prompts = load(str(TRACES / name))
    assert len(prompts) == rows
    for prompt in prompts[:50]:
        assert prompt.recipe
        assert len(Mix([prompt], 0).pick(0, 0).text.split()) == prompt.recipe.tokens.mean
