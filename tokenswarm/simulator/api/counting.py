"""Endpoints that count a prompt's tokens and generate nothing: llama.cpp's, Anthropic's and OpenAI's; /tokenize."""

from typing import Any

from tokenswarm.simulator.api import gojson
from tokenswarm.simulator.api.answer import HttpAnswer, Request, answer_json
from tokenswarm.simulator.api.readers import read
from tokenswarm.simulator.api.request import Api
from tokenswarm.simulator.server import Server

TOKENIZE = "/tokenize"
APIS: dict[str, Api] = {
    "/v1/chat/completions/input_tokens": "v1_chat",
    "/v1/responses/input_tokens": "v1_responses",
    "/v1/messages/count_tokens": "v1_messages",
}
# By engine; all but llama.cpp's own are said to be vLLM's too.
ONLY = {
    "/v1/chat/completions/input_tokens": ("llama.cpp",),
    "/v1/responses/input_tokens": ("llama.cpp",),
    "/v1/messages/count_tokens": ("llama.cpp", "vllm"),
    TOKENIZE: ("llama.cpp", "vllm"),
}


def count(server: Server, request: Request) -> HttpAnswer:
    """POST …/input_tokens and …/count_tokens."""
    return answer_json({"input_tokens": _tokens(server, APIS[request.path], request.fields())})


def tokenize(server: Server, request: Request) -> HttpAnswer:
    """POST /tokenize: llama.cpp's takes a text, vLLM's a prompt or messages as well."""
    fields = request.fields()
    if "content" in fields:
        text = {"model": next(iter(server.models)), "prompt": fields["content"]}
        return answer_json({"tokens": list(range(_tokens(server, "v1_completions", text)))})
    number = _tokens(server, "v1_chat" if "messages" in fields else "v1_completions", fields)
    return answer_json(
        {"count": number, "max_model_len": server.settings.context_tokens, "tokens": list(range(number))}
    )


def _tokens(server: Server, api: Api, fields: dict[str, Any]) -> int:
    body = gojson.encode({"max_tokens": 1, **fields})
    return read(api, body, server.models, server.settings).prompt_tokens
