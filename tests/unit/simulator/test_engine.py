"""The schedule, on a clock that only moves when told: 1 ms a prompt token, 20 ms a step."""

from dataclasses import replace

import pytest
from simulated_world import PLAIN, World, warm

from tokenswarm.simulator.engine.loader import Busy
from tokenswarm.simulator.engine.schedule import Timing
from tokenswarm.simulator.settings import NS_PER_MS as MS


def test_one_request_alone() -> None:
    world = warm()
    world.job("a")
    world.run()
    # 1 ms to find the model, 10 to prefill, then a step each.
    assert world.said == {"a": [1011, 1031, 1051]}
    assert world.timings["a"] == Timing(51 * MS, 1 * MS, 10 * MS, 40 * MS)


def test_a_single_token_says_1000_ns() -> None:
    world = warm()
    world.job("a", output=1)
    world.run()
    assert world.timings["a"].eval_ns == 1000


def test_the_queue_is_fifo_and_no_field_tells_of_it() -> None:
    world = warm()
    for name in "abc":
        world.job(name)
    world.run()
    assert [said[0] for said in world.said.values()] == [1011, 1061, 1111]
    rest = [t.total_ns - t.load_ns - t.prompt_ns - t.eval_ns for t in world.timings.values()]
    assert rest == [0, 50 * MS, 100 * MS]


def test_slots_share_their_ticks_and_slow_each_other() -> None:
    world = warm(replace(PLAIN, parallel=2, slowdown=0.5))
    world.job("a", output=4)
    world.job("b", prompt=15, output=2)
    world.run()
    # Both are busy from the start, so a step takes 30 ms, until b has gone. b joins a tick that is half a step away.
    assert world.said["a"] == [1011, 1041, 1061, 1081]
    assert world.said["b"] == [1016, 1041]


def test_who_comes_less_than_half_a_step_before_a_tick_lets_it_pass() -> None:
    world = warm(replace(PLAIN, parallel=2))
    world.job("a")
    world.job("b", prompt=22)
    world.run()
    assert world.said["b"] == [1023, 1051, 1071]


def test_there_is_no_drift() -> None:
    world = warm()
    world.job("a", output=1001)
    while (due := world.engine.next_due_ns()) is not None:
        world.now_ns = max(world.now_ns, due + 3 * MS)  # always 3 ms late
        world.engine.advance()
    first = world.said["a"][0]
    assert world.said["a"][-1] == first + 1000 * 20


def test_one_step_a_call_even_when_several_are_due() -> None:
    world = warm()
    world.job("a", output=9)
    world.run(1012)
    world.now_ns = 1100 * MS
    assert world.engine.advance() == 1051 * MS
    assert world.said["a"] == [1011, 1031]


def test_after_a_long_stop_it_goes_on_from_now() -> None:
    world = warm()
    world.job("a", output=4)
    world.run(1012)
    world.now_ns = 5000 * MS
    world.engine.advance()
    assert world.engine.slips == 1
    world.run()
    assert world.said["a"] == [1011, 1031, 5020, 5040]


def test_a_repeated_prompt_costs_one_token_of_prefill() -> None:
    world = warm()
    world.job("a", prompt=100)
    world.run()
    world.job("a", prompt=100)
    world.run()
    assert world.timings["a"].prompt_ns == 1 * MS
    other = warm(replace(PLAIN, prompt_cache=False))
    for _ in range(2):
        other.job("a", prompt=100)
        other.run()
    assert other.timings["a"].prompt_ns == 100 * MS


def test_all_that_wait_for_a_load_report_it() -> None:
    world = World(replace(PLAIN, load_ms=500, parallel=4))
    world.job("a")
    world.run(200)
    world.job("b")
    world.run()
    assert (world.timings["a"].load_ns, world.timings["b"].load_ns) == (500 * MS, 300 * MS)


def test_models_load_one_after_the_other() -> None:
    world = World(replace(PLAIN, load_ms=500, parallel=4))
    for name in "abc":
        world.job(name, model=name)
    world.run()
    assert [world.timings[name].load_ns for name in "abc"] == [500 * MS, 1000 * MS, 1500 * MS]


def test_the_load_queue_is_limited_and_the_warm_one_is_not() -> None:
    world = World(replace(PLAIN, load_ms=500, max_queue=2))
    for name in "abc":
        world.job(name)
    with pytest.raises(Busy):
        world.job("d")
    world.run()
    for number in range(20):
        world.job(str(number))
    world.run()
    assert len(world.timings) == 23


def test_max_waiting_refuses_when_the_slots_are_full() -> None:
    world = warm(replace(PLAIN, parallel=2, max_waiting=1))
    for name in "abc":
        world.job(name)
    with pytest.raises(Busy):
        world.job("d")


def test_keep_alive() -> None:
    world = warm(replace(PLAIN, load_ms=500))
    world.job("a", keep_alive_ns=100 * MS)
    world.run(1060)
    assert world.resident(1060) == ["m"]
    assert world.resident(1152) == []
    world.now_ns = 2000 * MS
    world.job("b", keep_alive_ns=-1)
    world.run()
    assert world.timings["b"].load_ns == 500 * MS
    assert world.resident(10**9) == ["m"]
    world.engine.unload("m")
    assert world.resident() == []


def test_a_model_in_use_does_not_expire() -> None:
    world = warm(replace(PLAIN, keep_alive_ns=0))
    world.job("a", output=500)
    world.run(3000)
    assert world.resident() == ["m"]
    world.run()
    assert world.resident() == []


@pytest.mark.parametrize("at_ms", [1000.5, 1005, 1015, 1045])
def test_a_client_that_leaves_frees_its_place_at_once(at_ms: float) -> None:
    world = warm()
    gone = world.job("a", output=1000)
    world.run(at_ms)
    world.job("b")
    world.engine.cancel(gone)
    world.engine.cancel(gone)
    world.run()
    assert world.said["b"][0] == pytest.approx(at_ms + 11, abs=1)
    assert world.engine.accepted == 0


def test_a_client_that_leaves_the_load_queue_makes_room() -> None:
    world = World(replace(PLAIN, load_ms=500, max_queue=0))
    gone = world.job("a")
    with pytest.raises(Busy):
        world.job("b")
    world.engine.cancel(gone)
    world.job("c")
    world.run()
    assert set(world.timings) == {"c"}


def test_a_pause_keeps_the_slot() -> None:
    world = warm()
    paused = world.job("a", output=4)
    world.run(1032)
    world.engine.pause(paused, 1000 * MS)
    world.job("b")
    world.run()
    assert world.said["a"] == [1011, 1031, 2051, 2071]
    assert world.said["b"][0] > 2071


def test_dead_time_is_in_the_total_only() -> None:
    world = warm()
    world.job("a", delay_ns=300 * MS)
    world.run()
    assert world.timings["a"] == Timing(351 * MS, 1 * MS, 10 * MS, 40 * MS)
