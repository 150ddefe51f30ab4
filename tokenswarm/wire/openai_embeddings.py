"""OpenAI's /v1/embeddings: one JSON object with all vectors, as numbers or as base64 of little-endian float32."""

import sys
from array import array
from base64 import b64decode
from typing import Any

from tokenswarm.payloads.prompt import Prompt
from tokenswarm.wire import embeddings, lenient, openai
from tokenswarm.wire.body import encode_body
from tokenswarm.wire.numbers import count
from tokenswarm.wire.values import Ask, Call, Chunk

PATH = "/v1/embeddings"
done_by_sentinel = False


def build(prompt: Prompt, ask: Ask) -> Call:
    """The request for a prompt's texts."""
    given = {**ask.fields, **prompt.fields}
    body: dict[str, Any] = {"model": ask.model, "input": list(embeddings.texts(prompt)), **given}
    return Call("POST", PATH, embeddings.HEADERS, encode_body(body, given))


def read(ns: int, frame: dict[str, Any]) -> Chunk:
    """The whole answer: `data`, whose `index`, where it says one, must name each text once, and `usage`.

    Raises TypeError and ValueError on data of another shape.
    """
    data = frame.get("data") or frame.get("embeddings")
    if not data and (failed := openai.error(ns, frame)):
        return failed
    data = [data] if isinstance(data, dict) and data else data or []
    if not isinstance(data, list):
        raise TypeError("data is no list")
    indexes = (count(lenient.as_mapping(item).get("index")) for item in data)
    places = sorted(index for index in indexes if index is not None)
    if data and len(places) == len(data) and places != list(range(places[0], places[0] + len(data))):  # from 0 or 1 on
        raise ValueError("the indexes of data are not those of the texts")
    usage = openai.usage(frame)
    if usage:
        usage = usage._replace(output_tokens=None, source=None)  # vLLM says 0: nothing was generated
    vectors = (_vector(item if isinstance(item, list) else lenient.as_mapping(item).get("embedding")) for item in data)
    return Chunk(ns, usage=usage, done=True, embeddings=embeddings.look(vectors))


def _vector(said: object) -> object:
    if isinstance(said, dict) and len(said) == 1:  # by its type, as Cohere has it
        (said,) = said.values()
    if isinstance(said, list) and len(said) == 1 and isinstance(said[0], list):
        (said,) = said  # a row of a matrix, as llama.cpp's own endpoint has it
    if not isinstance(said, str):
        return said  # what is no list is found out when it is looked at
    numbers = array("f", b64decode(said, validate=True))
    if sys.byteorder == "big":
        numbers.byteswap()
    return numbers
