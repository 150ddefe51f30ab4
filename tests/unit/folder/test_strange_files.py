"""Files of a run folder that are something else, and what is of no use in run.json: one line each."""

import gzip
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from golden.make import RUN, folder, ollama

from tokenswarm.reports.__main__ import main
from tokenswarm.reports.load import load

N = 20
VALID = {**RUN, "validity": {"verdict": "VALID", "findings": []}, "workers": [{"worker": 0, "loop_lag_ms_p99": 0.4}]}


def healthy(path: Path) -> Path:
    return folder(path, [ollama(n, at_ms=100 * n) for n in range(N)], VALID)


HEADS: dict[str, tuple[Callable[[bytes], bytes], str]] = {
    "compressed": (gzip.compress, "is compressed; unpack it first"),
    "CR": (lambda text: text.replace(b"\n", b"\r"), "its lines end by CR alone"),
    "a column twice": (lambda text: text.replace(b",ttfa_ms,", b",ttft_ms,", 1), "has the column ttft_ms twice"),
}


@pytest.mark.parametrize("name", HEADS)
def test_a_file_that_is_something_else_is_one_line(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = healthy(tmp_path) / "requests.csv"
    change, said = HEADS[name]
    file.write_bytes(change(file.read_bytes()))
    assert main([str(tmp_path)]) == 2
    error = capsys.readouterr().err
    assert said in error
    assert error.count("\n") == 1


def test_a_mark_of_byte_order_before_run_json_is_no_harm(tmp_path: Path) -> None:
    path = healthy(tmp_path) / "run.json"
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
    assert load(tmp_path).info["validity"]["verdict"] == "VALID"


ODD = [
    ("rows", "many", 'run.json, rows: "many" is no whole number'),
    ("workers", 5, "run.json, workers: 5 is no list"),
    ("workers", [{"worker": 0, "clock_track": [[1, 2], "x"]}], 'run.json, workers 1, clock_track 2: "x" is no pair'),
    ("stages", [{"from_users": 1, "users": [1]}], "run.json, stages 1, users: [1] is no whole number"),
    ("slos", [{"state": "met"}], 'run.json, slos 1: {"state": "met"} is no entry with slo'),
    ("started_unix_s", True, "run.json, started_unix_s: true is no moment"),
    ("validity", {"verdict": "VALID", "findings": [7]}, "run.json, validity, findings 1: 7 is no object"),
    ("capacity", {"trials": [{"load": 1, "seconds": "x"}]}, 'run.json, capacity, trials 1, seconds: "x" is no number'),
    ("attendance", [{"what": {}, "at_unix_s": 1, "worker": 0}], "run.json, attendance 1, what: {} is no text"),
    ("target", "http://box", 'run.json, target: "http://box" is no object'),
]


@pytest.mark.parametrize(("key", "value", "said"), ODD)
def test_what_is_of_no_use_in_run_json_is_one_line_and_left_out(
    key: str, value: Any, said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = healthy(tmp_path)
    (path / "run.json").write_text(json.dumps({**VALID, "rows": N, key: value}))
    assert any(notice.startswith(said) for notice in load(path).notices), load(path).notices
    assert main([str(path)]) == 0
    assert "Traceback" not in "".join(capsys.readouterr())


def test_looks_at_the_memory_that_cannot_be_read_are_none(tmp_path: Path) -> None:
    path = healthy(tmp_path)
    head = "unix_s,took_ms,version,error,model,size_bytes,size_vram_bytes,context_length\n"
    (path / "server.csv").write_text(f"{head}1795433494,1.5,0.40,,sim,1e400,5,1e400\n\0\n")
    assert load(path).looks == ()
