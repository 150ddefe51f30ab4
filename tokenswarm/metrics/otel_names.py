"""A request by OpenTelemetry's GenAI conventions: its operation, its attributes, and what its numbers are called.

The conventions are "Development", and have renamed their metrics twice: `OLDER` are the names until 2026 (operation.…,
token.usage), `LATEST` those of the repository semantic-conventions-genai (inference.…). See docs/metrics.md.
"""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from tokenswarm.metrics.record import Record
from tokenswarm.payloads.prompt import Prompt
from tokenswarm.wire.values import Ask

# What each endpoint does, in the conventions' words; other endpoints generate nothing.
OPERATIONS = {
    **dict.fromkeys(("/api/chat", "/v1/chat/completions", "/v1/responses", "/v1/messages", "/api/v1/chat"), "chat"),
    **dict.fromkeys(("/api/generate", "/v1/completions"), "text_completion"),
    **dict.fromkeys(("/api/embed", "/v1/embeddings"), "embeddings"),
}
PROVIDERS = {"Ollama": "ollama", "vLLM": "vllm", "llama.cpp": "llama_cpp", "SGLang": "sglang", "LM Studio": "lm_studio"}
# Sampling options by their name in a body and in an attribute, and the attribute's type.
REQUESTED: dict[str, Callable[[float], float]] = {
    **dict.fromkeys(("temperature", "top_p", "top_k", "frequency_penalty", "presence_penalty"), float),
    "seed": int,
}
# The buckets that the conventions ask for: durations in s, and tokens.
SECONDS = tuple(0.01 * 2**n for n in range(14))
TOKENS = tuple(float(4**n) for n in range(14))


class Names(NamedTuple):
    """What a generation of the conventions calls its histograms of durations; `latest` has counters of tokens, too."""

    latest: bool
    duration: str
    first_chunk: str
    chunk_gap: str


OLDER = Names(
    False,
    "gen_ai.client.operation.duration",
    "gen_ai.client.operation.time_to_first_chunk",
    "gen_ai.client.operation.time_per_output_chunk",
)
LATEST = Names(
    True,
    "gen_ai.client.inference.duration",
    "gen_ai.client.inference.time_to_first_chunk",
    "gen_ai.client.inference.time_per_output_chunk",
)


class OtelServer(NamedTuple):
    """Whom the requests go to."""

    address: str
    port: int
    provider: str


def provider_of(target: Mapping[str, Any]) -> str:
    """By run.json's target; of an engine that is not known, the API that it speaks."""
    engine = "Ollama" if target.get("kind") == "ollama" else str(target.get("engine") or "")
    return PROVIDERS.get(engine, "openai")


def error_type(record: Record) -> str:
    """The outcome of a request that is not ok; "" of one that is."""
    return "" if record.outcome == "ok" else record.outcome


def attributes(record: Record, server: OtelServer) -> dict[str, str | int]:
    """Those that metrics and spans of a request share: few values each."""
    who = record.identity
    found: dict[str, str | int] = {
        "gen_ai.operation.name": OPERATIONS[who.endpoint],
        "gen_ai.provider.name": server.provider,
        "gen_ai.request.model": who.model,
        "server.address": server.address,
        "server.port": server.port,
    }
    return found | ({"error.type": kind} if (kind := error_type(record)) else {})


def span_attributes(record: Record, run_id: str) -> dict[str, Any]:
    """Those of a span alone; what is not known is left out. The last ones name the row of requests.csv."""
    who, usage = record.identity, record.usage
    status = record.status if record.status is not None and not 200 <= record.status < 300 else None
    found = {
        "gen_ai.request.stream": record.streamed,
        "gen_ai.request.max_tokens": who.max_tokens or None,
        "gen_ai.conversation.id": None if who.session is None else f"{run_id}-{who.worker}-{who.session}",
        "gen_ai.response.finish_reasons": [record.finish_reason] if record.finish_reason else None,
        "gen_ai.response.time_to_first_chunk": first_chunk_s(record),
        "gen_ai.usage.input_tokens": usage.prompt_tokens,
        "gen_ai.usage.output_tokens": usage.output_tokens,
        "gen_ai.usage.cache_read.input_tokens": usage.cached_tokens,
        "gen_ai.usage.reasoning.output_tokens": usage.reasoning_tokens,
        "http.response.status_code": status,
        "url.path": who.endpoint,
        "tokenswarm.run": run_id,
        "tokenswarm.worker": who.worker,
        "tokenswarm.sequence": who.sequence,
        "tokenswarm.phase": record.phase,
    }
    return {name: value for name, value in found.items() if value is not None}


def noted_attributes(ask: Ask, prompt: Prompt, response_id: str) -> dict[str, Any]:
    """Those of a span alone that a Record does not hold; what was not sent is left out."""
    given: dict[str, Any] = {**ask.options, **ask.fields, **prompt.options, **prompt.fields}
    found: dict[str, Any] = {
        f"gen_ai.request.{name}": kind(value)
        for name, kind in REQUESTED.items()
        if isinstance(value := given.get(name), (int, float)) and not isinstance(value, bool)
    }
    stop = given.get("stop", given.get("stop_sequences"))
    if stop and isinstance(stop, (str, list, tuple)):
        found["gen_ai.request.stop_sequences"] = [stop] if isinstance(stop, str) else [str(one) for one in stop]
    if prompt.format is not None or given.get("response_format") is not None:
        found["gen_ai.output.type"] = "json"
    return found | ({"gen_ai.response.id": response_id} if response_id else {})


def first_chunk_s(record: Record) -> float | None:
    """The conventions' first chunk, whatever is in it: our first byte."""
    return _between_s(record.sent_ns, record.first_byte_ns)


def duration_s(record: Record) -> float | None:
    """Our E2E."""
    return _between_s(record.sent_ns, record.ended_ns)


def _between_s(began_ns: int | None, ended_ns: int | None) -> float | None:
    return None if began_ns is None or ended_ns is None else max(0, ended_ns - began_ns) / 1e9


def token_counts(record: Record) -> dict[str, int | None]:
    """By the last part of the latest counters' names."""
    usage = record.usage
    return {
        "input_tokens": usage.prompt_tokens,
        "output_tokens": usage.output_tokens,
        "cache_read.input_tokens": usage.cached_tokens,
        "reasoning.output_tokens": usage.reasoning_tokens,
    }
