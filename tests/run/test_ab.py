"""`tokenswarm ab`: runs in turns, and their comparison."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from locust_process import ROOT, environment
from simulator_process import running

from tokenswarm.ab import main, plan

COMMON = ("--model", "sim", "--users", "4", "--spawn-rate", "4", "--run-time", "4s", "OllamaChatUser")
HOSTS = ("--a", "--host http://127.0.0.1:1", "--b", "--host http://127.0.0.1:2")


def test_sides_take_turns_so_that_what_drifts_meets_both() -> None:
    made = plan(["--rounds", "3", *HOSTS, *COMMON])
    assert "".join(side for _, side in made.turns) == "abbaab"
    assert made.sides["a"][-2:] == ["--host", "http://127.0.0.1:1"]
    assert made.sides["b"][-2:] == ["--host", "http://127.0.0.1:2"]


def test_sides_may_differ_in_any_option() -> None:
    sides = ("--a", "--options num_ctx=4096", "--b", "--options num_ctx=8192 --no-stream")
    made = plan([*sides, "--host", "http://127.0.0.1:1", *COMMON, "--fail-on", "tpot_ms mean +5%"])
    assert made.rounds == 5
    assert made.sides["b"][-3:] == ["--options", "num_ctx=8192", "--no-stream"]
    assert made.compare == ("--fail-on", "tpot_ms mean +5%")


BAD = {
    "give both sides": ["--a", "", *COMMON],
    "--run-time": [*HOSTS, "--model", "sim"],
    "B: which server?": ["--a", "--host http://127.0.0.1:1", "--b", "", *COMMON],
    "no option ▸--nonsense◂": [*HOSTS[:-1], "--nonsense --host http://127.0.0.1:2", *COMMON],
    "is too small or too large": ["--rounds", "1", *HOSTS, *COMMON],
    "No closing quotation": [*HOSTS[:-1], "--name 'x", *COMMON],
    "--find-capacity is nothing for runs in turns": [*HOSTS, *COMMON, "--find-capacity"],
    "compare runs of yours": [*HOSTS, *COMMON, "-f", "own.py"],
    "name it once": [*HOSTS[:-1], "--host http://127.0.0.1:2 --run-dir elsewhere", *COMMON],
    "--max-tokens": [*HOSTS, *COMMON, "--max-tokens", "many"],
    "no-such-file.jsonl": [*HOSTS, *COMMON, "--payloads", "no-such-file.jsonl"],
}


@pytest.mark.parametrize("said", BAD)
def test_a_mistake_is_one_line_before_any_load(
    said: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("OLLAMA_HOST", raising=False)
    assert main(BAD[said]) == 2
    error = capsys.readouterr().err
    assert error.startswith("tokenswarm: error: ")
    assert error.count("\n") == 1
    assert said in error


def test_two_servers_are_loaded_in_turns_and_compared(tmp_path: Path) -> None:
    with running("--load-ms", "0", "--decode-tps", "50") as one, running("--load-ms", "0", "--decode-tps", "40") as two:
        sides = ("--a", f"--host {one.url}", "--b", f"--host {two.url}")
        command = [sys.executable, "-m", "tokenswarm.ab", "--rounds", "2", *sides, *COMMON, "--max-tokens", "20"]
        done = subprocess.run(
            [*command, "--run-dir", str(tmp_path)],
            cwd=ROOT,
            env=environment(PYTHONPATH=str(ROOT)),
            capture_output=True,
            text=True,
            check=False,
            timeout=180,
        )
    assert done.returncode in (0, 3), done.stderr  # beside other tests a run may be INVALID
    order = [path.name.rpartition("-")[2] for path in sorted(tmp_path.glob("*-ab-*"))]
    assert order == ["a1", "b1", "b2", "a2"]
    (path,) = tmp_path.glob("*-ab-b2/compare-with-*.json")
    found = json.loads(path.read_text())
    tpot = found["figures"][0]
    assert (tpot["metric"], tpot["n_a"], tpot["n_b"]) == ("tpot_ms", 2, 2)
    assert tpot["b"] > 1.1 * tpot["a"]
    assert "round 2 of 2, A" in done.stderr
    assert done.stdout.count("\n") < 40
