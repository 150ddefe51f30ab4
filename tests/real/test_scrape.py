"""llama.cpp's own /metrics, scraped during a load on the real model (`make test-real`): its tokens are ours."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "support"))

from locust_process import folder, headless

from demo import server


@pytest.fixture(scope="module")
def llama() -> Iterator[str]:
    pytest.importorskip("xllamacpp", reason="the real engine is not installed: make test-real installs it")
    with server("llama", ["--parallel", "4", "--threads", "1"]) as url:
        yield url


def test_what_the_server_counts_is_what_we_count(llama: str, tmp_path: Path) -> None:
    load = ("OpenAIChatUser", "--users", "5", "--spawn-rate", "5", "--run-time", "2s", "--stop-timeout", "60")
    load += ("--max-tokens", "8", "--unique-prompts")
    done = headless(llama, tmp_path, *load, "--scrape", f"{llama}/metrics", "--sample-every", "1s", "--idle-time", "0s")
    assert done.returncode == 0, done.stderr
    run = folder(tmp_path)
    assert set(run.outcomes) == {"ok"}
    found = run.summary()["server"]
    (source,) = (one for one in found["sources"] if one["source"] == f"{llama}/metrics")
    assert source["unanswered"] == 0
    counted = {one["name"]: one for one in found["counters"]}
    tokens = counted["output_tokens"]
    assert tokens["grown"] == tokens["ours"] == run.total("output_tokens") > 0
    read = sum(int(row["prompt_tokens"]) - int(row["cached_tokens"]) for row in run.rows)
    assert counted["prompt_tokens"]["grown"] == read
    series = {one["name"]: one for one in found["series"]}
    assert series["running"]["max"] == 4  # its slots, of five users
    assert series["waiting"]["max"] <= 1
    said = f"{source['looks']} looks, {tokens['grown']:.0f} output and {read} prompt tokens by both"
    print(f"{said}, {series['running']['mean']:.2f} running, {series['waiting']['mean']:.2f} waiting")
