"""A LiteLLM proxy between us and the simulator (`make test-real` installs it): our totals are the simulator's own."""

import json
import secrets
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "support"))

from locust_process import environment, folder, free_port, headless
from simulator_process import Simulator, running

LITELLM = Path(sys.prefix, "litellm", "bin", "litellm")
KEY = f"sk-{secrets.token_hex(24)}"
# By which of its providers LiteLLM asks which of the simulator's models, and where it arrives then.
ROUTES = {
    "chat-ollama": ("ollama_chat/sim", "/api/chat"),
    "generate-ollama": ("ollama/sim", "/api/generate"),
    "think-ollama": ("ollama_chat/sim-think", "/api/chat"),
    "chat-openai": ("openai/sim", "/v1/chat/completions"),
    "text-openai": ("text-completion-openai/sim", "/v1/completions"),
    "embed-ollama": ("ollama/sim-embed", "/api/embed"),
    "embed-openai": ("openai/sim-embed", "/v1/embeddings"),
}


class Behind(NamedTuple):
    """The simulator, its log, and the proxy's address."""

    simulator: Simulator
    truth: Path
    url: str


@pytest.fixture(scope="module")
def behind(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Behind]:
    if not LITELLM.exists():
        pytest.skip(f"no LiteLLM proxy in {LITELLM.parents[1]}: make test-real installs it, where PyPI has it")
    folder = tmp_path_factory.mktemp("litellm")
    with running("--truth", str(folder / "truth.jsonl"), "--load-ms", "1") as simulator:
        bases = {name: simulator.url + ("/v1" if "openai" in model else "") for name, (model, _) in ROUTES.items()}
        models = [
            {"model_name": name, "litellm_params": {"model": model, "api_base": bases[name], "api_key": "none"}}
            for name, (model, _) in ROUTES.items()
        ]
        (folder / "config.yaml").write_text(json.dumps({"model_list": models}))  # JSON is YAML
        port = free_port()
        asked = [str(LITELLM), "--config", str(folder / "config.yaml"), "--host", "127.0.0.1", "--port", str(port)]
        env = environment(LITELLM_MASTER_KEY=KEY, LITELLM_LOCAL_MODEL_COST_MAP="True", LITELLM_TELEMETRY="False")
        with (folder / "log").open("wb") as log, subprocess.Popen(asked, env=env, stdout=log, stderr=log) as proxy:
            try:
                wait_for(f"http://127.0.0.1:{port}/health/liveliness", proxy, folder / "log")
                yield Behind(simulator, folder / "truth.jsonl", f"http://127.0.0.1:{port}")
            finally:
                proxy.terminate()


def wait_for(url: str, proxy: "subprocess.Popen[bytes]", log: Path) -> None:
    """Wait until the proxy answers, two minutes at most."""
    for _ in range(240):
        assert proxy.poll() is None, log.read_text()[-2000:]
        try:
            urllib.request.urlopen(url, timeout=2).close()
            return
        except (urllib.error.URLError, TimeoutError):
            time.sleep(0.5)
    raise AssertionError(log.read_text()[-2000:])


def logged(truth: Path, path: str) -> list[dict[str, Any]]:
    """What the simulator has logged of an endpoint."""
    with truth.open() as file:
        return [line for line in map(json.loads, file) if line["path"] == path]


@pytest.mark.parametrize("route", ROUTES)
def test_totals_are_the_simulators_own(route: str, behind: Behind, tmp_path: Path) -> None:
    asks = {"embed": "OpenAIEmbeddingsUser", "text-": "OpenAICompletionsUser"}.get(route[:5], "OpenAIChatUser")
    path, embeds = ROUTES[route][1], asks == "OpenAIEmbeddingsUser"
    before, vectors = len(logged(behind.truth, path)), behind.simulator.stats()["vectors"]
    load = (asks, "--model", route, "--users", "4", "--spawn-rate", "4", "--run-time", "10s", "--stop-timeout", "60")
    done = headless(behind.url, tmp_path, *load, *(() if embeds else ("--max-tokens", "24")), OPENAI_API_KEY=KEY)
    assert done.returncode == 0, done.stderr
    run = folder(tmp_path)
    assert set(run.outcomes) == {"ok"}, run.outcomes
    warm = run.run["warmup"]["facts"]
    if embeds:
        made = behind.simulator.stats()["vectors"] - vectors
        assert made == run.total("vectors") + 1
        print(f"{route}: {len(run.rows)} requests, {run.total('vectors')} vectors")
        return
    wanted = len(run.rows) + 1  # the warm-up request
    until_s = time.monotonic() + 5
    while len(said := logged(behind.truth, path)[before:]) < wanted and time.monotonic() < until_s:
        time.sleep(0.1)
    assert len(said) == wanted
    for column in ("output_tokens", "prompt_tokens"):
        assert run.total(column) + warm[column] == sum(line[column] for line in said), column
    print(f"{route}: {len(run.rows)} requests, {run.total('output_tokens')} tokens")
