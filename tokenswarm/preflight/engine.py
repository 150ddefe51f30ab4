"""Which engine it is that speaks OpenAI's API: by whose its models are, and by what its answers bear."""

import re
from collections.abc import Mapping
from typing import Any

from tokenswarm.transport.control import objects, text_in

OLLAMA, OTHER = "Ollama", "other"
# `owned_by` of the models in /v1/models.
OWNERS = {
    "vllm": "vLLM",
    "sglang": "SGLang",
    "llamacpp": "llama.cpp",
    "organization_owner": "LM Studio",
    "library": OLLAMA,
}
_SERVERS = re.compile(r"llama\.cpp|vllm|sglang|lm studio|litellm", re.IGNORECASE)
_NAMES = {"llama.cpp": "llama.cpp", "vllm": "vLLM", "sglang": "SGLang", "lm studio": "LM Studio", "litellm": "LiteLLM"}
_LITELLM_CREATED = 1_677_610_602  # LiteLLM says this of every model, whoever made it


def engine_of(said: Any, headers: Mapping[str, str]) -> str:
    """Ollama, llama.cpp, vLLM, SGLang, LM Studio, LiteLLM or `other`, by /v1/models: what it said, and its headers.

    A gateway goes first: what it passes on says whose the models behind it are.
    """
    if any(name.startswith("x-litellm-") for name in headers):
        return "LiteLLM"
    models = objects(said, "data") if isinstance(said, dict) else []
    if models and all(model.get("created") == _LITELLM_CREATED for model in models):
        return "LiteLLM"
    if found := _SERVERS.search(headers.get("server", "")):
        return _NAMES[found[0].lower()]
    owners = {text_in(model, "owned_by") for model in models}
    return OWNERS.get(next(iter(owners)) or "", OTHER) if len(owners) == 1 else OTHER
