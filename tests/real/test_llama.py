"""A real model on llama.cpp under load (`make test-real`): our counts are the server's own, request by request."""

import json
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import gevent
import pytest
import requests
from gevent import socket
from gevent.server import StreamServer

sys.path.insert(0, str(Path(__file__).parents[1]))

from locust_process import folder, headless

from demo import server


class Tape:
    """A proxy that keeps what the server said, by the request's own id: read here with nothing of ours."""

    def __init__(self, url: str) -> None:
        host, _, port = url.removeprefix("http://").rpartition(":")
        self._target = (host, int(port))
        self.said: dict[str, bytes] = {}

    def handle(self, client: socket.socket, _address: object) -> None:
        """One connection: pass on both ways, and note which answer followed which request."""
        upstream = socket.create_connection(self._target)
        current = ""

        def back() -> None:
            while data := upstream.recv(65536):
                self.said[current] = self.said.get(current, b"") + data
                client.sendall(data)
            client.close()

        answers = gevent.spawn(back)
        try:
            while data := client.recv(1 << 20):
                if found := re.search(rb"X-Request-Id: (\S+)", data):
                    current = found[1].decode()
                upstream.sendall(data)
        except OSError:
            pass
        answers.kill()
        upstream.close()

    def timings(self) -> dict[str, dict[str, float]]:
        """llama.cpp's own `timings` of each streamed answer; the last one counts."""
        found = {}
        for request_id, raw in self.said.items():
            stated = re.findall(rb'"timings":(\{[^}]*\})', raw)
            if stated:
                found[request_id] = json.loads(stated[-1])
        return found


@contextmanager
def taped(url: str) -> Iterator[tuple[str, Tape]]:
    """The proxy on a free port, and its tape."""
    tape = Tape(url)
    proxy = StreamServer(("127.0.0.1", 0), tape.handle)
    proxy.start()
    try:
        yield f"http://127.0.0.1:{proxy.server_port}", tape
    finally:
        proxy.stop(timeout=0.5)


@pytest.fixture(scope="module")
def llama() -> Iterator[str]:
    pytest.importorskip("xllamacpp", reason="the real engine is not installed: make test-real installs it")
    with server("llama") as url:
        yield url


def totals(url: str) -> dict[str, int]:
    """The server's own count of everything since it started."""
    text = requests.get(f"{url}/metrics", timeout=10).text
    return {name: int(float(value)) for name, value in re.findall(r"^llamacpp:(\w+_total) (\S+)$", text, re.MULTILINE)}


@pytest.mark.parametrize("streams", [1, 4, 8])
def test_every_requests_counts_are_the_servers_own(streams: int, llama: str, tmp_path: Path) -> None:
    before = totals(llama)
    load = (
        "OpenAIChatUser",
        "OpenAICompletionsUser",
        "--users",
        str(streams),
        "--spawn-rate",
        "8",
        "--max-tokens",
        "24",
    )
    with taped(llama) as (url, tape):
        done = headless(
            url, tmp_path, *load, "--run-time", "10s", "--stop-timeout", "60", "--no-report", "--unique-prompts"
        )
    assert done.returncode == 0, done.stderr
    run = folder(tmp_path)
    assert set(run.outcomes) == {"ok"}
    stated = tape.timings()
    for row in run.rows:
        timings = stated[f"{run.run['run']}-{row['worker']}-{row['sequence']}"]
        assert int(row["output_tokens"]) == timings["predicted_n"]
        assert int(row["prompt_tokens"]) == timings["prompt_n"] + timings["cache_n"]
        assert int(row["cached_tokens"]) == timings["cache_n"]
        assert float(row["eval_ms"]) == pytest.approx(timings["predicted_ms"], abs=0.001)
        assert float(row["prompt_eval_ms"]) == pytest.approx(timings["prompt_ms"], abs=0.001)
        assert 0 < float(row["ttft_ms"]) < float(row["e2e_ms"])
    warm = run.run["warmup"]["facts"]
    after = totals(llama)
    assert after["tokens_predicted_total"] - before["tokens_predicted_total"] == (
        run.total("output_tokens") + warm["output_tokens"]
    )
    mean = run.total("output_tokens") / len(run.rows)
    print(f"{streams} streams: {len(run.rows)} requests, {run.total('output_tokens')} tokens, {mean:.1f} a request")
