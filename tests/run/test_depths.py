"""`--depths` on the simulator: what it is asked, what it had cached, what report and card say."""

from pathlib import Path

import pytest
from locust_process import folder, headless
from simulator_process import running

from tokenswarm.reports.__main__ import main

SERVER = ("--models", "sim", "--load-ms", "1", "--prefill-tps", "20000", "--decode-tps", "400", "--version", "0.34.0")
LOAD = (
    "OllamaChatUser",
    "--depths",
    "0,1000,2000",
    "--prompt-tokens",
    "200",
    "--max-tokens",
    "20",
    "--requests",
    "12",
    "--model",
    "sim",
)


def test_each_context_is_new_and_then_kept(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with running(*SERVER, "--output-tokens", "999", "--output-cv", "0") as simulator:
        done = headless(simulator.url, tmp_path, *LOAD, "--users", "1")
    assert done.returncode == 0, done.stderr
    run = folder(tmp_path)
    assert [row["prompt_id"] for row in run.rows] == [
        f"d{depth} {what}" for _ in range(2) for depth in (0, 1000, 2000) for what in ("context", "prefill")
    ]
    for row in run.rows:
        depth, what = int(row["prompt_id"][1:].split()[0]), row["prompt_id"].split()[1]
        prompt, cached = int(row["prompt_tokens"]), int(row["cached_tokens"])
        if what == "context":
            assert abs(prompt - depth) <= 2 or not depth
            assert cached < 32  # the template alone
            assert int(row["output_tokens"]) == 20
        else:
            assert abs(prompt - depth - 200) <= 2
            assert depth - 40 <= cached <= depth + 20  # whole blocks of it, of 16 or so
    tests = [f"{test}{at}" for at in ("", " @ d1000", " @ d2000") for test in ("pp200", "tg20")]
    found = {entry["test"]: entry for entry in run.summary()["depths"]}
    assert {*tests, "pp1000", "pp2000"} == {*found}
    assert all(entry["per_s"]["n"] == 2 and not entry["left_out"] for entry in found.values())
    said = (run.path / "report.md").read_text()
    assert "By depth of the context" in said
    assert "pp200 @ d2000" in done.stderr + done.stdout
    assert main(["card", str(run.path)]) == 0
    assert "pp200 @ d2000" in capsys.readouterr().out


def test_a_server_that_keeps_nothing_has_no_prefill_behind_a_context(tmp_path: Path) -> None:
    with running(*SERVER, "--no-prompt-cache") as simulator:
        done = headless(simulator.url, tmp_path, *LOAD, "--users", "1")
    assert done.returncode == 0, done.stderr
    found = {entry["test"]: entry for entry in folder(tmp_path).summary()["depths"]}
    assert found["pp200 @ d2000"]["per_s"]["n"] == 0
    assert found["pp200 @ d2000"]["left_out"] == 2
    assert found["tg20 @ d2000"]["per_s"]["n"] == found["pp2000"]["per_s"]["n"] == 2
    assert (
        "pp200 @ d2000: 2 requests left out"
        in done.stderr + done.stdout + (folder(tmp_path).path / "report.md").read_text()
    )
