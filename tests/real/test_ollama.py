"""A real Ollama under load, where OLLAMA_HOST names one (`make test-real`): our counts and durations are its own."""

import json
import os
import re
import sys
from pathlib import Path
from typing import Any

import pytest
import requests

sys.path.insert(0, str(Path(__file__).parents[1] / "support"))

from locust_process import folder, headless
from tape import Tape, taped

from tokenswarm.settings.target import target


@pytest.fixture(scope="module")
def ollama() -> str:
    if not os.environ.get("OLLAMA_HOST"):
        pytest.skip("OLLAMA_HOST names no Ollama")
    return target(None, os.environ).url


def final_lines(tape: Tape) -> dict[str, dict[str, Any]]:
    """The line with `done:true` of each answer, by request id."""
    found = {}
    for request_id, raw in tape.said.items():
        if stated := re.findall(rb'\{[^\n]*"done":true[^\n]*\}', raw):
            found[request_id] = json.loads(stated[-1])
    return found


@pytest.mark.parametrize("streams", [1, 4, 8])
def test_every_requests_numbers_are_ollamas_own(streams: int, ollama: str, tmp_path: Path) -> None:
    models = requests.get(f"{ollama}/api/tags", timeout=10).json()["models"]
    model = os.environ.get("OLLAMA_MODEL") or min(models, key=lambda known: known["size"])["name"]
    load = ("OllamaChatUser", "OllamaGenerateUser", "--model", model, "--users", str(streams), "--spawn-rate", "8")
    load += ("--max-tokens", "24", "--run-time", "10s", "--stop-timeout", "120", "--no-report")
    with taped(ollama) as (url, tape):
        done = headless(url, tmp_path, *load)
    assert done.returncode == 0, done.stderr
    run = folder(tmp_path)
    assert set(run.outcomes) == {"ok"}
    stated = final_lines(tape)
    for row in run.rows:
        own = stated[f"{run.run['run']}-{row['worker']}-{row['sequence']}"]
        for column, name in (("output_tokens", "eval_count"), ("prompt_tokens", "prompt_eval_count")):
            assert int(row[column]) == own[name]
        for column in ("total", "load", "prompt_eval", "eval"):
            assert float(row[f"{column}_ms"] or 0) == pytest.approx(own.get(f"{column}_duration", 0) / 1e6, abs=0.001)
        assert 0 < float(row["ttft_ms"]) < float(row["e2e_ms"])
    mean = run.total("output_tokens") / len(run.rows)
    print(f"{streams} streams: {len(run.rows)} requests, {run.total('output_tokens')} tokens, {mean:.1f} a request")
