"""The calls of docs/api.md that generate nothing: driven through Locust, and asked for wrongly."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from locust_process import folder, headless
from simulator_process import Simulator, running

from docs.generate.api_calls import CALLS, LIFE, CallRow


@pytest.fixture(scope="module")
def simulator() -> Iterator[Simulator]:
    with running("--load-ms", "0", "--models", "sim", "--registry") as started:
        yield started


def test_every_call_is_driven_through_locust(simulator: Simulator, tmp_path: Path) -> None:
    load = ("OllamaLifecycleUser", "--model", "sim", "--users", "1", "--run-time", "3s", "--stop-timeout", "9")
    done = headless(simulator.url, tmp_path, *load, "--pull", "reg-a", "--push", "sim", "--no-report")
    run = folder(tmp_path)
    outcomes = {row["endpoint"]: row["outcome"] for row in reversed(run.rows)}  # the first of each
    for call in CALLS:
        assert LIFE in call.by
        assert outcomes[call.path] == "ok", (call.path, done.stderr)


@pytest.mark.parametrize("call", [call for call in CALLS if call.wrong], ids=lambda call: call.path)
def test_a_wrong_call_gets_what_the_table_says(call: CallRow, simulator: Simulator) -> None:
    answer = simulator.ask(call.method, call.path, call.wrong)
    assert answer.status == call.status
    if call.outcome == "server_error":
        assert any("error" in line for line in answer.lines())
