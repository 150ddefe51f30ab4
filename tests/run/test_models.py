"""Several models in one run: what is asked of which."""

from collections import Counter, defaultdict
from pathlib import Path

from gevent.pool import Pool
from locust_process import Run, folder, headless, processes
from simulator_process import running

SIM = ("--models", "a,b,c", "--load-ms", "1", "--decode-tps", "400", "--parallel", "16", "--slowdown", "0")


def shares(run: Run) -> Counter[str]:
    return Counter(row["model"] for row in run.rows)


def test_a_conversation_keeps_its_model_and_every_model_is_warmed_up(tmp_path: Path) -> None:
    load = ("OllamaChatUser", "OpenAIChatUser", "--model", "a:3,b:1", "--payloads", "sessions", "--users", "8")
    load += ("--spawn-rate", "8", "--run-time", "5s", "--max-tokens", "8")
    with running(*SIM) as simulator:
        done = headless(simulator.url, tmp_path, *load, *processes(2))
    assert done.returncode == 0, done.stderr
    run = folder(tmp_path)
    assert run.run["target"]["model"] == "a=3,b=1"
    assert {model: one["outcome"] for model, one in run.run["warmups"].items()} == {"a": "ok", "b": "ok"}
    told = defaultdict(set)
    for row in run.rows:
        if row["session"]:
            told[row["worker"], row["session"]].add(row["model"])
    assert len(told) > 10
    assert {len(asked) for asked in told.values()} == {1}
    assert set(shares(run)) == {"a", "b"}
    assert {(g["endpoint"], g["model"]) for g in run.summary()["groups"]} == {
        (path, model) for path in ("/api/chat", "/v1/chat/completions") for model in "ab"
    }
    assert "output tokens/s of b" in (run.path / "report.html").read_text()


def test_the_draw_is_by_weight_and_the_same_with_the_seed_in_an_open_loop_too(tmp_path: Path) -> None:
    asked = ("OllamaChatUser", "--model", "a=3,b", "--arrivals", "constant 60/s", "--users", "60", "--run-time", "4s")
    with running(*SIM) as simulator:
        asked += ("--prompt-tokens", "40", "--max-tokens", "2", "--no-report", "--stop-timeout", "5")
        ended = Pool(2).map(lambda name: headless(simulator.url, tmp_path / name, *asked), "xy")
    first, second = folder(tmp_path / "x"), folder(tmp_path / "y")
    for run, done in zip((first, second), ended, strict=True):
        assert done.returncode == (1 if run.outcomes["dropped"] else 0), done.stderr  # a busy machine holds no 60/s
    share = shares(first)["a"] / len(first.rows)
    assert len(first.rows) > 120
    assert 0.6 < share < 0.9  # drawn by number: of whatever machine
    asked_at = [{row["sequence"]: row["model"] for row in run.rows} for run in (first, second)]
    assert all(asked_at[0][n] == asked_at[1][n] for n in asked_at[0].keys() & asked_at[1].keys())
    assert all(abs(int(row["prompt_tokens"]) - 40) <= 1 for row in first.rows if row["outcome"] == "ok")
    assert set(first.run["scales"]) == {"a", "b"}
