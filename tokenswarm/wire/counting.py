"""Endpoints that say how many tokens a prompt has, and generate nothing: who has which, what is asked, what is said.

Sources: llama.cpp's tools/server/README.md (tried on its real server); Anthropic's and OpenAI's references; vLLM's
documentation of /tokenize, not tried on a real one.
"""

from collections.abc import Mapping
from typing import Any

import orjson

from tokenswarm.payloads.request_fields import MESSAGES, RESPONSES, V1_CHAT, V1_COMPLETIONS
from tokenswarm.wire.numbers import count
from tokenswarm.wire.values import Call

TOKENIZE = "/tokenize"
INPUT_TOKENS, COUNT_TOKENS = "/input_tokens", "/count_tokens"
# By API: those that the APIs themselves have, whoever serves them, and those of an engine.
_OF_ANY = {RESPONSES: RESPONSES + INPUT_TOKENS, MESSAGES: MESSAGES + COUNT_TOKENS}
_OF_ENGINE = {
    "llama.cpp": {**_OF_ANY, V1_CHAT: V1_CHAT + INPUT_TOKENS, V1_COMPLETIONS: TOKENIZE},
    "vLLM": {**_OF_ANY, V1_CHAT: TOKENIZE, V1_COMPLETIONS: TOKENIZE},
    "Ollama": {},
}
# What of a request makes its prompt; some refuse a count that has more.
_OF_PROMPT = (
    *("model", "messages", "prompt", "input", "instructions", "system", "tools", "tool_choice", "thinking"),
    *("reasoning", "text", "chat_template_kwargs"),
)


def question(engine: str, api_path: str, asked: Call) -> Call | None:
    """What asks an engine for the count of a request's prompt; None where it has no such endpoint."""
    path = _OF_ENGINE.get(engine, _OF_ANY).get(api_path)
    if path is None:
        return None
    body = orjson.loads(asked.body)
    if path == TOKENIZE and engine == "llama.cpp":
        kept = {"content": body.get("prompt"), "add_special": True}
    else:
        kept = {name: body[name] for name in _OF_PROMPT if name in body}
    return Call("POST", path, asked.headers, orjson.dumps(kept))


def tokens(said: Mapping[str, Any]) -> int | None:
    """The count in an answer: a number, or the tokens themselves."""
    found = next((count(said[name]) for name in ("input_tokens", "count") if name in said), None)
    listed = said.get("tokens")
    return len(listed) if found is None and isinstance(listed, list) else found
