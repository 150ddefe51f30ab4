"""The endpoints that embed: /api/embed, /api/embeddings and /v1/embeddings. Never a stream."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from tokenswarm.simulator.api import openai
from tokenswarm.simulator.api.answer import JSON, HttpAnswer, Request, answer_error
from tokenswarm.simulator.api.gojson import check_types, quote
from tokenswarm.simulator.api.request import Refused, check_options, keep_alive
from tokenswarm.simulator.engine.loader import Busy, TooBig
from tokenswarm.simulator.engine.schedule import Job, Timing
from tokenswarm.simulator.model import vectors
from tokenswarm.simulator.model.faults import BUSY
from tokenswarm.simulator.model.models import Model
from tokenswarm.simulator.model.names import full_name
from tokenswarm.simulator.model.tokens import count_tokens
from tokenswarm.simulator.server import Server

_MARKS = 2  # the tokens that begin and end each text
_NOT_AN_EMBEDDER = "This server does not support embeddings. Start it with `--embeddings`"
_TOO_LONG = "the input length exceeds the context length"
_SUPPORTED = 'Supported values: ["float", "base64"].'


@dataclass
class _Waiting:
    """The engine's sink for one batch: its time, once all of it has been evaluated."""

    timing: asyncio.Future[Timing] = field(default_factory=lambda: asyncio.get_running_loop().create_future())

    def token(self, number: int, due_ns: int) -> None:
        """Never called: nothing is generated."""

    def finish(self, due_ns: int, timing: Timing) -> None:
        """The batch is through."""
        if not self.timing.done():
            self.timing.set_result(timing)


async def embed(server: Server, request: Request) -> HttpAnswer:
    """POST /api/embed."""
    body = request.fields()
    check_types(
        body, "EmbedRequest", {"model": "string", "truncate": "bool", "dimensions": "integer", "options": "object"}
    )
    given, name = body.get("input"), body.get("model") or ""
    texts = _texts(given)
    model = _find(server, name)
    head = f'{{"model":{quote(name)},"embeddings":['
    if not texts or given == "":
        return HttpAnswer(200, f"{head}]}}".encode(), JSON)
    check_options(body.get("options") or {})
    counts, timing = await _evaluate(server, model, texts, body, truncate=body.get("truncate") is not False)
    told = f'"total_duration":{timing.total_ns},"load_duration":{timing.load_ns},"prompt_eval_count":{sum(counts)}'
    length, dimensions = model.embedding_length, body.get("dimensions")
    said = await _worded(texts, lambda text: vectors.as_json(text, length, dimensions))
    return HttpAnswer(200, f"{head}{','.join(said)}],{told}}}".encode(), JSON)


async def embeddings(server: Server, request: Request) -> HttpAnswer:
    """POST /api/embeddings, the older one: one text, no counts, never truncated; its errors of the model are 500."""
    body = request.fields()
    text = body.get("prompt") or ""
    if not isinstance(text, str):
        raise ValueError("json: cannot unmarshal into Go struct field EmbeddingRequest.prompt of type string")
    model = _find(server, str(body.get("model") or ""))
    if not text:
        return HttpAnswer(200, b'{"embedding":[]}', JSON)
    try:
        await _evaluate(server, model, [text], body, truncate=False)
    except Refused as refused:
        return answer_error(503 if refused.status == 503 else 500, str(refused))
    worded = vectors.as_json(text, model.embedding_length, doubles=True)
    return HttpAnswer(200, f'{{"embedding":{worded}}}'.encode(), JSON)


async def v1_embeddings(server: Server, request: Request) -> HttpAnswer:
    """POST /v1/embeddings."""
    try:
        body = request.fields()
        check_types(body, "EmbedRequest", {"model": "string", "dimensions": "integer"})
        form = body.get("encoding_format") or "float"
        if form not in ("float", "base64"):
            raise ValueError(f"Invalid value for 'encoding_format' = {form}. {_SUPPORTED}")
        given, name = body.get("input"), body.get("model") or ""
        if given is None or given == []:
            raise ValueError("invalid input")
    except ValueError as error:
        return HttpAnswer(400, openai.error_body(400, str(error), early=True), openai.EARLY_TYPE)
    try:
        texts = _texts(given)
        model = _find(server, name)
        counts, _timing = await _evaluate(server, model, texts, body, truncate=True)
    except (ValueError, Refused) as error:
        status = error.status if isinstance(error, Refused) else 400
        return HttpAnswer(status, openai.error_body(status, str(error)), openai.WHOLE_TYPE)
    length, dimensions = model.embedding_length, body.get("dimensions")
    word = vectors.as_base64 if form == "base64" else vectors.as_json
    said = await _worded(texts, lambda text: word(text, length, dimensions))
    data = ",".join(
        f'{{"object":"embedding","embedding":{one},"index":{place}}}' for place, one in enumerate(said)
    )  # fmt: skip
    usage = f'"usage":{{"prompt_tokens":{sum(counts)},"total_tokens":{sum(counts)}}}'
    whole = f'{{"object":"list","data":[{data}],"model":{quote(name)},{usage}}}\n'
    return HttpAnswer(200, whole.encode(), openai.WHOLE_TYPE)


def _texts(given: Any) -> list[str]:
    if given is None:
        return []
    if isinstance(given, str):
        return [given]
    if isinstance(given, list) and all(isinstance(one, str) for one in given):
        return given
    raise ValueError("invalid input type")


def _find(server: Server, name: str) -> Model:
    model = server.models.get(full_name(name))
    if model is None:
        raise Refused(404, f'model "{name}" not found, try pulling it first')
    return model


async def _evaluate(
    server: Server, model: Model, texts: list[str], body: dict[str, Any], *, truncate: bool
) -> tuple[list[int], Timing]:
    """Load the model and evaluate the texts as one batch in one slot: the tokens of each, and the time."""
    keep_alive_ns = keep_alive(body.get("keep_alive"))
    limit = model.context_tokens
    counts = [count_tokens(text) + _MARKS for text in texts]
    if model.embeds and not truncate and max(counts) > limit:
        raise Refused(400, _TOO_LONG)
    counts = [min(count, limit) for count in counts]
    sink = _Waiting()
    job = Job(model, "", sum(counts), 0, sink, keep_alive_ns, embeds=model.embeds)
    try:
        server.engine.submit(job)
    except Busy:
        raise Refused(503, BUSY) from None
    except TooBig as error:
        raise Refused(500, str(error)) from None
    try:
        server.pacer.arm()
        timing = await sink.timing
    finally:
        server.engine.cancel(job)
        server.pacer.arm()
    if not model.embeds:
        raise Refused(501, _NOT_AN_EMBEDDER)
    server.ledger.prompt_tokens += sum(counts)
    server.ledger.vectors += len(texts)
    return counts, timing


async def _worded(texts: list[str], word: Callable[[str], str]) -> list[str]:
    """The vectors as JSON; between two of them other things that are due come first."""
    said: list[str] = []
    for text in texts:
        said.append(word(text))
        await asyncio.sleep(0)
    return said
