"""The sampler of the models in memory: what is in server.csv, and what becomes a finding, by a server's own words."""

import csv
import json
from pathlib import Path
from typing import Any

import pytest
from doors import NOT_FOUND, Door, said
from fake_cluster import FakeCluster, wait_until
from one_process import begin, end, process
from scripted import serving

from tokenswarm.preflight.prepare import Prepared
from tokenswarm.run import memory_sampler
from tokenswarm.run.feature import Feature
from tokenswarm.run.memory_sampler import Sampler

MEMORY = Feature("memory", join=lambda run: Sampler(run.environment, run).listen())
HELD = {"name": "m:latest", "size": 900, "size_vram": 400, "context_length": 4096, "expires_at": "soon"}


def sampled(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, looks: list[bytes], versions: list[str], kind: str = "ollama"
) -> tuple[list[dict[str, str]], list[dict[str, Any]]]:
    """server.csv and the findings of a run in which /api/ps said these one by one, then the last for ever."""
    asked = 0

    def ps(_: bytes) -> bytes:
        nonlocal asked
        asked += 1
        return looks[min(asked, len(looks)) - 1]

    def version(_: bytes) -> bytes:
        return said({"version": versions[min(asked, len(versions)) - 1]})

    monkeypatch.setattr(memory_sampler, "seconds_in", lambda _: 0.001)
    with (
        serving(Door({"/api/ps": ps, "/api/version": version}).handle) as port,
        process(FakeCluster(), tmp_path, monkeypatch, features=[MEMORY]) as lifecycle,
    ):
        lifecycle.options.host = lifecycle.environment.host = f"http://127.0.0.1:{port}"
        lifecycle.preparation.prepared = Prepared((), {"kind": kind}, {}, {})
        begin(lifecycle)
        if kind == "ollama":
            wait_until(lambda: asked > len(looks))
        end(lifecycle)
    (run,) = (json.loads(path.read_text()) for path in tmp_path.glob("*/run.json"))
    texts = [path.read_text() for path in tmp_path.glob("*/server.csv")]
    return [row for text in texts for row in csv.DictReader(text.splitlines())], run["validity"]["findings"]


def test_each_look_is_a_line_a_model_or_one_that_says_why_there_is_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks = [said({"models": [HELD, {"name": "x"}]}), said({"models": []}), NOT_FOUND, said({"models": [HELD]})]
    rows, findings = sampled(tmp_path, monkeypatch, looks, ["1"])
    shown = [
        tuple(row[name] for name in ("version", "model", "size_bytes", "size_vram_bytes", "context_length"))
        for row in rows
    ]
    assert shown[:5] == [
        ("1", "m:latest", "900", "400", "4096"),
        ("1", "x", "", "", ""),
        ("1", "", "", "", ""),
        ("", "", "", "", ""),
        ("1", "m:latest", "900", "400", "4096"),
    ]
    assert [row["error"] for row in rows[:4]] == ["", "", "", "HTTP 404 Not Found"]
    assert rows[0]["expires_at"] == "soon"
    assert [float(row["unix_s"]) for row in rows] == sorted(float(row["unix_s"]) for row in rows)
    (found,) = (finding for finding in findings if finding["rule"] == "model memory")
    assert "go from memory 1 times, and come 1 times" in found["what"]  # an answer that failed is no coming or going


def test_a_server_that_changes_under_the_run_is_a_remark(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _, findings = sampled(tmp_path, monkeypatch, [said({"models": [HELD]})] * 2, ["0.32.15", "0.33.3"])
    (found,) = (finding for finding in findings if finding["rule"] == "server version")
    assert "0.32.15 → 0.33.3" in found["what"]
    assert "model memory" not in {finding["rule"] for finding in findings}


def test_who_is_no_ollama_is_not_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert sampled(tmp_path, monkeypatch, [NOT_FOUND], ["1"], kind="openai")[0] == []


def test_a_worker_does_not_sample(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with process(FakeCluster("worker"), tmp_path, monkeypatch) as lifecycle:
        heard = lifecycle.environment.events.test_start._handlers
        before = list(heard)
        Sampler(lifecycle.environment, lifecycle).listen()
        assert heard == before
