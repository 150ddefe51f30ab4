"""Models that do not fit together: who is loaded, who waits, who goes; and what a loaded model remembers."""

from dataclasses import replace

import pytest
from simulated_world import PLAIN, World

from tokenswarm.simulator.engine.loader import Busy, TooBig
from tokenswarm.simulator.engine.prefixes import Prefixes
from tokenswarm.simulator.model.models import Model
from tokenswarm.simulator.settings import NS_PER_MS as MS

SLOW = replace(PLAIN, load_ms=500)
ONE = replace(SLOW, max_loaded_models=1)
LOADED_MS = 500


def loaded(world: World, *names: str) -> World:
    """The world once these models are in memory, one after the other."""
    for name in names:
        world.job(f"load {name}", output=0, model=name)
        world.run(world.now_ns / MS + LOADED_MS)
    world.timings.clear()
    return world


def test_a_request_for_the_loaded_model_overtakes_and_the_wait_counts_as_load() -> None:
    world = loaded(World(ONE), "a")
    world.job("a1", model="a", output=51)  # until 500 + 1 + 10 + 1000
    world.run(600)
    world.job("b", model="b")
    world.run(900)
    world.job("a2", model="a")
    world.run()
    assert world.timings["a2"].load_ns == 1 * MS
    assert world.said["a2"][0] == 1521
    # a2 ends at 1561; then b's load.
    assert world.timings["b"].load_ns == (1561 - 600 + 500) * MS


def test_two_clients_in_a_loop_keep_the_other_model_out() -> None:
    world = loaded(World(ONE), "a")
    world.job("a0", model="a")
    world.job("b", model="b")
    for number in range(1, 50):
        world.run(world.now_ns / MS + 30)
        world.job(f"a{number}", model="a")
    assert "b" not in world.timings
    world.run()
    assert world.timings["b"].load_ns > 50 * 30 * MS
    assert all(timing.load_ns == 1 * MS for name, timing in world.timings.items() if name != "b")


def test_a_mix_is_one_swap() -> None:
    world = loaded(World(ONE), "a")
    for number in range(4):
        world.job(f"a{number}", model="a")
        world.job(f"b{number}", model="b")
    world.run()
    order = sorted(world.said, key=lambda name: world.said[name][0])
    assert order == ["a0", "a1", "a2", "a3", "b0", "b1", "b2", "b3"]
    assert world.resident() == ["b"]


def test_nothing_is_listed_while_models_are_swapped() -> None:
    world = loaded(World(ONE), "a")
    assert world.resident() == ["a"]
    world.job("b", model="b")
    assert world.resident() == []
    world.run(world.now_ns / MS + 499)
    assert world.resident() == []
    world.run()
    assert world.resident() == ["b"]


def test_keep_alive_for_ever_does_not_protect_but_goes_last() -> None:
    world = loaded(World(replace(SLOW, max_loaded_models=2)), "a", "b", "c")
    assert sorted(world.resident()) == ["b", "c"]  # a was the least recently used
    world.job("keep", model="b", keep_alive_ns=-1)
    world.run(2500)
    world.job("d", model="d")
    world.run(3500)
    assert sorted(world.resident()) == ["b", "d"]
    world.job("again", model="d", keep_alive_ns=-1)
    world.run(4500)
    world.job("e", model="e")
    world.run(5500)
    assert sorted(world.resident()) == ["d", "e"]


def test_memory_counts_weights_and_context() -> None:
    gb = 10**9
    models = [Model(name, size_bytes=3 * gb, context_tokens=500_000) for name in "abc"]
    world = World(replace(SLOW, memory_bytes=7 * gb))
    for model in models:
        world.job(model.name, model=model, output=0)
    world.run(2000)
    assert sorted(world.resident()) == ["b", "c"]
    world.job("long", model=models[2], context_tokens=200_000)  # 1.6 GB of KV cache
    world.run(3000)
    assert world.resident() == ["c"]
    with pytest.raises(TooBig, match=r"more system memory \(6.6 GiB\) than is available \(6.5 GiB\)"):
        world.job("longer", model=models[2], context_tokens=500_000)


def test_another_num_ctx_loads_the_model_again_once_it_is_idle() -> None:
    world = loaded(World(SLOW), "a")
    world.job("a", model="a", output=6)  # ends at 611
    world.run(520)
    world.job("longer", model="a", context_tokens=8192)
    world.job("same", model="a", context_tokens=4096)
    world.run()
    assert world.timings["same"].load_ns == 1 * MS
    assert world.timings["longer"].load_ns == (661 - 520 + 500) * MS
    assert [runner.need.context_tokens for runner in world.engine.loader.resident(world.now_ns)] == [8192]


def test_an_embedder_has_the_context_that_it_has() -> None:
    embedder = Model("e", ("embedding",), context_tokens=512)
    world = World(SLOW)
    world.job("a", model=embedder, output=0, embeds=True)
    world.run(600)
    world.job("b", model=embedder, output=0, embeds=True, context_tokens=2048)
    world.run(700)
    assert world.timings["b"].load_ns == 1 * MS
    assert world.timings["b"].prompt_ns == 10 * MS


def test_the_queue_holds_what_waits_for_the_loader_and_no_more() -> None:
    world = loaded(World(replace(ONE, max_queue=2)), "a")
    world.job("a0", model="a", output=100)
    for number in range(3):
        world.job(f"b{number}", model="b")
    for name in ("b", "c"):
        with pytest.raises(Busy):
            world.job("no", model=name)
    for number in range(1, 9):
        world.job(f"a{number}", model="a")  # loaded: never refused
    world.run()
    assert len(world.timings) == 9 + 3


def test_each_num_ctx_is_a_load_of_its_own() -> None:
    world = World(replace(SLOW, max_queue=2))
    for number in range(3):
        world.job(str(number), output=1, context_tokens=256 * (number + 1))
    with pytest.raises(Busy):
        world.job("3", context_tokens=1024)
    world.run()
    assert [world.timings[str(number)].load_ns / MS for number in range(3)] == [500, 1010, 1520]


@pytest.mark.parametrize("at_ms", [600, 1600])
def test_who_gives_up_while_waiting_causes_no_swap(at_ms: float) -> None:
    world = loaded(World(ONE), "a")
    world.job("a", model="a", output=100)
    gone = world.job("b", model="b")
    world.run(at_ms)
    world.engine.cancel(gone)
    world.job("after", model="a")
    world.run(4000)
    assert world.resident() == ["a"]
    assert set(world.timings) == {"a", "after"}
    assert world.timings["after"].load_ns == 1 * MS


def test_who_gives_up_during_the_load_breaks_it_off() -> None:
    world = World(ONE)
    gone = world.job("a", model="a")
    world.job("b", model="b")
    world.run(200)
    world.engine.cancel(gone)
    world.run(800)
    assert world.resident() == ["b"]
    assert world.timings["b"].load_ns == 700 * MS


def test_an_unload_during_an_answer_waits_for_its_end() -> None:
    world = loaded(World(SLOW), "a")
    world.job("a", model="a")
    world.run(520)
    world.engine.unload("a")
    assert world.resident() == ["a"]
    world.run()
    assert len(world.said["a"]) == 3
    assert world.resident() == []


def test_slots_belong_to_a_model_and_all_busy_ones_slow_each_other() -> None:
    world = loaded(World(replace(SLOW, slowdown=0.5)), "a", "b")
    for name in "ab":
        world.job(name, model=name)
        world.job(f"{name}2", model=name)
    world.run()
    assert world.said["a"][0] == world.said["b"][0] == 1011
    assert world.said["a"][1] - world.said["a"][0] == 30
    assert world.said["a2"][0] > world.said["a"][-1]


def test_models_that_share_their_weights_share_a_runner() -> None:
    world = loaded(World(SLOW), "a")
    copy = Model("copy", blob="a")
    for name in ("first", "second"):
        world.job(name, model=copy)
        world.run(world.now_ns / MS + 400)
    assert world.timings["first"].load_ns == 110 * MS
    assert world.timings["second"].load_ns == 1 * MS
    assert world.resident() == ["a"]


def test_the_next_turn_costs_what_is_new() -> None:
    world = loaded(World(SLOW), "m")
    first = "system\x1f" + "You are terse. " * 40
    world.job("turn 1", text=first, prompt=152)
    world.run()
    assert world.timings["turn 1"].cached_tokens == 0
    second = first + "\x1eassistant\x1fYes.\x1euser\x1fAnd why?" * 5
    world.job("turn 2", text=second, prompt=200)
    world.job("other", text="completely " + first, prompt=155)
    world.run()
    turn, other = world.timings["turn 2"], world.timings["other"]
    assert 140 <= turn.cached_tokens <= 152
    assert turn.prompt_ns == (200 - turn.cached_tokens) * MS
    assert other.cached_tokens == 0
    assert world.engine.cached_tokens == turn.cached_tokens


def test_an_answer_that_was_generated_is_known_too() -> None:
    world = loaded(World(SLOW), "m")
    known = "user\x1f" + "Why? " * 40 + "\x1eassistant\x1f" + "Because. " * 40
    world.job("turn 1", text="user\x1f" + "Why? " * 40, prompt=60, known_after=known)
    world.run()
    world.job("turn 2", text=known + "\x1euser\x1fI see.", prompt=160)
    world.run()
    assert world.timings["turn 2"].cached_tokens >= 140


def test_a_model_that_was_unloaded_has_forgotten() -> None:
    world = loaded(World(SLOW), "m")
    for name in ("a", "a again"):
        world.job(name, text="x" * 400, prompt=100, keep_alive_ns=0)
        world.run()
    assert world.timings["a again"].cached_tokens == 0


def test_what_is_remembered_is_bounded_and_beginnings_stay_longest() -> None:
    memory = Prefixes(limit_tokens=64)  # four blocks of 16 tokens
    memory.remember("a" * 256)
    assert memory.cached_tokens("a" * 256, 64) == 63
    memory.remember("b" * 128)
    assert memory.cached_tokens("b" * 128, 32) == 31
    assert memory.cached_tokens("a" * 256, 64) == 32


def test_the_latest_to_expire_is_listed_first() -> None:
    world = World(SLOW)
    for name, keep_alive_ns in (("short", 2000 * MS), ("for ever", -1), ("long", 60_000 * MS)):
        world.job(name, model=name, output=0, keep_alive_ns=keep_alive_ns)
    world.run(1600)
    assert world.resident() == ["for ever", "long", "short"]
    assert world.resident(4000) == ["for ever", "long"]
