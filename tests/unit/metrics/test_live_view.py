"""What a run does now, put together from its workers' seconds."""

from typing import Any

import pytest

from tokenswarm.metrics.histogram import bucket
from tokenswarm.metrics.live_view import MOST_CELLS, Count, LiveView, count_of

CHAT, GENERATE = ("/api/chat", "m"), ("/api/generate", "n")
MS = 1_000_000


def second(**given: Any) -> Count:
    return count_of({"outcomes": {}, **given})


def view() -> LiveView:
    made = LiveView()
    made.begin("run", 100.0)
    return made


def test_workers_seconds_are_summed_where_their_own_counts_put_them() -> None:
    seen = view()
    for number in range(5):
        for worker, late_s in (("a", 0.0), ("b", 0.3)):
            count = second(in_flight=4, begun=3, sent=2, output_tokens=50.0, outcomes={"ok": 1})
            # The message of the third second is held up, and comes with the next.
            at_s = 101.5 + late_s + number + (0.9 if number == 2 else 0.0)
            seen.take(worker, number, {CHAT: count}, at_s, users=8)
    points = seen.series()
    assert [point["output_tokens_per_s"] for point in points] == [100.0] * 5
    assert [(point["running"], point["waiting"], point["users"]) for point in points] == [(6, 2, 8)] * 5
    assert seen.recent()["ok_per_s"] == 2.0
    assert seen.so_far().outcomes["ok"] == 10


def test_a_stall_shows_in_the_wait_of_the_oldest_at_once_and_stays_in_the_chart() -> None:
    seen = view()
    for number in range(10):
        stalled_s = max(0, number - 2) if number < 8 else 0.0
        count = second(in_flight=3, begun=0 if stalled_s else 2, oldest_wait_s=stalled_s)
        seen.take("a", number, {CHAT: count}, 101.0 + number)
        assert seen.under_way().oldest_wait_s == stalled_s
    assert [point["oldest_wait_s"] for point in seen.series()] == [0, 0, 0, 1, 2, 3, 4, 5, 0, 0]


def test_each_endpoint_and_model_has_its_own_figures_beside_the_whole() -> None:
    seen = view()
    ttft = {name: f"{bucket(ms * MS)}:10" for name, ms in (("chat", 20), ("generate", 400))}
    for number in range(4):
        chat = second(ttft=ttft["chat"], output_tokens=10.0)
        generate = second(ttft=ttft["generate"], output_tokens=30.0, outcomes={"http_error": 2, "cancelled": 1})
        seen.take("a", number, {CHAT: chat, GENERATE: generate}, 101.0 + number)
    assert seen.groups() == [CHAT, GENERATE]
    assert seen.recent(CHAT)["ttft_ms_p95"] == pytest.approx(20, rel=0.01)
    assert seen.recent(GENERATE)["ttft_ms_p50"] == pytest.approx(400, rel=0.01)
    assert seen.recent()["output_tokens_per_s"] == 40.0
    assert seen.recent(GENERATE)["failed_per_s"] == 2.0  # who was cut did not fail
    assert seen.recent(CHAT)["itl_ms_p50"] is None


def test_a_long_run_keeps_a_bounded_chart_and_all_of_its_tokens() -> None:
    seen = view()
    for number in range(3 * MOST_CELLS):
        seen.take("a", number, {CHAT: second(output_tokens=7.0, sent=1)}, 101.0 + number)
        assert len(seen.series()) <= MOST_CELLS
    points = seen.series()
    assert seen.step_s == 4
    assert sum(point["output_tokens_per_s"] * seen.step_s for point in points) == 3 * MOST_CELLS * 7
    assert points[10]["output_tokens_per_s"] == 7.0
    assert points[-1]["t"] >= 3 * MOST_CELLS


def test_a_worker_that_went_takes_its_streams_along_and_a_pause_is_no_gap() -> None:
    seen = view()
    for number in range(3):
        seen.take("a", number, {CHAT: second(in_flight=5)}, 101.0 + number)
        seen.take("b", number, {CHAT: second(in_flight=2)}, 101.0 + number)
    assert seen.under_way().in_flight == 7
    for number in range(3, 9):
        seen.take("b", number, {CHAT: second(in_flight=2)}, 101.0 + number)
    assert seen.under_way().in_flight == 2
    seen.take("b", 9, {CHAT: second(in_flight=1)}, 130.0)  # its machine had stood still
    assert seen.series()[-1]["t"] == 30


def test_a_count_is_the_same_after_its_way_as_a_message() -> None:
    count = second(in_flight=2, oldest_wait_s=1.5, output_tokens=3.5, ttft="700:3 720", outcomes={"ok": 2})
    assert count_of(count.as_message()) == count
    assert set(count.as_message()) == {"in_flight", "oldest_wait_s", "output_tokens", "ttft", "outcomes"}


def test_seconds_that_come_while_a_chart_is_made_harm_nothing() -> None:
    seen, number = view(), iter(range(MOST_CELLS - 20, 10 * MOST_CELLS))
    for before in range(MOST_CELLS - 20):
        seen.take("a", before, {CHAT: second(output_tokens=7.0)}, 101.0 + before)

    def more() -> None:
        at = next(number)
        seen.take("a", at, {CHAT: second(output_tokens=7.0)}, 101.0 + at)

    points = seen.series(None, more)
    assert {point["output_tokens_per_s"] for point in points} == {7.0}
    assert seen.step_s == 2  # there were two neighbours made one in the middle of it
    assert points == seen.series()
