"""A whole run against one of the cases of tests/support/wire_cases."""

from pathlib import Path

from wire_http import cases, load


def test_a_run_against_a_case_meets_it_on_the_wire(tmp_path: Path) -> None:
    run, _, server = load(cases()["B12-usage-in-choice"], tmp_path)
    good = [row for row in run.rows if row["outcome"] == "ok"]
    assert server.generations >= len(good) > 3
    assert all(row["output_chunks"] == "12" and float(row["e2e_ms"]) > 200 for row in good)
    assert min(float(row["e2e_ms"]) for row in good) < 1000
