"""Which engine it is, by what /v1/models says and how; all but llama.cpp's and Ollama's by their documentation."""

from typing import Any

import pytest

from tokenswarm.preflight.engine import engine_of


def listed(*owners: str, **more: Any) -> dict[str, Any]:
    return {"object": "list", "data": [{"id": f"m{n}", "owned_by": owner, **more} for n, owner in enumerate(owners)]}


@pytest.mark.parametrize(
    ("said", "headers", "engine"),
    [
        (listed("vllm"), {"server": "uvicorn"}, "vLLM"),
        (listed("sglang"), {"server": "uvicorn"}, "SGLang"),
        (listed("llamacpp"), {"server": "llama.cpp"}, "llama.cpp"),
        (listed(""), {"server": "llama.cpp"}, "llama.cpp"),
        (listed("organization_owner", "organization_owner"), {}, "LM Studio"),
        (listed("library", "library"), {}, "Ollama"),
        (listed("openai", "openai", created=1677610602), {"server": "uvicorn"}, "LiteLLM"),
        (listed("vllm"), {"x-litellm-version": "1.80.0"}, "LiteLLM"),
        (listed("openai", created=1754000000), {}, "other"),
        (listed("vllm", "sglang"), {}, "other"),
        (listed(), {}, "other"),
        ({"data": [{"id": "m", "owned_by": 5}]}, {}, "other"),
        ({"data": "no"}, {}, "other"),
        ([{"id": "m", "owned_by": "vllm"}], {}, "other"),
        (None, {}, "other"),
    ],
)
def test_the_engine(said: Any, headers: dict[str, str], engine: str) -> None:
    assert engine_of(said, headers) == engine
