"""Traces: replayed at their own times, and what a run of one has in its rows."""

import itertools
import json
from pathlib import Path

import pytest
from locust_process import folder, headless, processes
from shared_data import beside
from simulator_process import running
from traced import read as read_again
from traced import sharing

from tokenswarm.load.trace import arrivals

PLAIN = "at_s,prompt_tokens,output_tokens\n0.5,100,10\n1.25,200,20\n"

SIM = (
    "--decode-tps",
    "400",  # the last answers end well after the last arrival
    "--slowdown",
    "0",
    "--prefill-tps",
    "200000",
    "--load-ms",
    "1",
    "--output-tokens",
    "2000",
    "--output-cv",
    "0",
    "--parallel",
    "200",
)


def test_the_azure_trace_is_replayed_at_its_own_times_and_lengths(tmp_path: Path) -> None:
    path = beside("data/traces/azure_conv_2023_first1000.csv")
    asked = ("--trace", str(path), "--trace-window", "20s..80s", "--speed", "10", "--max-in-flight", "200")
    with running(*SIM, "--context-length", "16384") as sim:
        done = headless(sim.url, tmp_path, "OllamaChatUser", "--model", "sim", *asked, *processes(2), "--no-report")
    assert done.returncode == 0, done.stderr
    rows = sorted(folder(tmp_path).rows, key=lambda row: int(row["scheduled_unix_ns"]))
    inside = itertools.takewhile(lambda a: a.at_s < 80, arrivals(str(path)))
    expected = [(at_s, prompt) for at_s, prompt in inside if at_s >= 20]
    assert len(rows) == len(expected) > 200
    assert {row["outcome"] for row in rows} == {"ok"}
    first_ns = int(rows[0]["scheduled_unix_ns"])
    for row, (at_s, prompt) in zip(rows, expected, strict=True):
        due_s = (int(row["scheduled_unix_ns"]) - first_ns) / 1e9
        assert due_s == pytest.approx((at_s - expected[0][0]) / 10, abs=2e-9)
        assert prompt.recipe
        assert int(row["prompt_tokens"]) == pytest.approx(
            max(prompt.recipe.tokens.first, 13), abs=2, rel=0.01
        )  # a template is that long
        assert int(row["output_tokens"]) == prompt.max_tokens


def test_a_replayed_trace_finds_its_prefixes_in_the_servers_cache(tmp_path: Path) -> None:
    rows = []
    for number in range(60):
        talk, turn = number % 12, number // 12
        # The same system prompt for all; each talk goes on with what it had before.
        blocks = [0, *(1000 * (talk + 1) + at for at in range(2 * turn + 1)), 100_000 + number]
        tokens = 512 * (len(blocks) - 1) + 100
        rows.append({"timestamp": 3000 * turn, "input_length": tokens, "output_length": 3, "hash_ids": blocks})
    path = tmp_path / "talks.jsonl"
    path.write_text("\n".join(map(json.dumps, rows)))
    known = sharing(read_again(path))
    assert known.tokens > 0.5
    load = ("--trace", str(path), "--speed", "10", "--max-in-flight", "100", *processes(2), "--no-report")
    with running(*SIM, "--context-length", "16384", "--prefill-tps", "1000000") as sim:
        done = headless(sim.url, tmp_path / "runs", "OllamaChatUser", "--model", "sim", *load)
        cached = sim.stats()["cached_prompt_tokens"]
    assert done.returncode == 0, done.stderr
    found = folder(tmp_path / "runs")
    assert len(found.rows) == 60
    # On a busy machine some are not answered yet when the next come, which then share less.
    assert known.tokens - 0.2 < cached / found.total("prompt_tokens") < known.tokens + 0.02


def test_what_comes_all_at_once_at_a_traces_end_leaves_a_row_each(tmp_path: Path) -> None:
    path = tmp_path / "burst.csv"
    path.write_text("at_s,prompt_tokens,output_tokens\n" + "".join(f"{n},300,2\n" for n in range(600)))
    load = ("--trace", str(path), "--speed", "1e9", "--max-in-flight", "50", "--no-report")
    with running(*SIM) as sim:
        headless(sim.url, tmp_path / "runs", "OllamaChatUser", "--model", "sim", *load)
    found = folder(tmp_path / "runs")
    assert {row["arrival"] for row in found.rows} == {str(number) for number in range(600)}
    assert found.outcomes.keys() == {"ok", "dropped"}


def test_bad_input(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text(PLAIN + "0.1,1,1\n")
    with running(*SIM) as sim:
        for options, said in (
            (("--trace", str(tmp_path / "t.csv")), "--trace "),
            (("--speed", "2x"), "--speed is for a trace"),
            (("--trace", str(tmp_path / "t.csv"), "--arrivals", "5/s"), "give one of them"),
        ):
            done = headless(sim.url, tmp_path / "runs", "--model", "sim", *options)
            assert (done.returncode, said in done.stderr) == (2, True), done.stderr
        assert sim.stats()["complete"] == 0
