"""Drives rows of docs/api.md through Locust, and finds them on the wire."""

import json
from pathlib import Path
from typing import Any

from locust_process import folder, headless
from tape import taped

from docs.generate.api_table import CLASSES, NO_KEY, OWN_KEY, TableRow
from tokenswarm.payloads.request_fields import Field, example

ABILITIES = ("suffix", "images", "tools")  # what not every model can do


def line(field: Field) -> dict[str, Any]:
    """A payload line whose one purpose is this field; its id is the field's name."""
    asked: dict[str, Any] = {"id": field.name, "prompt": "Hi"}
    value = example(field)
    if field.name in ("instructions", "system_prompt"):
        asked["system"] = value
    elif field.name == "input" and not {"/v1/responses", "/api/v1/chat"} & {*field.paths}:
        asked["inputs"] = value
    elif field.name in ("system", "images", "tools", *OWN_KEY):
        asked[OWN_KEY.get(field.name, field.name)] = value
    elif not field.by and field.name not in NO_KEY:
        asked["options" if field.place == "options" else "fields"] = {field.name: value}
    return asked


def on_the_wire(field: Field, body: dict[str, Any]) -> object:
    """What the body has of a field, where the API looks for it."""
    name = field.sent_as or field.name
    return (body["options"] if field.place == "options" or name == "num_predict" else body)[name]


NOW = {"name": "now"}
TOOLS = {
    "/v1/responses": [{"type": "function", **NOW, "parameters": {"type": "object"}}],
    "/v1/messages": [{**NOW, "input_schema": {"type": "object"}}],
}


def wanted(path: str, field: Field) -> object:
    """What it should have."""
    value = example(field)
    if path == "/api/v1/chat" and field.name == "think":
        return "off"
    effort = {"low": "low"}.get(str(value), "medium" if value else "none")
    sent_as: dict[str, object] = {
        "response_format": {"type": "json_object"},
        "text": {"format": {"type": "json_object"}},
        "output_config": {"format": {"type": "json_schema", "schema": {"type": "object"}}},
        "reasoning_effort": effort,
        "reasoning": {"effort": effort},
        "thinking": {"type": "enabled", "budget_tokens": 1024} if value else {"type": "disabled"},
    }
    if field.sent_as in sent_as:
        return sent_as[field.sent_as]
    own = {"messages": [{"role": "user", "content": "Hi"}], "tools": TOOLS.get(path, value)}
    return own.get(field.name, value)


def drive(url: str, path: str, model: str, rows: list[TableRow], run_dir: Path, *, able: bool = True) -> None:
    """One Locust run with a payload line for each row: each must be on the wire, and answered.

    What not every model can do may be refused by one that is not `able`.
    """
    payloads = run_dir.with_suffix(".jsonl")
    payloads.write_text("".join(json.dumps(line(row.field)) + "\n" for row in rows))
    load = (CLASSES[path].__name__, "--model", model, "--payloads", str(payloads), "--max-tokens", "8", "--users", "1")
    given = {row.field.name: example(row.field) for row in rows if row.field.name in NO_KEY}
    load += ("--options", json.dumps(given)) if given else ()
    with taped(url) as (proxy, tape):
        done = headless(
            proxy, run_dir, *load, "--run-time", "100s", "--no-report", locustfile="tests/support/every_prompt.py"
        )
    assert done.returncode in (0, 1), done.stderr
    run = folder(run_dir)
    seen = {row["prompt_id"]: row for row in reversed(run.rows)}  # the first: the run's end cuts what comes after
    for field in (row.field for row in rows):
        answer = seen[field.name]
        asked = tape.asked[f"{run.run['run']}-{answer['worker']}-{answer['sequence']}"]
        right = model if field.name == "model" else wanted(path, field)
        assert on_the_wire(field, json.loads(asked.partition(b"\r\n\r\n")[2])) == right, (path, field.name)
        outcomes = ("ok",) if able or field.name not in ABILITIES else ("ok", "http_error")
        assert (answer["endpoint"], answer["outcome"] in outcomes) == (path, True), (field.name, answer["error"])
