"""Shapes of load from the web form: what is wrong sends nothing, and one run leaves nothing to the next."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from locust_process import processes
from simulator_process import Simulator, running
from web_form import start, wait_for_runs
from web_run import web


@pytest.fixture(scope="module")
def simulator() -> Iterator[Simulator]:
    with running("--load-ms", "0", "--decode-tps", "200", "--parallel", "32", "--slowdown", "0") as started:
        yield started


WRONG = {
    "stages": ("2x3s, 4y2s", "--stages: 2x3s,▸ 4y2s◂: is no stage"),
    "arrivals": ("poisson 5", "--arrivals: poisson ▸5◂: is no rate"),
    "slo": ("outcome ok > 9%; ttft_ms p95 << 3", "--slo: ttft_ms p95 ▸<<◂ 3: << is no comparison"),
    "trace": ("nowhere.csv", "--trace ▸nowhere.csv◂: here it can be what Locust was started with"),
    "speed": ("fast", "--speed: ▸fast◂ is no number"),
    "trace_window": ("1m..2m", "--trace-window is for a trace"),
}


def test_each_shape_of_load_from_the_form(simulator: Simulator, tmp_path: Path) -> None:
    runs, trace = tmp_path / "runs", tmp_path / "trace.csv"
    trace.write_text("at_s,prompt_tokens,output_tokens\n" + "".join(f"{n / 10},20,4\n" for n in range(20)))
    with web(simulator, runs, "--no-report", "--files", str(tmp_path), *processes(2)) as url:
        for name, (value, words) in WRONG.items():
            assert words in start(url, model="sim", **{name: value})["message"]
        assert "--run-time and --stages" in start(url, model="sim", stages="2x3s")["message"]
        assert not list(runs.glob("*"))
        loads = (
            {"stages": "2x2s, 3x1s", "run_time": "", "user_count": "9", "slo": "outcome ok > 1%; ttft_ms p50 > 9s"},
            # All clients are there at once, though the form's spawn rate says otherwise: else 20 s would pass first.
            {"arrivals": "constant 10/s", "user_count": "40", "spawn_rate": "2", "run_time": "2s"},
            {"trace": str(trace), "user_count": "10", "run_time": "", "speed": "2x"},
            {},
        )
        for number, fields in enumerate(loads, start=1):
            assert start(url, model="sim", **fields)["success"]
            wait_for_runs(runs, number, url)
    told = [json.loads((path / "run.json").read_text()) for path in sorted(runs.iterdir())]
    rows = [(path / "requests.csv").read_text().splitlines() for path in sorted(runs.iterdir())]
    staged, arrivals, _, plain = told
    assert [stage["users"] for stage in staged["stages"]] == [2, 3]
    assert staged["options"]["num_users"] is None
    assert "SLO ttft_ms p50 > 9s: crossed" in (tmp_path / "locust.log").read_text()
    assert (arrivals["stages"], arrivals["options"]["arrivals"], len(rows[1]) > 6) == ([], "constant 10/s", True)
    assert len(rows[2]) == 21
    assert told[2]["options"]["speed"] == 2
    assert (plain["options"]["trace"], plain["options"]["slo"], plain["stages"]) == ("", "", [])
    stage = rows[0][0].split(",").index("stage")
    assert {row.split(",")[stage] for row in rows[0][1:]} == {"1", "2"}
    assert {row.split(",")[stage] for row in rows[3][1:]} == {""}
