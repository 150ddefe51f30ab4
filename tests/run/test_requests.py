"""Exactly what was asked: so many requests, each prompt once, over one worker or two, also with one killed."""

import json
import os
import signal
import subprocess
import time
from collections import Counter
from pathlib import Path

import pytest
from doors import refused
from forked import forked
from locust_process import ROOT, command, environment, folder, free_port, headless, processes
from simulator_process import Simulator, running

from tokenswarm.payloads.large import LARGE_BYTES

FAST = ("--load-ms", "0", "--decode-tps", "2000", "--prefill-tps", "100000", "--parallel", "8", "--slowdown", "0")


def prompts(folder: Path, number: int) -> Path:
    path = folder / "numbers.jsonl"
    path.write_text("".join(json.dumps({"prompt": f"Number {n}?", "max_tokens": 4}) + "\n" for n in range(number)))
    return path


@pytest.mark.parametrize(("number", "workers"), [(300, ()), (300, processes(2)), (30, ())])
def test_each_prompt_is_asked_once_and_the_run_ends(tmp_path: Path, number: int, workers: tuple[str, ...]) -> None:
    path = prompts(tmp_path, number)
    load = ("--payloads", str(path), "--requests", "300", "--each-prompt-once", "-u", "6", "-r", "6", *workers)
    with running(*FAST) as sim:
        done = headless(sim.url, tmp_path / "runs", "OllamaChatUser", "--model", "sim", *load, "--no-report")
    assert done.returncode == 0, done.stderr
    found = folder(tmp_path / "runs")
    assert sorted(row["prompt_id"] for row in found.rows) == sorted(f"numbers:{n + 1}" for n in range(number))
    assert found.outcomes == {"ok": number}
    if not workers:
        begun = sorted(found.rows, key=lambda row: int(row["sequence"]))
        assert [row["prompt_id"] for row in begun] == [f"numbers:{n + 1}" for n in range(number)]


@pytest.mark.parametrize("how", [("-u", "5"), ("--arrivals", "200/s", "-u", "30")])
@pytest.mark.parametrize("workers", [(), processes(2)])
def test_a_run_ends_after_so_many_requests(tmp_path: Path, how: tuple[str, ...], workers: tuple[str, ...]) -> None:
    load = ("--requests", "120", *how, "-r", "5", *workers, "--no-report")
    with running(*FAST) as sim:
        done = headless(sim.url, tmp_path, "OllamaChatUser", "--model", "sim", "--max-tokens", "4", *load)
        answered = sim.stats()["complete"]
    found = folder(tmp_path)
    assert done.returncode == (1 if found.outcomes["dropped"] else 0), done.stderr  # a busy machine holds no 200/s
    assert len(found.rows) == 120
    assert answered - found.outcomes["ok"] in (0, 1)  # the warm-up
    assert found.outcomes.keys() <= {"ok", "dropped"}


def test_a_conversation_is_asked_to_its_end(tmp_path: Path) -> None:
    path = tmp_path / "talks.jsonl"
    talk = {"prompt": "One?", "then": [{"text": "Two?", "delay_s": 0.2}, "Three?"], "max_tokens": 3}
    path.write_text("".join(json.dumps({**talk, "id": f"t{n}"}) + "\n" for n in range(7)))
    load = ("--payloads", str(path), "--each-prompt-once", "--shuffle-prompts", "-u", "3", "-r", "3", "--no-report")
    with running(*FAST) as sim:
        done = headless(sim.url, tmp_path / "runs", "OllamaChatUser", "--model", "sim", *load)
    assert done.returncode == 0, done.stderr
    rows = folder(tmp_path / "runs").rows
    assert Counter(row["prompt_id"] for row in rows) == {f"t{n}": 3 for n in range(7)}
    first = [row["prompt_id"] for row in sorted(rows, key=lambda row: int(row["sent_unix_ns"])) if row["turn"] == "1"]
    assert first != sorted(first)


def test_what_a_killed_worker_had_left_is_asked_by_the_others(tmp_path: Path) -> None:
    port = str(free_port())
    load = ("--model", "sim", "--payloads", str(prompts(tmp_path, 500)), "--requests", "500", "--each-prompt-once")
    load += ("--no-report",)
    master = ("--master", "--headless", "--expect-workers", "2", "--master-bind-host", "127.0.0.1", *load, "-u", "8")
    slow = ("--load-ms", "0", "--decode-tps", "200", "--parallel", "8", "--slowdown", "0")
    with running(*slow) as sim:
        started = [
            _started(sim, tmp_path / str(n), *what)
            for n, what in enumerate(
                (
                    ("OllamaChatUser", *master, "-r", "8", "--master-bind-port", port),
                    ("OllamaChatUser", "--worker", "--master-port", port),
                    ("OllamaChatUser", "--worker", "--master-port", port),
                )
            )
        ]
        try:
            _wait_for(lambda: sim.stats()["complete"] > 200)
            os.kill(started[1].pid, signal.SIGKILL)
            _, said = started[0].communicate(timeout=120)
        finally:
            for one in started:
                one.kill()
                one.wait()
    found = folder(tmp_path / "0")
    assert Counter(row["prompt_id"] for row in found.rows) == {f"numbers:{n + 1}": 1 for n in range(500)}, said
    assert len({row["worker"] for row in found.rows}) == 2


def _started(sim: Simulator, run_dir: Path, *options: str) -> "subprocess.Popen[str]":
    run_dir.mkdir()
    line = forked(command(sim.url, run_dir, *options))  # killed with the one that is started here
    with (run_dir.parent / f"{run_dir.name}.log").open("w") as log:
        return subprocess.Popen(
            line,
            cwd=ROOT,
            env=environment(),
            text=True,
            stdout=log,
            stderr=subprocess.PIPE if "--master" in line else log,
        )


def _wait_for(true: object) -> None:
    until_s = time.monotonic() + 60
    while not true():  # type: ignore[operator]
        assert time.monotonic() < until_s
        time.sleep(0.1)


def test_bad_input(tmp_path: Path) -> None:
    with running(*FAST) as sim:
        for options, said in (
            (("--each-prompt-once", "--arrivals", "5/s"), "--each-prompt-once is for a closed loop"),
            (("--each-prompt-once", "--prompt-tokens", "64"), "--each-prompt-once and --prompt-tokens"),
            (
                ("--requests", "9", "--find-capacity", "--slo", "ttft_ms p50 < 9000"),
                "leave --requests and the like out",
            ),
        ):
            given = ("--host", sim.url, "--run-dir", str(tmp_path), "--model", "sim", *options)
            assert said in refused("OllamaChatUser", *given)
        assert sim.stats()["complete"] == 0


def test_a_file_too_large_for_memory_is_asked_by_two_workers(tmp_path: Path) -> None:
    path = tmp_path / "talks.json"
    talks = [
        {"id": f"c{n}", "conversations": [{"from": "human", "value": f"{n}? " + "word " * 400}]} for n in range(3000)
    ]
    path.write_text(json.dumps(talks))
    assert path.stat().st_size > LARGE_BYTES
    load = ("--payloads", str(path), "--each-prompt-once", "--requests", "150", "--max-tokens", "4", *processes(2))
    with running(*FAST) as sim:
        done = headless(sim.url, tmp_path / "runs", "OllamaChatUser", "--model", "sim", *load, "-u", "6", "--no-report")
    assert done.returncode == 0, done.stderr
    found = folder(tmp_path / "runs")
    assert sorted(row["prompt_id"] for row in found.rows) == sorted(f"c{n}" for n in range(150))
    assert "other payloads" not in found.rules()
