"""Recordings of a real Ollama, and the shape of an answer."""

import json
from typing import Any

from shared_data import DATA, beside
from simulator_process import Answer

CAPTURES = DATA / "captures"


def capture(name: str) -> dict[str, Any]:
    """A recorded exchange; skips (in CI: fails) where the recordings are not at hand."""
    beside("captures")
    found: dict[str, Any] = json.loads((CAPTURES / f"{name}.json").read_text())
    return found


def shape(value: Any) -> Any:
    """Keys in order, and types; of a list its first entry."""
    if isinstance(value, dict):
        return [(key, shape(inner)) for key, inner in value.items()]
    if isinstance(value, list):
        return [shape(value[0])] if value else []
    return type(value).__name__


def head(answer: Answer) -> tuple[int, dict[str, str], set[str]]:
    """Status, content type and Allow, and the names of the fields; whether it closes was ours to ask."""
    kept = {name: answer.headers[name] for name in ("content-type", "allow") if name in answer.headers}
    return answer.status, kept, set(answer.headers) - {"connection", "date"}
