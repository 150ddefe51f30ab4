"""The table of comparisons of real runs: who is compared with whom, and what counts as found."""

from pathlib import Path

import compared_runs

from bench.ab_runs import PAGE, Measured, text
from tokenswarm.reports.load import load

BUSY = {"validity": {"verdict": "INVALID", "findings": []}}


def test_all_pairs_and_all_ways_of_five_against_five(tmp_path: Path) -> None:
    same = [load(compared_runs.run(tmp_path / f"a{n}", n, {} if n else BUSY, n=120)) for n in range(6)]
    slower = [load(compared_runs.run(tmp_path / f"b{n}", 10 + n, n=120, slower=0.2)) for n in range(3)]
    table, _, note = text({"the same": Measured(same, slower)}, side=3).partition("\n\n")
    cells = [[cell.strip() for cell in line.split("|")[1:-1]] for line in table.splitlines()[2:]]
    assert [row[:5] for row in cells] == [
        ["one server", "the same", "VALID", "1", "10"],
        ["one server", "the same", "some INVALID", "1", "5"],
        ["one server", "the same", "some INVALID", "3", "10"],
        ["5 % slower", "the same", "VALID", "1", "15"],
        ["5 % slower", "the same", "some INVALID", "1", "3"],
        ["5 % slower", "the same", "VALID", "3", "10"],
        ["5 % slower", "the same", "some INVALID", "3", "10"],
    ]
    alarms, found = cells[2][5:7], cells[5][5:7]
    assert alarms == ["0.0 %", "0.0 / 0.0"]
    assert found == ["100.0 %", "100.0 / 0.0"]
    assert note.startswith("9 runs of 120 to 120 requests; INVALID (1 of them)")
    for page in (PAGE, PAGE.with_suffix(".zh-CN.md")):
        assert "<!-- real runs:" in page.read_text(encoding="utf-8")
