"""The seeded choice among prompts, the mark that defeats prompt caches, and what the room may import."""

import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tokenswarm.payloads.mix import Mix, nonce
from tokenswarm.payloads.prompt import ROLES, Message, Prompt, unique


def named(**weights: float) -> tuple[Prompt, ...]:
    return tuple(Prompt(id=name, messages=(("user", name),), weight=weight) for name, weight in weights.items())


@pytest.mark.parametrize("seed", [0, 1, -7])
def test_prompts_come_as_often_as_their_weights_say(seed: int) -> None:
    mix = Mix(named(a=6, b=3, c=0.9, d=0.1), seed)
    counts = Counter(mix.pick(worker, sequence).id for worker in range(4) for sequence in range(5000))
    # Four standard deviations of a count over 20,000 picks are at most 283.
    for name, share in {"a": 0.6, "b": 0.3, "c": 0.09, "d": 0.01}.items():
        assert counts[name] == pytest.approx(20_000 * share, abs=283)


def test_the_same_seed_worker_and_sequence_give_the_same_prompt_everywhere() -> None:
    mix = Mix(named(a=1, b=1, c=1, d=1), seed=42)
    # Literals: what another machine or Python version must also give.
    assert "".join(mix.pick(0, sequence).id for sequence in range(12)) == "cdbddcddccab"
    assert "".join(mix.pick(1, sequence).id for sequence in range(12)) == "acbcbaabacbc"
    assert nonce(42, 1, 7, "run") == "0a7b6b1a"


def test_a_pick_does_not_depend_on_the_picks_before_it() -> None:
    mix = Mix(named(a=1, b=2, c=3), seed=5)
    forwards = [mix.pick(2, sequence) for sequence in range(100)]
    assert [mix.pick(2, sequence) for sequence in reversed(range(100))] == forwards[::-1]


def test_workers_and_seeds_do_not_repeat_each_other() -> None:
    def stream(seed: int, worker: int) -> str:
        mix = Mix(named(a=1, b=1, c=1, d=1), seed)
        return "".join(mix.pick(worker, sequence).id for sequence in range(200))

    streams = {(seed, worker): stream(seed, worker) for seed in range(5) for worker in range(-1, 8)}
    assert len(set(streams.values())) == len(streams)
    # Nor is one stream another one shifted: equal places agree about as often as chance has it, one in four.
    same = sum(a == b for a, b in zip(streams[0, 0][1:], streams[0, 1], strict=False))
    assert 20 < same < 80


def test_a_mix_of_one_and_of_extreme_weights() -> None:
    assert {Mix(named(a=1e-9), 1).pick(0, sequence).id for sequence in range(100)} == {"a"}
    assert {Mix(named(a=1e-9, b=1e9), 1).pick(0, sequence).id for sequence in range(100)} == {"b"}


def test_a_mix_that_cannot_choose_says_so() -> None:
    with pytest.raises(ValueError, match="at least one prompt"):
        Mix((), 1)
    for weight in (0.0, -1.0, float("nan"), float("inf")):
        with pytest.raises(ValueError, match="give it a number above 0"):
            Mix(named(a=1, b=weight), 1)


def test_nonces_are_eight_hex_characters_and_differ_in_every_part() -> None:
    nonces = {nonce(s, w, n, run) for s in range(3) for w in range(3) for n in range(100) for run in ("r", "t")}
    assert len(nonces) == 3 * 3 * 100 * 2
    assert all(len(mark) == 8 and set(mark) <= set("0123456789abcdef") for mark in nonces)


def test_unique_opens_the_first_message_with_the_mark() -> None:
    prompt = Prompt("a", (("system", "Be short."), ("user", "Why?")), max_tokens=3, options={"seed": 1}, tags=("x",))
    marked = unique(prompt, "7f3a9c00")
    assert marked.messages == (Message("system", "[7f3a9c00] Be short."), Message("user", "Why?"))
    assert (marked.id, marked.max_tokens, marked.options, marked.tags) == ("a", 3, {"seed": 1}, ("x",))


def test_unique_marks_a_late_system_message_too_since_templates_may_put_it_first() -> None:
    marked = unique(Prompt("a", (("user", "Why?"), ("system", "Be short."))), "00")
    assert marked.messages == (Message("user", "[00] Why?"), Message("system", "[00] Be short."))


@given(st.lists(st.tuples(st.sampled_from(ROLES), st.text()), min_size=1).map(tuple))
def test_unique_changes_the_beginnings_and_keeps_the_rest(messages: tuple[tuple[str, str], ...]) -> None:
    prompt = Prompt("a", messages)
    marked = unique(prompt, "12345678")
    kept = tuple((role, content.removeprefix("[12345678] ")) for role, content, *_ in marked.messages)
    assert kept == messages
    # Whichever of the two a server renders first, it starts with the mark.
    assert marked.messages[0].content.startswith("[12345678] ")
    assert marked.system is None or marked.system.startswith("[12345678] ")


def test_loading_a_corpus_loads_no_other_room() -> None:
    script = "import sys, tokenswarm.payloads.mix, tokenswarm.payloads.corpus as c; c.load('chat'); print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=Path(__file__).parents[3], capture_output=True, text=True, check=True
    )
    loaded = set(done.stdout.split())
    assert not {"locust", "gevent", "requests", "pandas"} & loaded
    assert {m.split(".")[1] for m in loaded if m.startswith("tokenswarm.")} == {"payloads"}
