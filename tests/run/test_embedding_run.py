"""An embedding run, from the command line to the report."""

import json
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import scripted
from doors import refused
from locust_process import folder, headless

from tokenswarm.preflight.prepare import choose
from tokenswarm.preflight.server import FoundServer
from tokenswarm.settings.errors import UsageError
from tokenswarm.users.lifecycle import OllamaLifecycleUser
from tokenswarm.users.ollama import OllamaChatUser, OllamaEmbedUser
from tokenswarm.users.openai import OpenAIChatUser, OpenAIEmbeddingsUser

LOAD = ("--users", "2", "--spawn-rate", "2", "--run-time", "2s", "--model", "minilm", "--stop-timeout", "3")
Embed = Callable[[list[str]], tuple[str, dict[str, Any]]]


def server(embed: Embed) -> scripted.Script:
    """An Ollama with one model; `embed` gives status and answer for some texts."""

    def serve(sock: socket.socket) -> None:
        while asked := scripted.request(sock):
            path = asked.split()[1].decode()
            models = {"models": [{"name": "minilm:latest"}]}
            status, said = "200 OK", {"/api/version": {"version": "0.32.15"}}.get(path, models)
            if asked.startswith(b"POST"):
                if path in ("/api/embed", "/v1/embeddings"):
                    status, said = embed(json.loads(asked.partition(b"\r\n\r\n")[2])["input"])
                else:
                    status, said = "400 Bad Request", {"error": '"minilm" does not support generate'}
            body = json.dumps(said).encode()
            sock.sendall(scripted.whole(body, status, "Content-Type: application/json\r\n"))

    return serve


def well(texts: list[str]) -> tuple[str, dict[str, Any]]:
    vectors = [[0.5, 0.25, -1.0]] * len(texts)
    counted = {"total_duration": 9_000_000, "load_duration": 1_000_000, "prompt_eval_count": 4 * len(texts)}
    data = [{"embedding": vector, "index": n} for n, vector in enumerate(vectors)]
    usage = {"prompt_tokens": 4 * len(texts), "total_tokens": 4 * len(texts)}
    return "200 OK", {"embeddings": vectors, **counted, "data": data, "usage": usage}


def test_batches_as_a_distribution(tmp_path: Path) -> None:
    with scripted.serving(server(well)) as port:
        classes = ("OllamaEmbedUser", "OpenAIEmbeddingsUser")
        done = headless(f"http://127.0.0.1:{port}", tmp_path, *classes, *LOAD, "--batch-size", "1..8")
    assert done.returncode == 0, done.stderr
    run = folder(tmp_path)
    assert set(run.outcomes) == {"ok"}
    assert {row["endpoint"] for row in run.rows} == {"/api/embed", "/v1/embeddings"}
    assert {row["batch_size"] for row in run.rows} == set("12345678")
    for row in run.rows:
        assert row["vectors"] == row["batch_size"]
        assert (row["dimension"], row["bad_vectors"]) == ("3", "0")
        assert row["ttft_ms"] == row["output_tokens"] == row["max_tokens"] == row["queue_ms"] == ""
        assert float(row["vectors_per_s"]) > 0
        assert int(row["prompt_tokens"]) == 4 * int(row["vectors"])
        if row["endpoint"] == "/api/embed":  # tokens / (total − load), the server's
            assert float(row["embed_tokens_per_s"]) == int(row["prompt_tokens"]) / 0.008
    assert not run.rules() & {"uncounted tokens", "bad vectors", "dimension"}
    said, text = done.stdout + done.stderr, (run.path / "report.md").read_text(encoding="utf-8")
    assert "vec/s E2E p50" in said
    assert "TTFT" not in said.partition("Times in ms")[0]
    assert "## Tokens" not in text  # none were generated: the section about embeddings has the rest
    for group in run.summary()["embedding"]:
        rows = [row for row in run.rows if row["endpoint"] == group["endpoint"]]
        assert group["vectors"] == sum(int(row["vectors"]) for row in rows)
        assert [part["from"] for part in group["by_batch_size"]] == list(range(1, 9))
    report = (run.path / "report.md").read_text()
    assert "## Embeddings" in report
    assert "vectors/s over" in report
    assert "TTFT p50" not in report.partition("## ")[0].partition("vectors/s over")[2].partition("\n")[0]


def test_bad_vectors_are_counted_and_missing_ones_fail(tmp_path: Path) -> None:
    asked = 0

    def badly(texts: list[str]) -> tuple[str, dict[str, Any]]:
        nonlocal asked
        asked += 1
        if asked % 3 == 1:
            return well(texts)
        return "200 OK", {"embeddings": [[1.0, 2.0], [None, 2.0]] if asked % 3 else []}

    with scripted.serving(server(badly)) as port:
        options = ("OllamaEmbedUser", *LOAD, "--batch-size", "2", "--pause-after-error", "0.05", "--no-report")
        headless(f"http://127.0.0.1:{port}", tmp_path, *options)
    run = folder(tmp_path)
    assert set(run.outcomes) == {"ok", "protocol_error"}
    assert {row["error"] for row in run.rows if row["outcome"] != "ok"} == {"0 vectors for 2 texts"}
    assert {(row["dimension"], row["bad_vectors"]) for row in run.rows if row["vectors"] == "2"} == {
        ("3", "0"),
        ("2", "1"),
    }
    assert {"bad vectors", "dimension"} <= run.rules("remark")


def test_a_model_that_only_embeds_says_which_classes_to_name(tmp_path: Path) -> None:
    with scripted.serving(server(well)) as port:
        given = ("--host", f"http://127.0.0.1:{port}", "--run-dir", str(tmp_path), "--model", "minilm")
        assert "minilm only embeds: name OllamaEmbedUser or OpenAIEmbeddingsUser" in refused(*given)
    assert not list(tmp_path.iterdir())

    def unable(_texts: list[str]) -> tuple[str, dict[str, Any]]:
        return "501 Not Implemented", {"error": "This server does not support embeddings. Start it with `--embeddings`"}

    with scripted.serving(server(unable)) as port:
        given = ("--host", f"http://127.0.0.1:{port}", "--run-dir", str(tmp_path), "--model", "minilm")
        assert "minilm does not embed, it generates: name OllamaChatUser" in refused("OllamaEmbedUser", *given)


def test_what_runs_when_no_class_is_named() -> None:
    classes = [OllamaChatUser, OllamaEmbedUser, OpenAIChatUser, OpenAIEmbeddingsUser, OllamaLifecycleUser]
    ollama, vllm = FoundServer("ollama", "0.32.15", ("m",)), FoundServer("openai", None, ("m",))
    assert choose(classes, ollama, []) == [OllamaChatUser, OpenAIChatUser]
    assert choose(classes, vllm, []) == [OpenAIChatUser]
    assert choose(classes, ollama, ["OllamaEmbedUser"]) == [OllamaEmbedUser]
    assert choose([OllamaEmbedUser], ollama, []) == [OllamaEmbedUser]  # a locustfile with nothing else
    for named in ("OllamaEmbedUser", "OllamaLifecycleUser"):
        with pytest.raises(UsageError, match=f"{named}: the server speaks only /v1"):
            choose(classes, vllm, [named])


def test_made_up_texts_are_as_long_as_asked_for_where_the_context_is_short(tmp_path: Path) -> None:
    """A server that cuts what is beyond 256 tokens, as Ollama does with many embedding models."""

    def cut(texts: list[str]) -> tuple[str, dict[str, Any]]:
        tokens = sum(min(256, 2 + len(text.split()) * 6 // 5) for text in texts)
        return "200 OK", {"embeddings": [[1.0]] * len(texts), "prompt_eval_count": tokens}

    with scripted.serving(server(cut)) as port:
        options = (*LOAD, "--prompt-tokens", "100", "--batch-size", "2", "OllamaEmbedUser", "--no-report")
        done = headless(f"http://127.0.0.1:{port}", tmp_path, *options)
    assert done.returncode == 0, done.stderr
    assert {199 <= int(row["prompt_tokens"]) <= 201 for row in folder(tmp_path).rows if row["outcome"] == "ok"} == {
        True
    }
