"""The endpoints that change which models there are: copy, delete, create, pull, push. All of it is lost at the end."""

import asyncio
import time
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

from tokenswarm.simulator.api import races, registry
from tokenswarm.simulator.api.answer import SUCCESS, HttpAnswer, Request, answer_error, answer_steps
from tokenswarm.simulator.api.gojson import check_types, encode
from tokenswarm.simulator.api.listing import digest
from tokenswarm.simulator.api.request import Refused
from tokenswarm.simulator.model.names import Name, parse
from tokenswarm.simulator.server import Server

_LAYER_S = 0.01  # creating a model takes the real one 45 to 60 ms
_NEW_LAYERS = ("template", "system", "license", "parameters", "messages")
_QUANTIZATIONS = ("F32", "F16", "Q4_K_S", "Q4_K_M", "Q8_0")

Steps = AsyncIterator[dict[str, Any]]


async def copy(server: Server, request: Request) -> HttpAnswer:
    """POST /api/copy."""
    body = request.fields()
    source, target = parse(str(body.get("source") or "")), parse(str(body.get("destination") or ""))
    if source is None or target is None:
        what = "source" if source is None else "destination"
        return answer_error(400, f'{what} "{body.get(what) or ""}" is invalid')
    model = server.models.get(source.full())
    if model is None:
        return answer_error(404, f'model "{body["source"]}" not found')
    manifest = model.manifest or model.name
    made = replace(model, name=target.full(), blob=model.weights, manifest=manifest, modified_ns=time.time_ns())
    await races.put(server, made)
    return HttpAnswer(200)


async def delete(server: Server, request: Request) -> HttpAnswer:
    """DELETE /api/delete."""
    body = request.fields()
    text = str(body.get("model") or body.get("name") or "")
    name = parse(text)
    if name is None:
        return answer_error(400, f'name "{text}" is invalid')
    if lost := await races.lose_race(server, name):
        return answer_error(*lost)
    return HttpAnswer(200) if server.drop(name.full()) else answer_error(404, f"model '{text}' not found")


async def create(server: Server, request: Request) -> HttpAnswer:
    """POST /api/create."""
    body, name = _named(request)
    strings = dict.fromkeys(("from", "system", "template", "quantize"), "string")
    check_types(body, "CreateRequest", {**strings, "parameters": "object", "files": "object"})
    return await answer_steps(_create(server, name, body), stream=body.get("stream") is not False)


async def pull(server: Server, request: Request) -> HttpAnswer:
    """POST /api/pull."""
    body, name = _named(request)
    return await answer_steps(registry.pull(server, name), stream=body.get("stream") is not False)


async def push(server: Server, request: Request) -> HttpAnswer:
    """POST /api/push."""
    body, name = _named(request)
    insecure = bool(body.get("insecure"))
    return await answer_steps(registry.push(server, name, insecure=insecure), stream=body.get("stream") is not False)


def _named(request: Request) -> tuple[dict[str, Any], Name]:
    body = request.fields()
    name = parse(str(body.get("model") or body.get("name") or ""))
    if name is None:
        raise ValueError("invalid model name")
    return body, name


async def _create(server: Server, name: Name, body: dict[str, Any]) -> Steps:
    """Make a model of another, with parameters, a system prompt and a template of its own."""
    base = parse(str(body.get("from") or ""))
    if body.get("files"):
        yield {"status": "parsing GGUF"}
        raise Refused(400, "supplied file was not in GGUF format")
    if base is None:
        raise Refused(400, "neither 'from' or 'files' was specified", early=True)
    if base.full() not in server.models:
        async for step in registry.pull(server, base):
            if step != SUCCESS:
                yield step
    source = server.models[base.full()]
    _check(body)
    yield {"status": f"using existing layer sha256:{digest(source.weights)}"}
    if "template" not in body:
        await asyncio.sleep(_LAYER_S)
        yield {"status": f"using existing layer sha256:{digest(source.template)}"}
    for layer in _NEW_LAYERS:
        if body.get(layer):
            await asyncio.sleep(_LAYER_S)
            yield {"status": f"creating new layer sha256:{digest(str(body[layer]))}"}
    await asyncio.sleep(_LAYER_S)
    yield {"status": "writing manifest"}
    made = replace(
        source,
        name=name.full(),
        modified_ns=time.time_ns(),
        parent=source.name,
        blob=source.weights,
        manifest=f"{source.name} {encode(body).decode()}",
        system=body.get("system") or source.system,
        template=body.get("template") or source.template,
        parameters={**source.parameters, **(body.get("parameters") or {})},
    )
    await races.put(server, made)
    yield SUCCESS


def _check(body: dict[str, Any]) -> None:
    """What the real one finds before its first line. Parameters of a wrong type are found by each run only."""
    template = str(body.get("template") or "")
    if template.count("{{") != template.count("}}"):
        line = template[: template.rfind("{{")].count("\n") + 1
        raise Refused(400, f"template error: template: :{line}: unclosed action", early=True)
    quantize = str(body.get("quantize") or body.get("quantization") or "").upper()
    if quantize and quantize not in _QUANTIZATIONS:
        known = ", ".join(_QUANTIZATIONS)
        raise Refused(500, f"unsupported quantization type {quantize} - supported types are {known}", early=True)
    if quantize:
        raise Refused(500, "quantization is only supported for F16 and F32 models", early=True)
