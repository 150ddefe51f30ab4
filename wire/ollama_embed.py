"""Ollama's /api/embed: one JSON object with all vectors; it is never streamed."""

from typing import Any

import orjson

from payloads.prompt import Prompt
from wire import embeddings, ollama
from wire.values import Ask, Call, Chunk

PATH = "/api/embed"
done_by_sentinel = False


def build(prompt: Prompt, ask: Ask) -> Call:
    """The request for a prompt's texts."""
    body: dict[str, Any] = {"model": ask.model, "input": list(embeddings.texts(prompt)), **ask.fields, **prompt.fields}
    if options := {**ask.options, **prompt.options}:
        body["options"] = options
    return Call(
        "POST", PATH, (("Content-Type", "application/json"), ("Accept", "application/json")), orjson.dumps(body)
    )


def read(ns: int, frame: dict[str, Any]) -> Chunk:
    """The whole answer: `embeddings`, and `prompt_eval_count`, which is that of all texts together."""
    if frame.get("error") is not None:
        return ollama.chunk(ns, frame, "", "")
    return Chunk(ns, usage=ollama.usage(frame), done=True, embeddings=embeddings.look(frame["embeddings"]))
