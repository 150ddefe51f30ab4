"""Embedding requests are built as the servers take them, and what comes back is looked at vector by vector."""

from base64 import b64encode
from struct import pack
from typing import Any

import orjson
import pytest
from embedding_answers import answered
from hypothesis import given
from hypothesis import strategies as st

from tokenswarm.payloads.batch import MOST, batch
from tokenswarm.payloads.distribution import parse
from tokenswarm.payloads.mix import Mix
from tokenswarm.payloads.prompt import Message, Prompt
from tokenswarm.wire import ollama_embed, openai_embeddings
from tokenswarm.wire.values import Api, Ask, Embeddings

ASK = Ask("minilm", options={"num_ctx": 256}, fields={"keep_alive": "10m"})
PROMPT = Prompt("p", (Message("system", "s"), Message("user", "one")))


def test_what_is_sent() -> None:
    body = orjson.loads(ollama_embed.build(PROMPT, ASK).body)
    assert body == {"model": "minilm", "input": ["one"], "keep_alive": "10m", "options": {"num_ctx": 256}}
    several = Prompt("p", PROMPT.messages, inputs=("a", "b"), fields={"encoding_format": "base64", "dimensions": 8})
    body = orjson.loads(openai_embeddings.build(several, Ask("minilm")).body)
    assert body == {"model": "minilm", "input": ["a", "b"], "encoding_format": "base64", "dimensions": 8}


@given(st.lists(st.lists(st.floats(-1, 1, width=32), min_size=4, max_size=4), min_size=1, max_size=5))
def test_base64_says_the_same_as_numbers(vectors: list[list[float]]) -> None:
    numbers = {"data": [{"embedding": vector, "index": n} for n, vector in enumerate(vectors)]}
    packed = {
        "data": [
            {"embedding": b64encode(pack("<4f", *vector)).decode(), "index": n} for n, vector in enumerate(vectors)
        ]
    }
    assert answered(openai_embeddings, numbers) == answered(openai_embeddings, packed)


@pytest.mark.parametrize(
    ("vectors", "seen"),
    [
        ([[1.0, 0.5], [0.1, 0.2]], Embeddings(2, 2, 0)),
        ([[1.0, 0.5], [0.1]], Embeddings(2, 2, 1)),
        ([[0.0, 0.0], [1, 2]], Embeddings(2, 2, 1)),
        ([[None, 0.5]], Embeddings(1, 2, 1)),
        ([["x", 0.5]], Embeddings(1, 2, 1)),
        ([[]], Embeddings(1, 0, 1)),
        ([[1e308, 1e308]], Embeddings(1, 2, 0)),
        ([], Embeddings(0, 0, 0)),
    ],
)
def test_bad_vectors_are_counted(vectors: list[Any], seen: Embeddings) -> None:
    assert answered(ollama_embed, {"embeddings": vectors}) == (seen, "ok", "")


def test_infinity_and_nan_which_json_does_not_have() -> None:
    assert answered(ollama_embed, b'{"embeddings":[[NaN,1],[Infinity,1],[1,1]]}')[0] == Embeddings(3, 2, 2)


@pytest.mark.parametrize(
    ("api", "frame"),
    [
        (ollama_embed, {"embeddings": None}),
        (ollama_embed, {"embeddings": ["text"]}),
        (ollama_embed, {"embeddings": [3]}),
        (ollama_embed, {}),
        (openai_embeddings, {"data": [{"embedding": "no base64!", "index": 0}]}),
        (openai_embeddings, {"data": [{"embedding": "AAAA", "index": 0}]}),
        (openai_embeddings, {"data": [{"embedding": [1], "index": 0}, {"embedding": [1], "index": 0}]}),
        (openai_embeddings, {"data": {}}),
    ],
)
def test_another_shape_is_a_protocol_error(api: Api, frame: dict[str, Any]) -> None:
    embeddings, outcome, _ = answered(api, frame)
    if frame == {"data": {}}:
        assert (embeddings, outcome) == (Embeddings(0, 0), "ok")  # judged by the number of texts
    else:
        assert (embeddings, outcome) == (None, "protocol_error")


def test_batches_are_drawn_from_the_place_alone() -> None:
    mix = Mix([Prompt(str(n), (Message("user", f"text {n}"),)) for n in range(50)], seed=3)
    sizes = [len(batch(mix, 0, n, parse("1..64", least=1)).inputs) for n in range(500)]
    assert (min(sizes), max(sizes)) == (1, 64)
    assert batch(mix, 1, 7, parse("8")) == batch(mix, 1, 7, parse("8"))
    assert batch(mix, 1, 7, parse("8")).inputs != batch(mix, 2, 7, parse("8")).inputs
    assert len(batch(mix, 0, 0, parse("100000")).inputs) == MOST
