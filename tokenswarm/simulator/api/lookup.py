"""The endpoints that only look something up."""

import time

from tokenswarm.simulator.api import listing, openai
from tokenswarm.simulator.api.answer import Answer, Request, failed, said
from tokenswarm.simulator.api.engines import OWNERS
from tokenswarm.simulator.api.gojson import encode
from tokenswarm.simulator.engine.pacer import wall_minus_clock_ns
from tokenswarm.simulator.model.names import full_name
from tokenswarm.simulator.server import Server


def root(_server: Server, _request: Request) -> Answer:
    """GET /."""
    return Answer(200, b"Ollama is running", b"text/plain; charset=utf-8")


def version(server: Server, _request: Request) -> Answer:
    """GET /api/version."""
    return said({"version": server.settings.version})


def stats(server: Server, _request: Request) -> Answer:
    """GET /sim/stats."""
    return said(server.stats())


def tags(server: Server, _request: Request) -> Answer:
    """GET /api/tags."""
    return said(listing.tags(server.models.values()))


def ps(server: Server, _request: Request) -> Answer:
    """GET /api/ps."""
    resident = server.engine.loader.resident(time.monotonic_ns())
    return said(listing.running(resident, server.settings.vram, wall_minus_clock_ns()))


def show(server: Server, request: Request) -> Answer:
    """POST /api/show."""
    fields = request.fields()
    asked = str(fields.get("model") or fields.get("name") or "")
    if not asked:
        return failed(400, "model is required")
    name = full_name(asked)
    model = server.models.get(name)
    if model is None:
        return failed(404, f"model '{name}' not found")
    return said(listing.show(model, verbose=fields.get("verbose") is True))


def v1_models(server: Server, _request: Request) -> Answer:
    """GET /v1/models."""
    owner = OWNERS.get(server.settings.engine, "library")
    return Answer(200, encode(listing.openai_list(server.models.values(), owner)) + b"\n", openai.WHOLE_TYPE)


def v1_model(server: Server, request: Request) -> Answer:
    """GET /v1/models/NAME."""
    name = request.path.removeprefix("/v1/models/")
    if full_name(name) in server.models:
        return Answer(200, encode(listing.openai_model(name)) + b"\n", openai.WHOLE_TYPE)
    return Answer(404, openai.error_body(404, f"model '{full_name(name)}' not found"), openai.WHOLE_TYPE)
