"""Requests of the APIs of others that Ollama speaks: OpenAI's, and in a small form Anthropic's messages."""

import json
from typing import Any

from tokenswarm.simulator.api import gojson
from tokenswarm.simulator.api.request import (
    IMAGE_TOKENS,
    Api,
    GenerationRequest,
    Refused,
    Said,
    check_images,
    check_tools,
    common,
    find,
    fit,
    join_texts,
    output_format,
    wants_call,
)
from tokenswarm.simulator.model import tokens
from tokenswarm.simulator.model.models import Model
from tokenswarm.simulator.settings import SimulatorSettings

_EFFORTS = ("minimal", "low", "medium", "high", "xhigh", "ultra", "max", "none")


def openai(api: Api, body: dict[str, Any], models: dict[str, Model], settings: SimulatorSettings) -> GenerationRequest:
    """Read a body of /v1/chat/completions or /v1/completions; Refused or ValueError with Ollama's words."""
    struct = "ChatCompletionRequest" if api == "v1_chat" else "CompletionRequest"
    types = {"model": "string", "stream": "bool", "max_tokens": "integer", "stream_options": "object", "tools": "array"}
    numbers = dict.fromkeys(("temperature", "top_p", "frequency_penalty", "presence_penalty"), "number")
    asked = {"prompt": "string", "suffix": "string", "seed": "integer", "logprobs": "integer"}
    if api == "v1_chat":
        objects = dict.fromkeys(("response_format", "reasoning"), "object")
        asked = {
            "messages": "array",
            "reasoning_effort": "string",
            "seed": "integer",
            "logprobs": "bool",
            "top_logprobs": "integer",
        } | objects
    gojson.check_types(body, struct, types | numbers | asked)
    effort = _effort(body.get("reasoning_effort") or (body.get("reasoning") or {}).get("effort"))
    if api == "v1_chat":
        if not body.get("messages"):
            raise ValueError("[] is too short - 'messages'")
        said = [_message(message, place) for place, message in enumerate(body["messages"])]
    else:
        text = f"{body.get('prompt') or ''}{body.get('suffix') or ''}"
        said = [Said("user", text, tokens.count_tokens(text))]
    options = _options(body, body.get("max_tokens"))  # max_completion_tokens is ignored, as Ollama does
    wanted = body.get("response_format") or {} if api == "v1_chat" else {}
    schema = (wanted.get("json_schema") or {}).get("schema") if wanted.get("type") == "json_schema" else None
    return _ask(
        api, body, models, settings, said, options, body.get("tools") if api == "v1_chat" else None, effort,
        format="json" if wanted.get("type") == "json_object" else output_format(schema),
        include_usage=(body.get("stream_options") or {}).get("include_usage") is True,
        top_logprobs=int(body.get("top_logprobs") or 0) if body.get("logprobs") is True else None,
    )  # fmt: skip


def messages(
    api: Api, body: dict[str, Any], models: dict[str, Model], settings: SimulatorSettings
) -> GenerationRequest:
    """Read a body of /v1/messages; Refused or ValueError."""
    objects = dict.fromkeys(("thinking", "output_config", "tool_choice", "metadata"), "object")
    numbers = {"max_tokens": "integer", "temperature": "number", "top_p": "number", "top_k": "integer"}
    others = {"model": "string", "stream": "bool", "messages": "array", "tools": "array", "stop_sequences": "array"}
    gojson.check_types(body, "MessagesRequest", objects | numbers | others)
    if not body.get("max_tokens"):
        raise ValueError("max_tokens is required and must be positive")
    if not body.get("messages"):
        raise ValueError("messages is required")
    said = [_message(message, place) for place, message in enumerate(body["messages"])]
    system = body.get("system")
    if system:
        said.insert(0, _message({"role": "system", "content": system}, 0))
    given = body.get("tools") or []
    offered = [{"function": {"name": tool.get("name"), "parameters": tool.get("input_schema")}} for tool in given]
    options = _options({**body, "stop": body.get("stop_sequences")}, body["max_tokens"])
    effort = {"disabled": "none", "enabled": "medium"}.get(str((body.get("thinking") or {}).get("type")))
    wanted = str((body.get("output_config") or {}).get("effort") or "").replace("xhigh", "high")
    effort = effort or (wanted if wanted in ("low", "medium", "high", "max") else None)
    return _ask(api, body, models, settings, said, options, offered, effort)


def responses(
    api: Api, body: dict[str, Any], models: dict[str, Model], settings: SimulatorSettings
) -> GenerationRequest:
    """Read a body of /v1/responses; Refused or ValueError."""
    numbers = {"max_output_tokens": "integer", "temperature": "number", "top_p": "number"}
    others = {"instructions": "string", "reasoning": "object", "text": "object", "truncation": "string"}
    lists = {"tools": "array", "include": "array"}
    gojson.check_types(body, "ResponsesRequest", numbers | others | lists | {"model": "string", "stream": "bool"})
    given = body.get("input")
    items = [{"role": "user", "content": given}] if isinstance(given, str) else given or []
    said = [_item(item, place) for place, item in enumerate(items)]
    if body.get("instructions"):
        said.insert(0, _message({"role": "system", "content": body["instructions"]}, 0))
    offered = [{"function": tool} for tool in body.get("tools") or [] if tool.get("type") == "function"]
    wanted = (body.get("text") or {}).get("format") or {}
    schema = {"json_object": "json", "json_schema": wanted.get("schema")}.get(str(wanted.get("type")))
    kept = ("max_output_tokens", "temperature", "top_p", "tools", "instructions", "reasoning")
    return _ask(
        api, body, models, settings, said, _options(body, body.get("max_output_tokens")), offered,
        _effort((body.get("reasoning") or {}).get("effort")), format=output_format(schema),
        echo={name: body[name] for name in kept if name in body},
    )  # fmt: skip


def lm_studio(
    api: Api, body: dict[str, Any], models: dict[str, Model], settings: SimulatorSettings
) -> GenerationRequest:
    """Read a body of LM Studio's /api/v1/chat; Refused or ValueError."""
    numbers = {"max_output_tokens": "integer", "context_length": "integer", "top_k": "integer"}
    numbers |= dict.fromkeys(("temperature", "top_p", "min_p", "repeat_penalty"), "number")
    others = {"model": "string", "system_prompt": "string", "reasoning": "string", "stream": "bool", "store": "bool"}
    gojson.check_types(body, "chat", numbers | others)
    given, effort = body.get("input"), body.get("reasoning")
    if not given or not isinstance(given, str | list):
        raise ValueError("'input' is required")
    if effort not in (None, "off", "low", "medium", "high", "on"):
        raise ValueError(f"invalid 'reasoning': {effort}")
    parts = [{"type": "text", "text": given}] if isinstance(given, str) else given
    said = [_message({"role": "user", "content": parts}, 0)]
    if body.get("system_prompt"):
        said.insert(0, _message({"role": "system", "content": body["system_prompt"]}, 0))
    options = _options(body, body.get("max_output_tokens"))
    effort = {"off": "none", "on": "medium"}.get(str(effort), effort)
    return _ask(api, body, models, settings, said, options, None, effort)


def _effort(effort: Any) -> str | None:
    if effort is not None and effort not in _EFFORTS:
        words = ", ".join(f'"{one}"' for one in _EFFORTS[:-1])
        raise ValueError(f'invalid reasoning value: "{effort}" (must be {words}, or "none")')
    return str(effort) if effort is not None else None


def _options(body: dict[str, Any], limit: Any) -> dict[str, Any]:
    """Ollama's options of a request of another API."""
    stop = body.get("stop")
    stops = [stop] if isinstance(stop, str) else []
    if isinstance(stop, list):
        stops = [one for one in stop if isinstance(one, str)]
    options: dict[str, Any] = {"stop": stops, "num_predict": max(0, int(limit or 0))}
    return options | {name: body[name] for name in ("temperature", "seed") if body.get(name) is not None}


def _ask(
    api: Api,
    body: dict[str, Any],
    models: dict[str, Model],
    settings: SimulatorSettings,
    said: list[Said],
    options: dict[str, Any],
    tools: Any,
    effort: str | None,
    **more: Any,
) -> GenerationRequest:
    name = body.get("model") or ""
    if not name:
        raise Refused(400, "model is required")
    model = find(name, models, "generate" if api == "v1_completions" else "chat")
    if effort not in (None, "none") and not model.thinks:
        raise Refused(400, f'"{name}" does not support thinking')
    offered = check_tools(model, name, tools, logprobs=more.get("top_logprobs") is not None)
    check_images(model, said)
    overhead = tokens.TEMPLATE_TOKENS + (tokens.count_tokens(json.dumps(tools)) if tools else 0)
    space = fit(said, overhead, model, {**model.parameters, **options}, settings, {})
    one_text = api == "v1_completions"
    thinks = model.thinks and (effort != "none" or model.path == "harmony")
    return GenerationRequest(
        api, name, model, said[0].text if one_text else join_texts(said), stream=body.get("stream") is True,
        thinks=thinks and not (one_text and more.get("format")), **space, **common(options), **more,
        tools=() if more.get("format") is not None else wants_call(offered, said),
    )  # fmt: skip


def _message(message: Any, place: int) -> Said:
    """One message, its content a text or parts; ValueError with Go's words when it is malformed."""
    if not isinstance(message, dict):
        raise ValueError(f"json: cannot unmarshal {gojson.kind(message)} into Go value of type openai.Message")
    content, images, role = message.get("content"), 0, str(message.get("role") or "")
    if isinstance(content, list):
        parts = [part for part in content if isinstance(part, dict)]
        images = sum(_image(part) for part in parts)
        role = "tool" if any(part.get("type") == "tool_result" for part in parts) else role
        content = "".join(str(part.get("text") or part.get("content") or part.get("input") or "") for part in parts)
    if content is not None and not isinstance(content, str):
        raise ValueError(f"invalid message content type: {_go_type(content)}")
    called = "".join(_called(call, place, index) for index, call in enumerate(message.get("tool_calls") or []))
    text = f"{message.get('reasoning') or ''}{content or ''}{called}"
    return Said(role, text, tokens.count_tokens(text) + IMAGE_TOKENS * images, images)


def _item(item: Any, place: int) -> Said:
    """One input item of /v1/responses: a message, or a call or its result."""
    if isinstance(item, dict) and item.get("type") == "function_call_output":
        return _message({"role": "tool", "content": item.get("output")}, place)
    if isinstance(item, dict) and item.get("type") == "function_call":
        return _message({"role": "assistant", "content": f"{item.get('name')}{item.get('arguments')}"}, place)
    return _message(item, place)


def _image(part: dict[str, Any]) -> int:
    """1 if a part is an image; ValueError if it is not one that comes with the request."""
    if part.get("type") in ("image", "input_image"):
        return 1
    if part.get("type") != "image_url":
        return 0
    url = part.get("image_url")
    url = url.get("url") if isinstance(url, dict) else url
    if not str(url).startswith("data:image/"):
        raise ValueError("invalid image input")
    return 1


def _called(call: Any, place: int, index: int) -> str:
    """What an earlier call adds to the prompt; ValueError if its arguments are not JSON in a string."""
    function = call.get("function") or {}
    arguments = function.get("arguments")
    if arguments is not None and not isinstance(arguments, str):
        where = f"ChatCompletionRequest.messages.{place}.tool_calls.{index}.function.arguments"
        raise ValueError(f"json: cannot unmarshal {gojson.kind(arguments)} into Go struct field {where} of type string")
    try:
        json.loads(arguments or "{}")
    except ValueError:
        raise ValueError("invalid tool call arguments") from None
    return f"{function.get('name')}{arguments}"


def _go_type(content: Any) -> str:
    return {"number": "float64", "bool": "bool"}.get(gojson.kind(content), "map[string]interface {}")
