"""The simulator's races on demand: a delete that fails though its model is there, a create that outlives its client."""

import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from simulator_process import Answer, running


def test_a_delete_that_races_fails_though_its_model_is_there() -> None:
    with running("--racing-deletes") as racing, ThreadPoolExecutor(6) as pool:
        copies = [f"copy-{number}" for number in range(6)]

        def delete(name: str) -> Answer:
            return racing.ask("DELETE", "/api/delete", {"model": name})

        def copy(name: str) -> Answer:
            return racing.post("/api/copy", {"source": "sim", "destination": name})

        assert {answer.status for answer in pool.map(copy, copies)} == {200}
        failed = {
            name: answer for name, answer in zip(copies, pool.map(delete, copies), strict=True) if answer.status != 200
        }
        there = {model["name"] for model in racing.ask("GET", "/api/tags").json()["models"]}
        for name, answer in failed.items():
            if answer.status == 404:
                assert answer.json() == {"error": f"model '{name}' not found"}
                assert f"{name}:latest" in there
            else:
                path = f"registry.ollama.ai/library/{name}/latest"
                assert answer.json()["error"] == f"lstat /var/ollama/models/manifests/{path}: no such file or directory"
        assert {answer.status for answer in failed.values()} == {404, 500}
        left = [name for name in copies if f"{name}:latest" in there]
        assert {delete(name).status for name in left} == {200}  # one after the other


@pytest.mark.parametrize("stream", [True, False])
def test_with_racing_deletes_what_is_cut_appears_all_the_same(stream: bool) -> None:
    with running("--racing-deletes") as racing:
        with racing.open("POST", "/api/create", {"model": "mine", "from": "sim", "stream": stream}):
            time.sleep(0.15)
        assert racing.ask("DELETE", "/api/delete", {"model": "mine"}).status == 404
        until_s = time.monotonic() + 30
        while racing.ask("DELETE", "/api/delete", {"model": "mine"}).status != 200 and time.monotonic() < until_s:
            time.sleep(0.05)
        assert time.monotonic() < until_s
