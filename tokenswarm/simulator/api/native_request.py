"""Requests of Ollama's own API: /api/chat and /api/generate."""

import base64
import binascii
import json
from typing import Any

from tokenswarm.simulator.api import gojson
from tokenswarm.simulator.api.request import (
    IMAGE_TOKENS,
    GenerationRequest,
    Refused,
    Said,
    check_images,
    check_options,
    check_tools,
    common,
    find,
    fit,
    join_texts,
    keep_alive,
    native_thinks,
    output_format,
    wants_call,
)
from tokenswarm.simulator.model import tokens
from tokenswarm.simulator.model.models import Model, full_name
from tokenswarm.simulator.settings import SimulatorSettings


def chat(body: dict[str, Any], models: dict[str, Model], settings: SimulatorSettings) -> GenerationRequest:
    """Read a body of /api/chat; Refused or ValueError with Ollama's words."""
    types = {"model": "string", "messages": "array", "stream": "bool", "options": "object", "tools": "array"}
    gojson.check_types(body, "ChatRequest", types)
    keep_alive_ns, name = keep_alive(body.get("keep_alive")), body.get("model") or ""
    for place, tool in enumerate(body.get("tools") or []):
        if not isinstance(tool, dict):
            what = f"{gojson.kind(tool)} into ChatRequest.tools.{place}"
            raise ValueError(f"json: cannot unmarshal {what} of type api.Tool")
    said = [_message(message) for message in body.get("messages") or []]
    if not name:
        raise ValueError("model is required")
    model = find(name, models, "chat")
    if said and said[0].role != "system" and model.system:
        said.insert(0, Said("system", model.system, tokens.count_tokens(model.system)))
    thinks = native_thinks(body.get("think"), name, model)
    top = _top(body)
    offered = check_tools(model, name, body.get("tools"), logprobs=top is not None)
    options = _options(body, model)
    wanted = output_format(body.get("format"), streamed=body.get("stream") is not False)
    check_images(model, said)
    overhead = tokens.TEMPLATE_TOKENS + _tool_tokens(body.get("tools"))
    space = fit(said, overhead, model, options, settings, body)
    return GenerationRequest(
        "chat", name, model, join_texts(said), stream=body.get("stream") is not False, thinks=thinks,
        keep_alive_ns=keep_alive_ns, only_loads=not said, format=wanted, top_logprobs=top, **space, **common(options),
        tools=() if wanted is not None else wants_call(offered, said),
        rendered=_rendered(said, offered) if body.get("_debug_render_only") else None,
    )  # fmt: skip


def generate(body: dict[str, Any], models: dict[str, Model], settings: SimulatorSettings) -> GenerationRequest:
    """Read a body of /api/generate; Refused or ValueError with Ollama's words."""
    strings = dict.fromkeys(("model", "prompt", "system", "suffix", "template"), "string")
    others = {"stream": "bool", "raw": "bool", "options": "object", "images": "array", "context": "array"}
    gojson.check_types(body, "GenerateRequest", {**strings, **others})
    keep_alive_ns, name = keep_alive(body.get("keep_alive")), body.get("model") or ""
    images = _images(body.get("images"))
    model = find(name, models, "generate")
    thinks = native_thinks(body.get("think"), name, model)
    suffix = body.get("suffix") or ""
    if suffix and "insert" not in model.capabilities:
        raise Refused(400, f"registry.ollama.ai/library/{full_name(name)} does not support insert")
    options = _options(body, model)
    wanted = output_format(body.get("format"), streamed=body.get("stream") is not False)
    prompt, raw = body.get("prompt") or "", bool(body.get("raw"))
    system = "" if raw else body.get("system") or model.system
    said = [Said("system", system, tokens.count_tokens(system))] if system else []
    context = [token for token in body.get("context") or [] if isinstance(token, int)]
    count = tokens.count_tokens(prompt) + tokens.count_tokens(suffix) + len(context) + IMAGE_TOKENS * images
    user = prompt if not (suffix or context) else f"{prompt}\x1d{suffix}\x1d{context}"
    said.append(Said("user", user, count, images))
    check_images(model, said, 400)
    # What of a raw prompt comes without the template is taken off again: `fit` counts a message's.
    overhead = tokens.BOS_TOKENS - tokens.MESSAGE_TOKENS if raw else tokens.TEMPLATE_TOKENS
    space = fit(said, overhead, model, options, settings, body)
    # Raw, the model is in the middle of a text: it thinks only where that shows it how.
    return GenerationRequest(
        "generate", name, model, join_texts(said) if system else user, stream=body.get("stream") is not False,
        thinks=thinks and wanted is None and (not raw or "<think>" in prompt), keep_alive_ns=keep_alive_ns, raw=raw,
        only_loads=not (prompt or suffix or images), format=wanted, top_logprobs=_top(body), **space, **common(options),
        context=tuple(context), rendered=_rendered(said, ()) if body.get("_debug_render_only") else None,
    )  # fmt: skip


def _options(body: dict[str, Any], model: Model) -> dict[str, Any]:
    """The request's options over the model's own."""
    options = {**model.parameters, **(body.get("options") or {})}
    check_options(options)
    return options


def _top(body: dict[str, Any]) -> int | None:
    bools = dict.fromkeys(("logprobs", "truncate", "shift"), "bool")
    gojson.check_types(body, "ChatRequest", {**bools, "top_logprobs": "integer"})
    top = int(body.get("top_logprobs") or 0)
    if not 0 <= top <= 20:
        raise ValueError("top_logprobs must be between 0 and 20")
    return top if body.get("logprobs") else None


def _images(images: Any) -> int:
    """How many images there are; ValueError with Go's words if one is not base64."""
    for image in images or []:
        try:
            base64.b64decode(str(image), validate=True)
        except (binascii.Error, ValueError):
            raise ValueError("illegal base64 data at input byte 0") from None
    return len(images or [])


def _message(message: Any) -> Said:
    """One message; ValueError with Go's words when it is malformed."""
    if not isinstance(message, dict):
        raise ValueError(f"json: cannot unmarshal {gojson.kind(message)} into Go value of type api.Message")
    strings = dict.fromkeys(("role", "content", "thinking"), "string")
    gojson.check_types(message, "Alias", {**strings, "images": "array"})
    images = _images(message.get("images"))
    calls = message.get("tool_calls") or []
    for call in calls:
        if isinstance((call.get("function") or {}).get("arguments"), str):
            raise ValueError("Value looks like object, but can't find closing '}' symbol")
    called = json.dumps([call.get("function") for call in calls]) if calls else ""
    text = f"{message.get('thinking') or ''}{message.get('content') or ''}{called}"
    return Said(str(message.get("role") or ""), text, tokens.count_tokens(text) + IMAGE_TOKENS * images, images)


def _tool_tokens(tools: Any) -> int:
    return tokens.count_tokens(json.dumps(tools)) if tools else 0


def _rendered(said: list[Said], offered: tuple[dict[str, Any], ...]) -> str:
    """The prompt that a template would make of it."""
    lines = [json.dumps({"type": "function", "function": tool}, separators=(",", ":")) for tool in offered]
    return "\n".join([*lines, *(f"<|{one.role}|>\n{one.text}" for one in said), "<|assistant|>\n"])
