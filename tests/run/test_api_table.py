"""docs/api.md is true on the wire: every row of it is driven through Locust, and asked for wrongly."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from driving import drive
from gevent.pool import Pool
from options import parsed
from simulator_process import Simulator, running

from docs.generate.api_table import CLASSES, TableRow, rows
from tokenswarm.features import prepare
from tokenswarm.payloads.request_fields import LM_CHAT, PATHS, example
from tokenswarm.settings.errors import UsageError

MODELS = ("sim-think-vision-insert-tools:latest", "sim-embed:latest")


@pytest.fixture(scope="module")
def ollama() -> Iterator[Simulator]:
    with running(
        "--load-ms", "0", "--models", ",".join(MODELS), "--output-tokens", "3", "--decode-tps", "5000"
    ) as started:
        yield started


@pytest.fixture(scope="module")
def other() -> Iterator[Simulator]:
    with running(
        "--engine", "lm-studio", "--models", ",".join(MODELS), "--output-tokens", "3", "--decode-tps", "5000"
    ) as started:
        yield started


def is_ollamas(row: TableRow) -> bool:
    return row.field.on_ollama != "refused" and row.path != LM_CHAT


def model(path: str) -> str:
    return MODELS["embed" in path]


def test_every_row_is_driven_through_locust(ollama: Simulator, other: Simulator, tmp_path: Path) -> None:
    """On an Ollama all that it does not refuse, on another server's /v1 the rest; two runs at a time."""

    def one(run: tuple[Simulator, str, list[TableRow]]) -> None:
        server, path, driven = run
        drive(
            server.url, path, model(path), driven, tmp_path / f"{server.address[1]}{path.replace('/', '-')}", able=False
        )

    runs = []
    for path in PATHS:
        by_server: dict[bool, list[TableRow]] = {True: [], False: []}
        for row in rows(path):
            by_server[is_ollamas(row)].append(row)
        runs += [(ollama if on else other, path, some) for on, some in by_server.items() if some]
    assert sum(len(some) for _, _, some in runs) == sum(len(rows(path)) for path in PATHS)
    for _ in Pool(2).imap_unordered(one, runs):
        pass


def prepared(server: Simulator, path: str, *arguments: str, run_dir: Path) -> None:
    """All that a run does before any load."""
    options = parsed("--host", server.url, "--model", model(path), "--run-dir", str(run_dir), *arguments)
    prepare(options, [CLASSES[path]], [CLASSES[path].__name__])


@pytest.mark.parametrize("path", PATHS)
def test_every_row_asked_for_wrongly_gets_its_line(
    path: str, ollama: Simulator, other: Simulator, tmp_path: Path
) -> None:
    for row in rows(path):
        server = ollama if is_ollamas(row) else other
        with pytest.raises(UsageError) as error:
            prepared(server, path, "--options", json.dumps({row.field.name: row.wrong}), run_dir=tmp_path)
        assert str(error.value) == row.line
        if row.field.on_ollama == "refused":
            with pytest.raises(UsageError, match=f"Ollama's {path} ignores {row.field.name}"):
                prepared(ollama, path, "--options", json.dumps({row.field.name: example(row.field)}), run_dir=tmp_path)


@pytest.mark.parametrize("path", [path for path in PATHS if path != LM_CHAT])
def test_the_server_answers_wrong_values_as_the_table_says(path: str, ollama: Simulator) -> None:
    limit = {"options": {"num_predict": 3}} if path.startswith("/api/") else {"max_tokens": 3, "max_output_tokens": 3}
    base = {
        "model": model(path),
        "prompt": "Hi",
        "messages": [{"role": "user", "content": "Hi"}],
        "input": "Hi",
        "stream": False,
        **limit,
    }
    wrong = []
    for row in rows(path):
        if row.field.sent_as:
            continue
        given = {row.field.name: row.wrong}
        body = {**base, "options": {"num_predict": 3, **given}} if row.field.place == "options" else {**base, **given}
        answer = ollama.ask("POST", path, body)
        if str(answer.status) != row.server.partition(",")[0]:
            wrong.append((row.field.name, row.server, answer.status, answer.body[:90]))
    assert not wrong, "\n".join(map(str, wrong))
