"""A run that looks at the server's own side: what is in server.csv, and what becomes of a source that fails."""

import csv
import json
from pathlib import Path
from typing import Any

import pytest
from doors import NOT_FOUND, Door
from fake_cluster import FakeCluster, wait_until
from one_process import begin, end, process
from scripted import serving, whole

from tokenswarm.preflight.prepare import Prepared
from tokenswarm.run import power, server_side
from tokenswarm.run.feature import Feature
from tokenswarm.run.server_side import NAME, ServerSide, at_rest

SIDE = Feature(NAME, join=lambda run: ServerSide(run).listen())


def watched(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, answers: list[bytes], *arguments: str
) -> tuple[list[dict[str, str]], dict[str, Any], int]:
    """server.csv, run.json and the number of looks of a run whose endpoint gave these answers, the last for ever."""
    asked = 0

    def metrics(_: bytes) -> bytes:
        nonlocal asked
        asked += 1
        return answers[min(asked, len(answers)) - 1]

    monkeypatch.setattr(power, "local", list)
    monkeypatch.setattr(server_side, "IDLE_EVERY_S", 0.001)
    spans = {"2s": 0.001, "5s": 0.2, "0s": 0.0}
    monkeypatch.setattr(server_side, "seconds_in", spans.get)
    with (
        serving(Door({"/metrics": metrics}).handle) as port,
        process(FakeCluster(), tmp_path, monkeypatch, *arguments, features=[SIDE]) as lifecycle,
    ):
        lifecycle.options.scrape = f"http://127.0.0.1:{port}/metrics"
        lifecycle.preparation.prepared = Prepared((), {"kind": "openai"}, {}, {})
        lifecycle.preparation.found = {NAME: at_rest(lifecycle.options, "other")}
        begin(lifecycle)
        wait_until(lambda: asked > len(answers))
        before_the_end = asked
        end(lifecycle)
        assert asked > before_the_end
    (run,) = (json.loads(path.read_text()) for path in tmp_path.glob("*/run.json"))
    (text,) = (path.read_text() for path in tmp_path.glob("*/server.csv"))
    return list(csv.DictReader(text.splitlines())), run, asked


def said(tokens: int, watts: float | None = None) -> bytes:
    """An answer of a llama.cpp, and the power of a GPU beside it."""
    more = "" if watts is None else f'DCGM_FI_DEV_POWER_USAGE{{gpu="0"}} {watts}\n'
    return whole(f"llamacpp:tokens_predicted_total {tokens}\n{more}".encode())


def test_every_look_is_in_server_csv_from_before_the_load_to_its_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows, run, asked = watched(tmp_path, monkeypatch, [said(n) for n in range(5)])
    assert [row["value"] for row in rows][:5] == ["0.0", "1.0", "2.0", "3.0", "4.0"]
    assert len(rows) == asked
    assert {row["metric"] for row in rows} == {"llamacpp:tokens_predicted_total"}
    assert {row["source"] for row in rows} == set(run["server_side"]["sources"])
    assert {row["error"] for row in rows} == {""}
    assert "idle_from_unix_s" not in run["server_side"]  # nothing here tells of power: nothing to wait for
    assert not [found for found in run["validity"]["findings"] if found["rule"] == "server side"]


def test_where_power_is_known_it_is_measured_before_the_load(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows, run, _ = watched(tmp_path, monkeypatch, [said(0, 20.0)] * 9)
    side = run["server_side"]
    idle = [
        row
        for row in rows
        if "POWER" in row["metric"] and side["idle_from_unix_s"] <= float(row["unix_s"]) <= side["idle_to_unix_s"]
    ]
    assert len(idle) > 2
    assert {row["labels"] for row in idle} == {"gpu=0"}


def test_an_endpoint_that_fails_half_way_costs_a_remark_and_not_the_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows, run, asked = watched(tmp_path, monkeypatch, [said(0), said(7), NOT_FOUND])
    (found,) = (found for found in run["validity"]["findings"] if found["rule"] == "server side")
    assert found["level"] == "remark"
    assert f"{asked - 2} of {asked} looks at http://127.0.0.1:" in found["what"]
    assert "HTTP 404" in found["what"]
    assert run["state"] == "complete"
    assert [row["error"] for row in rows[:2]] == ["", ""]
    assert all("404" in row["error"] for row in rows[2:])


def test_a_worker_does_not_look(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with process(FakeCluster("worker"), tmp_path, monkeypatch, features=[SIDE]) as lifecycle:
        assert lifecycle.before_closing == []
