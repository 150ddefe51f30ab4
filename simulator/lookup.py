"""The endpoints that only look something up."""

import time
from collections.abc import Callable

from simulator import listing, models, openai
from simulator.answer import Answer, Request, failed, said
from simulator.gojson import decode, encode
from simulator.pacer import wall_minus_clock_ns
from simulator.server import Server

Endpoint = Callable[[Server, Request], Answer]


def _root(_server: Server, _request: Request) -> Answer:
    return Answer(200, b"Ollama is running", b"text/plain; charset=utf-8")


def _version(server: Server, _request: Request) -> Answer:
    return said({"version": server.settings.version})


def _stats(server: Server, _request: Request) -> Answer:
    return said(server.stats())


def _tags(server: Server, _request: Request) -> Answer:
    return said(listing.tags(server.models.values()))


def _ps(server: Server, _request: Request) -> Answer:
    resident = server.engine.loader.resident(time.monotonic_ns())
    return said(listing.running(resident, server.settings.vram, wall_minus_clock_ns()))


def _show(server: Server, request: Request) -> Answer:
    try:
        fields = decode(request.body)
    except ValueError as error:
        return failed(400, str(error))
    name = models.full_name(str(fields.get("model") or fields.get("name") or ""))
    model = server.models.get(name)
    return failed(404, f"model '{name}' not found") if model is None else said(listing.show(model))


def _v1_models(server: Server, _request: Request) -> Answer:
    return Answer(200, encode(listing.openai_list(server.models.values())) + b"\n", openai.WHOLE_TYPE)


def _v1_model(server: Server, request: Request) -> Answer:
    name = request.path.removeprefix("/v1/models/")
    if models.full_name(name) in server.models:
        return Answer(200, encode(listing.openai_model(name)) + b"\n", openai.WHOLE_TYPE)
    return Answer(404, openai.error_body(404, f"model '{name}' not found"), openai.WHOLE_TYPE)


# Path (one that ends with a slash takes what follows): methods, and who answers.
ENDPOINTS: dict[str, tuple[tuple[str, ...], Endpoint]] = {
    "/": (("GET", "HEAD"), _root),
    "/api/version": (("GET", "HEAD"), _version),
    "/api/tags": (("GET", "HEAD"), _tags),
    "/api/ps": (("GET",), _ps),
    "/api/show": (("POST",), _show),
    "/v1/models": (("GET",), _v1_models),
    "/v1/models/": (("GET",), _v1_model),
    "/sim/stats": (("GET",), _stats),
}
