"""The endpoints that only look something up."""

import time

from tokenswarm.simulator.api import listing, openai
from tokenswarm.simulator.api.answer import HttpAnswer, Request, answer_error, answer_json
from tokenswarm.simulator.api.engines import OWNERS
from tokenswarm.simulator.api.gojson import encode
from tokenswarm.simulator.engine.pacer import wall_minus_clock_ns
from tokenswarm.simulator.model.names import full_name
from tokenswarm.simulator.server import Server


def root(_server: Server, _request: Request) -> HttpAnswer:
    """GET /."""
    return HttpAnswer(200, b"Ollama is running", b"text/plain; charset=utf-8")


def version(server: Server, _request: Request) -> HttpAnswer:
    """GET /api/version."""
    return answer_json({"version": server.settings.version})


def stats(server: Server, _request: Request) -> HttpAnswer:
    """GET /sim/stats."""
    return answer_json(server.stats())


def tags(server: Server, _request: Request) -> HttpAnswer:
    """GET /api/tags."""
    return answer_json(listing.tags(server.models.values()))


def ps(server: Server, _request: Request) -> HttpAnswer:
    """GET /api/ps."""
    resident = server.engine.loader.resident(time.monotonic_ns())
    return answer_json(listing.describe_running(resident, server.settings.vram, wall_minus_clock_ns()))


def show(server: Server, request: Request) -> HttpAnswer:
    """POST /api/show."""
    fields = request.fields()
    asked = str(fields.get("model") or fields.get("name") or "")
    if not asked:
        return answer_error(400, "model is required")
    name = full_name(asked)
    model = server.models.get(name)
    if model is None:
        return answer_error(404, f"model '{name}' not found")
    return answer_json(listing.show(model, verbose=fields.get("verbose") is True))


def v1_models(server: Server, _request: Request) -> HttpAnswer:
    """GET /v1/models."""
    owner = OWNERS.get(server.settings.engine, "library")
    return HttpAnswer(200, encode(listing.openai_list(server.models.values(), owner)) + b"\n", openai.WHOLE_TYPE)


def v1_model(server: Server, request: Request) -> HttpAnswer:
    """GET /v1/models/NAME."""
    name = request.path.removeprefix("/v1/models/")
    if full_name(name) in server.models:
        return HttpAnswer(200, encode(listing.openai_model(name)) + b"\n", openai.WHOLE_TYPE)
    return HttpAnswer(404, openai.error_body(404, f"model '{full_name(name)}' not found"), openai.WHOLE_TYPE)
