"""Ollama's /api/embed: one JSON object with all vectors; it is never streamed."""

from typing import Any

from tokenswarm.payloads.prompt import Prompt
from tokenswarm.wire import embeddings, errors, lenient, ollama
from tokenswarm.wire.body import encode_body
from tokenswarm.wire.values import Ask, Call, Chunk

PATH = "/api/embed"
done_by_sentinel = False


def build(prompt: Prompt, ask: Ask) -> Call:
    """The request for a prompt's texts."""
    given = {**ask.fields, **prompt.fields}
    body: dict[str, Any] = {"model": ask.model, "input": list(embeddings.texts(prompt)), **given}
    if options := {name: value for name, value in {**ask.options, **prompt.options}.items() if value is not None}:
        body["options"] = options
    return Call("POST", PATH, embeddings.HEADERS, encode_body(body, given))


def read(ns: int, frame: dict[str, Any]) -> Chunk:
    """The whole answer: `embeddings`, and `prompt_eval_count`, which is that of all texts together.

    One vector that is in no list of them counts as one. Raises TypeError where there are none at all.
    """
    vectors = frame.get("embeddings", frame.get("embedding"))
    if vectors is None and isinstance(data := frame.get("data"), list):  # as OpenAI has it
        vectors = [lenient.as_mapping(item).get("embedding") for item in data]
    if not vectors and (failed := errors.find_error(frame)):
        return Chunk(ns, error=failed)
    if not isinstance(vectors, list):
        raise TypeError("no list of embeddings")
    alone = any(isinstance(one, float) for one in vectors) and not any(isinstance(one, list) for one in vectors)
    return Chunk(ns, usage=ollama.usage(frame), done=True, embeddings=embeddings.look([vectors] if alone else vectors))
