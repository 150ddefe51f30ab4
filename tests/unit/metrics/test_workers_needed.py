"""A run that was too much for its client says how many workers, or machines, it needs: by the published curve."""

import re
from pathlib import Path
from typing import Any

import pytest

from tokenswarm.metrics.validity.evidence import Evidence
from tokenswarm.metrics.validity.workers_needed import CHUNKS_PER_S, STREAMS, advice, workers_needed

CURVE = Path(__file__).parents[3] / "docs/accuracy.md"


def seen(streams: int, chunks_per_s: int, seconds: int = 10) -> Evidence:
    found = Evidence(e2e_sum_ms=1e3 * streams * seconds, chunks=chunks_per_s * seconds)
    found.window.add({"worker": 0, "sent_unix_ns": 1, "ended_unix_ns": 1 + seconds * 1_000_000_000})
    return found


def workers(number: int, cpu_percent: float = 50.0, cpus: int = 8, hosts: int = 1) -> list[dict[str, Any]]:
    return [{"host": f"h{n % hosts}", "cpus": cpus, "cpu_percent_mean": cpu_percent} for n in range(number)]


@pytest.mark.parametrize(
    ("rows", "had", "n"),
    [
        (seen(2500, 20_000), workers(1), 3),  # streams
        (seen(600, 190_000), workers(2), 4),  # chunks a second
        (seen(600, 30_000), workers(2, cpu_percent=99.0), 3),  # on a machine slower than the curve's
    ],
)
def test_how_many_workers_a_load_needs(rows: Evidence, had: list[dict[str, Any]], n: int) -> None:
    assert workers_needed(rows, had) == n
    assert advice(rows, had) == f"; this load needs {n} workers (--processes {n})"


def test_a_load_that_its_workers_bear_is_not_told_that_it_needs_more() -> None:
    assert "what else kept this one busy" in advice(seen(8, 300), workers(1, cpu_percent=5.0))


def test_more_than_a_machine_has_are_several_machines() -> None:
    assert advice(seen(4500, 10_000), workers(1, cpus=2)) == "; this load needs 5 workers, on 3 machines of 2 cores"
    assert advice(seen(4500, 10_000), workers(2, hosts=2)) == "; this load needs 5 workers"


def test_a_run_that_says_nothing_of_its_workers_or_its_length_is_told_no_wrong_number() -> None:
    assert advice(seen(4500, 10_000), []) == ""
    assert advice(Evidence(), [{}]) == ""


def test_a_worker_bears_no_more_than_the_published_curve_shows() -> None:
    """The points of one worker without TLS, its users spread over time, that call themselves valid."""
    text = CURVE.read_text()
    (section,) = re.findall(r"### Plain, 1 worker\n(.*?)\n###", text, re.DOTALL)
    valid = [
        (int(cells[0].replace(",", "")), float(step_ms))
        for step_ms, table in re.findall(r"([\d.]+) ms a token:\n\n((?:\|.*\n)+)", section)
        for cells in ([cell.strip() for cell in row.strip("|").split("|")] for row in table.splitlines()[2:])
        if cells[-1] == "valid"
    ]
    assert len(valid) > 10
    assert max(streams for streams, _ in valid) >= STREAMS
    assert max(streams * 1000 / step_ms for streams, step_ms in valid) >= CHUNKS_PER_S
