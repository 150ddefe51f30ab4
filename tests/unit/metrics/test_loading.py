"""Cold and warm told apart, starved models, what was in memory; and what the lifecycle user may delete."""

import json
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from captures import FOLDER
from golden.make import MS, failed, folder, identity, ollama, openai

from tokenswarm.folder.server_csv import MEMORY as COLUMNS
from tokenswarm.folder.verdict import gather
from tokenswarm.metrics.histogram import bucket
from tokenswarm.metrics.load_state import load_state
from tokenswarm.metrics.record import Record
from tokenswarm.metrics.validity.rules import Facts, judge
from tokenswarm.reports.load import load
from tokenswarm.reports.looks import looks
from tokenswarm.reports.parts.server_memory import memory
from tokenswarm.reports.summary import summarise
from tokenswarm.reports.write import report
from tokenswarm.run.memory_sampler import MemoryLooks
from tokenswarm.transport.http1 import Response
from tokenswarm.transport.listing import full_name
from tokenswarm.users.lifecycle import ManagementAnswer, OllamaLifecycleUser, read
from tokenswarm.users.made_models import MadeModels


@pytest.mark.parametrize(
    ("load_ms", "memory", "state"),
    [
        (2.0, None, "warm"),
        (110.0, None, "warm"),  # another name for a loaded file
        (110.0, "others", "warm"),
        (274.0, "listed", "cold"),  # a reload, for another num_ctx
        (274.0, None, "cold"),  # all-MiniLM, the smallest real load
        (50.0, "empty", "cold"),
        (None, "listed", "warm"),
        (None, "others", "cold"),
        (None, None, None),
    ],
)
def test_cold_or_warm(load_ms: float | None, memory: Any, state: str | None) -> None:
    assert load_state(load_ms, memory) == state


def test_names_as_ollama_lists_them() -> None:
    assert full_name("qwen3") == "qwen3:latest"
    assert full_name("qwen3:8b") == "qwen3:8b"
    assert full_name("host:5000/me/qwen3") == "host:5000/me/qwen3:latest"


def asked(sequence: int, model: str, at_ms: int, load_ms: float, **changes: Any) -> Record:
    made = ollama(sequence, at_ms, identity=identity(sequence, model=model), **changes)
    wait_ns = int(load_ms * MS)
    ended_ns = (made.ended_ns or 0) + wait_ns
    return replace(made, usage=made.usage._replace(load_ns=wait_ns), ended_ns=ended_ns)


def test_a_starved_model_is_seen(tmp_path: Path) -> None:
    records = [asked(n, "a", 250 * n, 2) for n in range(40)]
    records.append(asked(40, "b", 100, 8000))  # a's requests of 8 s overtake it
    records.append(failed(41, "cancelled", "cut", 9000, identity=identity(41, model="b")))
    run = load(folder(tmp_path, records))
    found = summarise(run)["loading"]
    assert [(s["model"], s["state"], s["n"]) for s in found["states"]] == [("a", "warm", 40), ("b", "cold", 1)]
    a, b = found["waits"]
    assert (a["longest_wait_ms"], a["overtaken"]) == (2, 0)
    assert (b["requests"], b["ok"], b["cold"], b["longest_wait_ms"]) == (2, 1, 1, 8000)
    assert b["overtaken"] == 31  # sent from 250 ms on, ended by 8,100
    evidence = gather(tmp_path / "requests.csv")
    assert (evidence.cold, evidence.starving_models) == (1, {"b": 8.0})  # of the run's 9.98 s
    (found,) = [one for one in judge(Facts(evidence, ()))["findings"] if one["rule"] == "starved models"]
    assert "b: 8 s without an answer" in found["what"]
    report(tmp_path)
    assert "by 31" in (tmp_path / "report.md").read_text()
    assert "figure-loading-1" in (tmp_path / "report.html").read_text()


def test_a_model_without_any_answer_is_remarked(tmp_path: Path) -> None:
    cut = failed(41, "cancelled", "cut", 100, identity=identity(41, model="b"))
    folder(tmp_path, [*(asked(n, "a", 250 * n, 2) for n in range(9)), cut])
    rules = {one["rule"] for one in judge(Facts(gather(tmp_path / "requests.csv"), ()))["findings"]}
    assert "starved models" in rules
    assert "cold loads" not in rules


def test_a_server_that_falls_silent_before_the_end_is_remarked(tmp_path: Path) -> None:
    """And so is none that only ends with a queue, or with an answer under way."""
    answered = [asked(n, "a", 250 * n, 2) for n in range(20)]
    cut = [failed(20 + n, "cancelled", "cut", 5000 + n, identity=identity(20 + n, model="a")) for n in range(4)]
    waited = [replace(one, ended_ns=(one.sent_ns or 0) + 20_000 * MS) for one in cut]

    def rules(name: str, records: list[Record]) -> dict[str, Any]:
        folder(tmp_path / name, records)
        return {one["rule"]: one for one in judge(Facts(gather(tmp_path / name / "requests.csv"), ()))["findings"]}

    found = rules("silent", [*answered, *waited])["silent end"]
    assert found["level"] == "remark"
    assert "nothing was answered" in found["what"]
    assert found["figure"] == pytest.approx(20, abs=1)
    assert "silent end" not in rules("in a queue", [*answered, *waited, asked(30, "a", 24_000, 2)])
    goes_on = replace(waited[0], first_output_ns=(waited[0].sent_ns or 0) + MS, gaps={bucket(100 * MS): 199})
    assert "silent end" not in rules("under way", [*answered, *waited, goes_on])
    hour_ns = 3600 * 10**9  # by which another worker's clock is behind
    elsewhere = replace(asked(40, "a", 24_000, 2), identity=identity(40, model="a", worker=1))
    cut_there = replace(waited[0], identity=identity(41, model="a", worker=1), sent_ns=(elsewhere.ended_ns or 0) + MS)
    others = [
        replace(one, sent_ns=(one.sent_ns or 0) - hour_ns, ended_ns=(one.ended_ns or 0) - hour_ns)
        for one in (elsewhere, cut_there)
    ]
    assert "silent end" not in rules("another worker was answered", [*answered, *waited, *others])
    stuck = replace(goes_on, gaps={bucket(100 * MS): 9})
    assert rules("in the middle", [*answered, stuck])["silent end"]["figure"] == pytest.approx(19, abs=1)
    slow = asked(31, "a", -22_000, 2)
    slow = replace(slow, first_output_ns=(slow.sent_ns or 0) + 21_900 * MS, ended_ns=(slow.sent_ns or 0) + 22_000 * MS)
    assert "silent end" not in rules("as slow before", [slow, *answered, *waited])


def test_what_tells_nothing_of_loads_is_no_warm_request(tmp_path: Path) -> None:
    silent = [openai(n, at_ms=250 * n) for n in range(90)]
    folder(tmp_path, [asked(90, "a", 100, 900), *(asked(91 + n, "a", 250 * n, 2) for n in range(9)), *silent])
    findings = judge(Facts(gather(tmp_path / "requests.csv"), ()))["findings"]
    assert [one["figure"] for one in findings if one["rule"] == "cold loads"] == [10]


def test_models_that_got_on_have_no_table_of_waits(tmp_path: Path) -> None:
    """One after the other, all answered, none overtaken."""
    folder(tmp_path, [asked(n, "ab"[n % 2], 2000 * n, 500) for n in range(4)])
    report(tmp_path)
    text = (tmp_path / "report.md").read_text()
    assert "## Loading" in text
    assert "overtaken" not in text


def test_no_cold_load_no_section(tmp_path: Path) -> None:
    folder(tmp_path, [asked(n, "a", 250 * n, 2) for n in range(5)])
    report(tmp_path)
    assert "## Loading" not in (tmp_path / "report.md").read_text()


LOOKS = [
    (100.0, 1.0, "0.32.15", "a:latest", 2_000_000, 1_000_000, 4096, "2026-11-23T17:44:39Z", ""),
    (100.0, 1.0, "0.32.15", "b:latest", 3_000_000, 0, 2048, "2026-11-23T17:44:39Z", ""),
    (102.0, 3.0, "0.32.15", "", "", "", "", "", ""),
    (104.0, 5000.0, "", "", "", "", "", "", "timeout: no first byte within 5 s"),
    (106.0, 2.0, "0.33.0", "a:latest", 2_000_000, 1_000_000, 8192, "2026-11-23T17:44:39Z", ""),
]


def test_what_was_in_memory(tmp_path: Path) -> None:
    text = "\n".join(",".join(map(str, line)) for line in (COLUMNS, *LOOKS))
    (tmp_path / "server.csv").write_text(text + "\n107.0,2.0,0.3")  # killed while it wrote
    found = memory(looks(tmp_path / "server.csv"))
    assert found
    assert (found["looks"], found["unanswered"]) == (5, 1)
    assert found["versions"][:2] == ["0.32.15", "0.33.0"]
    a, b = found["models"]
    assert (a["model"], a["came"], a["went"], a["vram_bytes"], a["context_lengths"]) == (
        "a:latest",
        1,
        2,
        1_000_000,
        [4096, 8192],
    )
    assert (b["came"], b["went"]) == (0, 1)
    folder(tmp_path, [ollama(0)])
    report(tmp_path)
    assert "## Models in memory" in (tmp_path / "report.md").read_text()
    assert looks(tmp_path / "nothing.csv") == ()


def test_a_memory_in_which_nothing_changed_is_folded(tmp_path: Path) -> None:
    lines = (COLUMNS, LOOKS[0], (102.0, *LOOKS[0][1:]))
    (tmp_path / "server.csv").write_text("\n".join(",".join(map(str, line)) for line in lines) + "\n")
    folder(tmp_path, [ollama(0)])
    report(tmp_path)
    assert "<details><summary>Models in memory</summary>" in (tmp_path / "report.md").read_text()


def test_what_the_sampler_remarks() -> None:
    seen = MemoryLooks(("a",))
    for version, models in (("1", {"a:latest", "x:latest"}), ("1", {"a:latest"}), ("1", set()), ("2", {"a:latest"})):
        seen.look(version, models)
    assert (seen.loads, seen.unloads) == (1, 1)  # x is nobody's business
    assert [finding["rule"] for finding in seen.findings()] == ["model memory", "server version"]
    assert MemoryLooks(("a",)).findings() == []


MANAGEMENT = {
    "mgmt_create_from": "ok",
    "mgmt_create_from_nostream": "ok",
    "mgmt_copy": "ok",
    "mgmt_delete_m1": "ok",
    "mgmt_tags": "ok",
    "mgmt_pull_unknown": "server_error",
    "mgmt_pull_unknown_nostream": "http_error",
    "mgmt_push_closedport": "server_error",
    "mgmt_create_files": "server_error",
    "mgmt_copy_unknown": "http_error",
    "mgmt_create_badname": "http_error",
}


@pytest.mark.parametrize("name", MANAGEMENT)
def test_errors_are_found_inside_a_200(name: str) -> None:
    if not FOLDER.is_dir():
        assert os.environ.get("CI") != "true", f"no recordings in {FOLDER}"
        pytest.skip("the recordings of real servers are not beside this checkout")
    response = Response()
    response.feed(0, json.loads((FOLDER / f"{name}.json").read_text())["response_latin1"].encode("latin-1"))
    body = b"".join(response.bodies)
    answer = read(response.status or 0, response.content_type, body)
    assert answer.outcome == MANAGEMENT[name], answer
    assert bool(answer.error) == (answer.outcome != "ok")
    if name == "mgmt_create_from":  # cut after any line, it did not succeed
        for end in [at + 1 for at, byte in enumerate(body[:-1]) if byte == 10]:
            assert read(200, response.content_type, body[:end]).outcome == "truncated"


@pytest.fixture
def user() -> tuple[OllamaLifecycleUser, list[tuple[str, str, Any]], dict[str, ManagementAnswer]]:
    """A user whose calls go nowhere: what it asked, and what it is to be told by path."""
    made = OllamaLifecycleUser.__new__(OllamaLifecycleUser)
    calls: list[tuple[str, str, Any]] = []
    told: dict[str, ManagementAnswer] = {}
    settings = SimpleNamespace(run_id="20261123T111733Z-夜 run", ask=SimpleNamespace(model="sim"))
    run_context: Any = SimpleNamespace(
        settings=settings, worker=3, next_sequence=lambda: 7, health=SimpleNamespace(in_flight=0)
    )
    made.run_context, made._made = run_context, MadeModels()

    def call(method: str, path: str, model: str = "", body: Any = None) -> ManagementAnswer:
        calls.append((method, path, body))
        return told.get(path, ManagementAnswer("ok", "", 200))

    made.call = call  # type: ignore[method-assign]
    return made, calls, told


OWN = "tokenswarm-20261123T111733Z--run-3-7"
User = tuple[OllamaLifecycleUser, list[tuple[str, str, Any]], dict[str, ManagementAnswer]]
COPY: Callable[[str], dict[str, Any]] = lambda name: {"source": "sim", "destination": name}  # noqa: E731


def test_only_what_it_made_is_deleted(user: User) -> None:
    lifecycle, calls, _ = user
    for name in ("sim", "sim:latest", "", OWN, f"{OWN}:latest"):
        with pytest.raises(ValueError, match="not created by this user"):
            lifecycle.delete(name)
    assert calls == []
    lifecycle._make(set(), "/api/copy", COPY)
    assert calls == [("POST", "/api/copy", COPY(OWN)), ("DELETE", "/api/delete", {"model": OWN})]
    with pytest.raises(ValueError, match="not created"):
        lifecycle.delete(OWN)  # once is enough: by now it may be somebody else's
    assert lifecycle.run_context.health.in_flight == 0


def test_a_name_that_is_taken_is_left_alone(user: User) -> None:
    lifecycle, calls, _ = user
    lifecycle._make({f"{OWN}:latest"}, "/api/copy", COPY)
    assert calls == []


def test_what_was_refused_is_not_deleted_and_what_may_exist_is(user: User) -> None:
    lifecycle, calls, told = user
    told["/api/copy"] = ManagementAnswer("http_error", "HTTP 404", 404)
    lifecycle._make(set(), "/api/copy", COPY)
    assert [path for _, path, _ in calls] == ["/api/copy"]
    told["/api/copy"] = ManagementAnswer("timeout", "no answer")
    lifecycle._make(set(), "/api/copy", COPY)
    assert [path for _, path, _ in calls[1:]] == ["/api/copy", "/api/delete"]
    assert not lifecycle._made
