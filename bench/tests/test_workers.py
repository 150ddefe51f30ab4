"""What workers cost their master, and two beside one: the sums, and made-up workers against a real master."""

from dataclasses import replace
from pathlib import Path

import pytest
from locust_process import folder

from bench import master_cost, two_workers
from bench.noise import Stalls
from bench.truth import serving


def cost(workers: int, per_s: float, **changes: object) -> master_cost.Point:
    """On the line of 1 % of a core at rest, 0.1 % a worker, 2 µs a row; 60 MiB, 0.5 a worker, 10 a million rows."""
    rows = (round(4 * per_s), round(14 * per_s))
    mib = tuple(60 + 0.5 * workers + 10 * n / 1e6 for n in rows)
    made = master_cost.Point(
        workers=workers,
        rows_per_s=per_s,
        asked_per_s=per_s,
        cpu=0.01 + 0.001 * workers + 2e-6 * per_s,
        mib=(mib[0], mib[1]),
        rows=rows,
        answer_ms=(1.0, 2.0, 3.0),
        behind_s=0.5,
        lean_cpu=0.1,
        closing_cpu_s=1.0,
        closing_s=2.0,
        row_bytes=600.0,
        stall_ms_p99=0.1,
    )
    return replace(made, **changes)  # type: ignore[arg-type]


def test_the_line_through_a_masters_costs_and_what_it_says_of_a_hundred_workers() -> None:
    points = [cost(workers, workers * each) for workers in (2, 8, 32) for each in (100, 1000)]
    cpu, memory = master_cost.line(points)
    assert cpu == pytest.approx([0.01, 0.001, 2e-6])
    assert memory == pytest.approx([60, 0.5, 1e-5])
    said = master_cost.text(points)
    assert "100 workers of 100 rows/s each would take 13 % of a core, and 170 MiB after 10 minutes" in said
    late = cost(32, 32_000, rows_per_s=20_000, behind_s=9.0)
    assert "Saturated: 32,000 rows/s from 32 workers, of which 20,000 were written." in master_cost.text(
        [*points[:-1], late]
    )


def test_made_up_workers_hand_a_real_master_every_row_that_they_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(master_cost, "SETTLE_S", 0.5)
    monkeypatch.setattr(master_cost, "SAMPLE_S", 1.5)
    monkeypatch.setattr(master_cost.tempfile, "TemporaryDirectory", lambda: Kept(tmp_path))
    with serving("--step-ms", "0") as url:
        found = master_cost.measure(url, 2, 100, master_cost.real_rows(tmp_path / "real", seconds=2), Stalls())
    run = folder(tmp_path / "kept" / "runs")
    assert found.rows_per_s > 0
    assert not run.rules() & {"workers", "lost rows"}
    assert len(run.identities()) == len(run.rows) == sum(worker["requests"] for worker in run.run["workers"])


class Kept:
    """A temporary folder that stays."""

    def __init__(self, path: Path) -> None:
        self._path = path / "kept"

    def __enter__(self) -> str:
        self._path.mkdir()
        return str(self._path)

    def __exit__(self, *_: object) -> None:
        """It stays."""


def run(turn: int, workers: int, streams: int, tokens_per_s: float, **changes: object) -> two_workers.Point:
    good = two_workers.Point(turn, workers, streams, tokens_per_s, "VALID", (), 0.1, 0.1, 20.0, 9.0, 0.3, 0.2)
    return replace(good, **changes)  # type: ignore[arg-type]


def test_two_workers_count_by_the_most_that_may_be_believed() -> None:
    points = [
        run(0, 1, 200, 10_000),
        run(0, 1, 300, 14_000, verdict="INVALID"),
        run(0, 2, 200, 19_000, worker_us=25.0),
        run(0, 2, 300, 27_000, gap_error_ms=2.0),  # called VALID, but the truth does not agree
    ]
    assert (two_workers.best(points, 0, 1), two_workers.best(points, 0, 2)) == (10_000, 19_000)
    said = two_workers.text(points)
    assert "10,000 tokens/s with one worker, 19,000 with two." in said
    assert "two workers read 1.90 to 1.93 × the tokens/s of one" in said
