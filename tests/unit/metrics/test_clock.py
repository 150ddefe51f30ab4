"""Clocks that are apart: measured to half a round trip, and reports have all times by one of them."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from golden.make import MS, ZERO_NS, identity, ollama
from golden.make import folder as made_folder
from hypothesis import given
from hypothesis import strategies as st
from validity_rows import many, verdict

from tokenswarm.folder.verdict import gather, judge_file
from tokenswarm.metrics import clock
from tokenswarm.metrics.clock import ClockOffset, ClockSample, ahead_ns, best, extend, take_sample, tracks, with_new
from tokenswarm.metrics.slo.language import parse
from tokenswarm.reports import load
from tokenswarm.reports.parts import throughput
from tokenswarm.reports.summary import summarise

S = 1_000_000_000

delays = st.integers(1_000, 500 * MS)


@given(st.integers(-(10**18), 10**18), delays, delays, st.integers(0, 10**18))
def test_halving_is_off_by_half_the_round_trip_at_most(ahead: int, there: int, back: int, asked: int) -> None:
    """However unlike the two ways are: `asked` and the answer are by the worker's clock."""
    found = take_sample(asked, asked + there - ahead, asked + there + back)
    assert abs(found.ahead_ns - ahead) <= found.round_trip_ns / 2 + 1
    assert found.round_trip_ns == there + back


@given(
    st.integers(-5 * S, 5 * S),
    st.floats(-clock.DRIFT, clock.DRIFT),
    st.lists(st.tuples(st.integers(0, 60 * S), delays, delays), min_size=1, max_size=30),
    st.integers(0, 300 * S),
)
def test_a_drifting_clock_is_never_farther_off_than_is_said(
    ahead: int, drift: float, trips: list[tuple[int, int, int]], later: int
) -> None:
    """The master's clock is true time; the worker's gains `drift` on it."""

    def worker(true_ns: int) -> int:
        return true_ns + ahead + round(drift * true_ns)

    now, readings = 0, ()
    for pause, there, back in trips:
        now += pause
        readings = with_new(readings, take_sample(worker(now), now + there, worker(now + there + back)))
        now += there + back
        assert len(readings) <= clock.KEPT
    now += later
    known = best(readings, worker(now))
    off = abs(known.ahead_ns - (worker(now) - now))
    assert off <= known.doubt_ns(worker(now)) * 1.001 + 10


def test_the_quickest_answer_counts_until_it_is_too_old() -> None:
    quick, slow, later = ClockSample(0, 500, 1 * MS), ClockSample(5 * S, 900, 2 * MS), ClockSample(20 * S, 900, 2 * MS)
    assert best((quick, slow), 5 * S) is quick  # 0.5 ms and 0.25 ms of drift, against 1 ms
    assert best((quick, later), 20 * S) is later  # 0.5 ms and 1 ms of drift


def test_what_cannot_be_true_with_the_readings_before_makes_them_void() -> None:
    """Else a clock that was set would go on being taken for what it was, as long as that trip was the quickest."""
    before, after = ClockSample(0, 0, 1 * MS), ClockSample(5 * S, 2 * S, 4 * MS)
    assert with_new((before,), after) == (after,)
    assert with_new((before,), ClockSample(5 * S, 1 * MS, 4 * MS)) == (before, ClockSample(5 * S, 1 * MS, 4 * MS))


@given(st.lists(st.integers(-10 * MS, 10 * MS), min_size=2, max_size=400))
def test_a_clocks_track_is_short_and_follows_it(aheads: list[int]) -> None:
    track: tuple[ClockOffset, ...] = ()
    for at, ahead in enumerate(aheads):
        track = extend(track, ClockOffset(at * S, ahead))
        assert len(track) <= clock.MOST_POINTS
    assert (track[0].worker_ns, track[-1]) == (0, ClockOffset((len(aheads) - 1) * S, aheads[-1]))
    if len(aheads) <= clock.MOST_POINTS:
        assert max(abs(ahead_ns(track, at * S) - ahead) for at, ahead in enumerate(aheads)) <= clock.TOLERANCE_NS * 2


def test_a_step_stays_as_sharp_as_it_was_seen() -> None:
    track: tuple[ClockOffset, ...] = ()
    for at in range(3600):
        track = extend(track, ClockOffset(at * S, 0 if at < 1800 else -1500 * MS))
    assert len(track) == 4
    assert [ahead_ns(track, at) for at in (-S, 1799 * S, 1799 * S + S // 2, 1800 * S, 10**15)] == [
        0,
        0,
        -750 * MS,
        -1500 * MS,
        -1500 * MS,
    ]


def test_slow_drift_of_a_long_run_fits_into_few_points() -> None:
    track: tuple[ClockOffset, ...] = ()
    for at in range(0, 36_000, 10):  # ten hours at 20 ppm
        track = extend(track, ClockOffset(at * S, 20_000 * at))
    assert len(track) <= clock.MOST_POINTS
    assert max(abs(ahead_ns(track, at * S) - 20_000 * at) for at in range(0, 36_000, 10)) < 20 * MS


AHEAD: dict[str, Any] = {
    "worker": 1,
    "clock_ahead_ms": 3200.0,
    "clock_uncertainty_ms": 0.2,
    "clock_moved_ms": 0.0,
    "clock_track": [[ZERO_NS, 3200 * MS], [ZERO_NS + 9 * S, 3200 * MS]],
}


def two_workers(path: Path) -> Path:
    """Two workers of 100 requests each at the same times; the second one's clock is 3.2 s ahead."""
    rows = [ollama(n, at_ms=10 * n) for n in range(100)]
    rows += [ollama(n, at_ms=10 * n + 3200, identity=identity(n, worker=1)) for n in range(100)]
    rows = [replace(row, scheduled_ns=(row.sent_ns or 0) - MS) for row in rows]
    run = {"format": 1, "options": {}, "workers": [{"worker": 0, "clock_ahead_ms": 0.0}, AHEAD]}
    return made_folder(path, rows, run)


def test_reports_have_all_times_by_one_clock(tmp_path: Path) -> None:
    run = load.load(two_workers(tmp_path))
    summary = summarise(run)
    assert summary["window"]["first_sent_unix_ns"] == ZERO_NS
    assert summary["window"]["window_s"] == pytest.approx(1.215)
    assert summary["open_loop"]["span_s"] == pytest.approx(0.99)
    first, second = (run.frame[run.frame["worker"] == worker] for worker in (0, 1))
    for name in ("scheduled_unix_ns", "sent_unix_ns", "ended_unix_ns"):
        assert first[name].tolist() == second[name].tolist()
    assert summary["overall"]["metrics"]["e2e_ms"]["p50"] == pytest.approx(225)
    # Over time there is twice what one of the two did.
    alone = load.load(made_folder(tmp_path / "alone", [ollama(n, at_ms=10 * n) for n in range(100)], None))
    both, one = throughput.plot(run.frame, summary), throughput.plot(alone.frame, summarise(alone))
    assert both
    assert one
    for together, single in zip(both.figures[0].data, one.figures[0].data, strict=True):
        assert together.x == pytest.approx(single.x)
        assert together.y == pytest.approx(2 * single.y, abs=0.01)


def test_arrivals_without_a_row_are_told_by_one_clock(tmp_path: Path) -> None:
    """The last second's are not missed, and by its own clock the other worker's last second is 3.2 s later."""
    rows = []
    for number in range(530):  # of the last second, only one of the two has any
        worker = number % 2 if number < 460 else 0
        who = replace(identity(number, worker=worker), arrival=number if number < 460 else 2 * number - 460)
        made = ollama(number, at_ms=5 * (who.arrival or 0) + 3200 * worker, identity=who)
        rows.append(replace(made, scheduled_ns=made.sent_ns))
    path = made_folder(tmp_path, rows) / "requests.csv"
    assert gather(path).offered.unsent > 30
    assert gather(path, clocks=tracks([AHEAD])).offered.unsent == 0


def test_goodput_is_over_the_window_by_one_clock(tmp_path: Path) -> None:
    path = two_workers(tmp_path) / "requests.csv"
    slos = [parse("goodput > 100/s")]
    assert judge_file(path, slos)[0].figure == pytest.approx(200 / 4.415, abs=1e-3)
    assert judge_file(path, slos, [AHEAD])[0].figure == pytest.approx(200 / 1.215, abs=1e-3)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"clock_ahead_ms": 49.0, "clock_moved_ms": 5.0}, {}),
        ({"clock_ahead_ms": -51.0}, {"clocks apart": "remark"}),
        ({"clock_ahead_ms": None}, {"clocks unknown": "invalid"}),
        ({"clock_ahead_ms": 1.0, "clock_uncertainty_ms": 11.0}, {"clock uncertainty": "remark"}),
        ({"clock_ahead_ms": 1.0, "clock_uncertainty_ms": 140.0}, {"clock uncertainty": "invalid"}),
        ({"clock_ahead_ms": 1.0, "clock_moved_ms": 100.0}, {"clocks moved": "remark"}),
        ({"clock_ahead_ms": 1.0, "clock_moved_ms": 1500.0}, {"clocks moved": "invalid"}),
    ],
)
def test_findings_about_clocks(changes: dict[str, Any], expected: dict[str, str], tmp_path: Path) -> None:
    """The run is 5.2 s long, of which 5 % at both ends are 130 ms."""
    found = verdict(tmp_path, many(), {"worker": 0, **changes})
    assert {finding["rule"]: finding["level"] for finding in found["findings"]} == expected
