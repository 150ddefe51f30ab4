"""docs/api.md is true: every row of it is driven through Locust, looked for on the wire, and asked for wrongly."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from gevent.pool import Pool
from locust_process import ROOT, folder, headless
from options import parsed
from simulator_process import Simulator, running
from tape import taped

from metrics.catalogue import METRICS
from payloads.fields import PATHS, Field, example
from users.api_table import CLASSES, OWN_KEY, Row, document, rows
from users.errors import UsageError
from users.ollama import OllamaChatUser, OllamaGenerateUser
from users.openai import OpenAIChatUser, OpenAICompletionsUser
from users.preparation import prepare

USERS = {c.api.PATH: c for c in (OllamaChatUser, OllamaGenerateUser, OpenAIChatUser, OpenAICompletionsUser)}
MODEL = "sim-think-vision-insert-tools:latest"
ABILITIES = ("suffix", "images", "tools")  # what not every model can do


@pytest.fixture(scope="module")
def ollama() -> Iterator[Simulator]:
    with running("--load-ms", "0", "--models", MODEL, "--output-tokens", "3", "--decode-tps", "5000") as started:
        yield started


@pytest.fixture(scope="module")
def other() -> Iterator[Simulator]:
    with running("--openai-only", "--models", MODEL, "--output-tokens", "3", "--decode-tps", "5000") as started:
        yield started


def test_the_document_is_the_tables() -> None:
    assert (ROOT / "docs" / "api.md").read_text(encoding="utf-8") == document(), (
        "run python -m users.api_table > docs/api.md"
    )


def test_the_table_names_metrics_and_classes_that_exist() -> None:
    known = {metric.name for metric in METRICS}
    for path in CLASSES:
        assert rows(path)
        for row in rows(path):
            assert set(row.measured) <= known, row


def line(field: Field) -> dict[str, Any]:
    """A payload line whose one purpose is this field; its id is the field's name."""
    asked: dict[str, Any] = {"id": field.name, "prompt": "Hi"}
    value = example(field)
    if field.name in ("system", "images", "tools", *OWN_KEY):
        asked[OWN_KEY.get(field.name, field.name)] = value
    elif not field.by:
        asked["options" if field.place == "options" else "fields"] = {field.name: value}
    return asked


def on_the_wire(field: Field, body: dict[str, Any]) -> object:
    """What the body has of a field, where the API looks for it."""
    name = field.sent_as or field.name
    return (body["options"] if field.place == "options" or name == "num_predict" else body)[name]


def wanted(field: Field) -> object:
    """What it should have."""
    value = example(field)
    if field.sent_as == "response_format":
        return {"type": "json_object"}
    if field.sent_as == "reasoning_effort":
        return "medium" if value else "none"
    return {"model": MODEL, "messages": [{"role": "user", "content": "Hi"}]}.get(field.name, value)


def drive(server: Simulator, path: str, driven: list[Row], tmp_path: Path) -> None:
    """One Locust run of the class with a payload line for each row; each must be on the wire, and answered."""
    run_dir = tmp_path / f"{server.address[1]}{path.replace('/', '-')}"
    payloads = run_dir.with_suffix(".jsonl")
    payloads.write_text("".join(json.dumps(line(row.field)) + "\n" for row in driven))
    load = (
        CLASSES[path],
        "--model",
        MODEL,
        "--payloads",
        str(payloads),
        "--users",
        "1",
        "--run-time",
        "30s",
        "--no-report",
    )
    with taped(server.url) as (url, tape):
        done = headless(url, run_dir, *load, locustfile="tests/every_prompt.py")
    assert done.returncode in (0, 1), done.stderr
    run = folder(run_dir)
    seen = {row["prompt_id"]: row for row in run.rows}
    for row in driven:
        seen_row = seen[row.field.name]
        asked = tape.asked[f"{run.run['run']}-{seen_row['worker']}-{seen_row['sequence']}"]
        body = json.loads(asked.partition(b"\r\n\r\n")[2])
        assert on_the_wire(row.field, body) == wanted(row.field), (path, row.field.name)
        assert seen_row["endpoint"] == path
        if row.field.name in ABILITIES and "does not support" in seen_row["error"]:
            assert seen_row["outcome"] == "http_error"
        else:
            assert seen_row["outcome"] == "ok", (row.field.name, seen_row["error"])


def test_every_row_is_driven_through_locust(ollama: Simulator, other: Simulator, tmp_path: Path) -> None:
    """On an Ollama all that it does not refuse, on another server's /v1 the rest; two runs at a time."""

    def one(run: tuple[Simulator, str, list[Row]]) -> None:
        drive(*run, tmp_path)

    runs = []
    for path in CLASSES:
        by_server: dict[bool, list[Row]] = {True: [], False: []}
        for row in rows(path):
            by_server[row.field.on_ollama != "refused"].append(row)
        runs += [(ollama if on else other, path, some) for on, some in by_server.items() if some]
    assert sum(len(some) for _, _, some in runs) == sum(len(rows(path)) for path in CLASSES)
    for _ in Pool(2).imap_unordered(one, runs):
        pass


def prepared(server: Simulator, path: str, *arguments: str, run_dir: Path) -> None:
    """All that a run does before any load."""
    options = parsed("--host", server.url, "--model", MODEL, "--run-dir", str(run_dir), *arguments)
    prepare(options, [USERS[path]], [CLASSES[path]])


@pytest.mark.parametrize("path", CLASSES)
def test_every_row_asked_for_wrongly_gets_its_line(
    path: str, ollama: Simulator, other: Simulator, tmp_path: Path
) -> None:
    for row in rows(path):
        server = other if row.field.on_ollama == "refused" else ollama
        with pytest.raises(UsageError) as error:
            prepared(server, path, "--options", json.dumps({row.field.name: row.wrong}), run_dir=tmp_path)
        assert str(error.value) == row.line
        if row.field.on_ollama == "refused":
            with pytest.raises(UsageError, match=f"Ollama's {path} ignores {row.field.name}"):
                prepared(ollama, path, "--options", json.dumps({row.field.name: example(row.field)}), run_dir=tmp_path)


def test_every_path_has_a_class() -> None:
    assert set(CLASSES) <= set(PATHS)
