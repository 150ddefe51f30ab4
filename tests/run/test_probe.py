"""`python -m tokenswarm.probe` on simulators whose settings are known, and what it says where it cannot work."""

import json
import re
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from forked import forked
from locust_process import ROOT, environment
from scripted import request, serving, whole
from simulator_process import Simulator, running

from tokenswarm.probe.__main__ import store
from tokenswarm.probe.result import LABELS


def probe(url: str, *options: str) -> subprocess.CompletedProcess[str]:
    full = forked([sys.executable, "-m", "tokenswarm.probe", "--host", url, *options])
    return subprocess.run(full, cwd=ROOT, env=environment(), capture_output=True, text=True, timeout=180, check=False)


def values(done: subprocess.CompletedProcess[str]) -> dict[str, Any]:
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert set(found["figures"]) == set(LABELS)
    return {name: figure["value"] for name, figure in found["figures"].items()}


# What a busy machine cannot change. Exact figures: tests/unit/probe/test_questions.py.
def test_all_of_an_ollama() -> None:
    server = ("--parallel", "3", "--max-queue", "5", "--decode-tps", "200", "--prefill-tps", "2000", "--load-ms", "400")
    with running(*server) as simulator:
        found = values(
            probe(simulator.url, "--model", "sim", "--json", "--intrusive", "--max-burst", "40", "--max-parallel", "8")
        )
    assert 1 <= found["slots"] <= 3  # what ran at once there is room for
    assert found["waiting_limit"] is None or 0 < found["waiting_limit"] <= 40
    assert found["load_queue_limit"] in (None, 5)
    assert 0 < found["decode_tokens_per_s"] < 250
    assert found["prefill_tokens_per_s"] > 0
    assert (found["prompt_cache"] in (True, None), found["context_tokens"]) == (True, 4096)
    assert found["cold_load_ms"] > 390
    assert 0 < found["warm_load_ms"] < 390


def test_an_openai_server_that_lets_few_wait() -> None:
    server = ("--openai-only", "--parallel", "2", "--max-waiting", "1", "--decode-tps", "300", "--no-prompt-cache")
    with running(*server) as simulator:
        found = values(probe(simulator.url, "--model", "sim:latest", "--json"))
    # Not intrusive: four were sent together to find the slots, and one of them was refused.
    assert 1 <= found["slots"] <= 2
    assert found["waiting_limit"] in (None, 1, 2)
    assert found["decode_tokens_per_s"] > 0
    assert (found["cold_load_ms"], found["context_tokens"], found["load_queue_limit"]) == (None, None, None)


def test_the_table_stores_and_does_not_unload(tmp_path: Path) -> None:
    (tmp_path / "run.json").write_text('{"format": 1, "state": "complete", "kept": "ü"}', encoding="utf-8")
    server = ("--parallel", "4", "--decode-tps", "300", "--prefill-tps", "20000", "--load-ms", "300")
    with running(*server, "--version", "0.33.3") as simulator:
        done = probe(simulator.url, "--model", "sim", "--max-parallel", "4", "--into", str(tmp_path))
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert len([line for line in lines if line.startswith(tuple(LABELS.values()))]) == len(LABELS)
    (slots,) = (line for line in lines if line.startswith("parallel slots"))
    assert "≥ 4 requests" in slots
    (cold,) = (line for line in lines if line.startswith("load, model not in memory"))
    assert "load_duration of the first request" in cold
    (cached,) = (line for line in lines if line.startswith("prompts cached"))
    assert "says the server" in cached
    assert lines[-1].startswith("It took ")
    run = json.loads((tmp_path / "run.json").read_text(encoding="utf-8"))
    assert (run["kept"], run["probe"]["figures"]["slots"]["at_least"]) == ("ü", True)


@pytest.fixture(scope="module")
def simulator() -> Any:
    with running("--load-ms", "0") as started:
        yield started


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--model", "smi"], "has no model 'smi' (did you mean 'sim'?)"),
        (["--model", "fault-500"], "fault-500 does not answer a short request (HTTP 500"),
        (["--max-parallel", "none"], "argument --max-parallel: ▸none◂ is no number; give a whole number, 1 or more"),
        (
            ["--model", "sim", "--into", "nowhere"],
            "--into nowhere: run.json cannot be read (No such file or directory)",
        ),
        (["--xyzzy"], "unrecognized arguments: --xyzzy"),
        (["--host", "ftp://x"], "'ftp' is no scheme for an LLM server"),
    ],
)
def test_one_clear_line(options: list[str], words: str, simulator: Simulator) -> None:
    done = probe(simulator.url, *options)
    (line,) = done.stderr.strip().splitlines()
    assert words in line
    assert (done.returncode, done.stdout) == (2, "")


def test_no_server() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        done = probe(f"http://127.0.0.1:{free.getsockname()[1]}", "--model", "sim")
    (line,) = done.stderr.strip().splitlines()
    assert "no server answers at" in line
    assert done.returncode == 2


def test_a_run_that_goes_on_is_not_written_into(tmp_path: Path) -> None:
    (tmp_path / "run.json").write_text('{"state": "running"}')
    done = probe("http://127.0.0.1:1", "--into", str(tmp_path))
    assert "this run has not ended; probe when it has" in done.stderr
    assert done.returncode == 2


def test_every_option_is_in_its_page() -> None:
    page = (ROOT / "docs" / "probe.md").read_text(encoding="utf-8")
    names = re.findall(r"^ +(?:-\w[ \w]*, )?(--(?!help)[a-z-]+)", probe("", "--help").stdout, re.MULTILINE)
    assert len(names) > 12
    for name in names:
        assert f"`{name}`" in page, name


def test_what_the_model_is_loaded_with_is_sent_and_nothing_else() -> None:
    asked: list[dict[str, Any]] = []

    def script(sock: socket.socket) -> None:
        while data := request(sock):
            path, body = data.split(b" ", 2)[1], data.partition(b"\r\n\r\n")[2]
            if path == b"/api/generate":
                asked.append(json.loads(body))
            said = {b"/api/version": b'{"version":"1"}', b"/api/tags": b'{"models":[{"name":"m:latest"}]}'}
            sock.sendall(whole(said.get(path, b"{}"), "200 OK" if path in said else "500 No"))

    with serving(script) as port:
        options = ("--model", "m", "--options", "num_ctx=8192,temperature=0", "--think", "false")
        done = probe(f"http://127.0.0.1:{port}", *options)
    assert "m does not answer a short request (HTTP 500" in done.stderr
    (body,) = asked
    assert (body["model"], body["think"], body["options"]) == ("m", False, {"num_ctx": 8192, "num_predict": 8})


def test_storing_replaces_the_file_whole(tmp_path: Path) -> None:
    path = tmp_path / "run.json"
    path.write_text('{"a": 1}')
    store({"figures": {}}, path)
    assert json.loads(path.read_text()) == {"a": 1, "probe": {"figures": {}}}
    assert list(tmp_path.iterdir()) == [path]
