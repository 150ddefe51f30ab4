"""How other engines than Ollama speak OpenAI's API: what they say of their own work, and whose their models are.

In the shape of their documentation: vLLM's `metrics` (with `--enable-per-request-metrics`), LM Studio's `stats` (on its
own /api/v0; its /api/v1/chat is in `lm_studio`); llama.cpp's `timings` as its real server has them.
"""

from collections.abc import Mapping

from tokenswarm.simulator.api import gojson, lm_studio
from tokenswarm.simulator.api.answer import HttpAnswer, Request, answer_json
from tokenswarm.simulator.engine.schedule import Timing
from tokenswarm.simulator.server import Server
from tokenswarm.simulator.settings import NS_PER_MS, NS_PER_S

OWNERS = {"vllm": "vllm", "llama.cpp": "llamacpp", "lm-studio": "organization_owner", "sglang": "sglang"}
# Paths that only one of them has.
LM_STUDIO_CHAT, PROPS, SLOTS = "/api/v0/chat/completions", "/props", "/slots"
ONLY = {LM_STUDIO_CHAT: "lm-studio", lm_studio.PATH: "lm-studio", PROPS: "llama.cpp", SLOTS: "llama.cpp"}


def own_numbers(engine: str, path: str, prompt_tokens: int, output_tokens: int, timing: Timing) -> str:
    """What stands in an answer beside `usage`, with the comma before it; "" of what says nothing of its own."""
    queue_ns = timing.total_ns - timing.load_ns - timing.prompt_ns - timing.eval_ns
    eval_ms, prompt_ms = timing.eval_ns / NS_PER_MS, timing.prompt_ns / NS_PER_MS
    named: Mapping[str, object] = {}
    if engine == "vllm":
        named = {
            "time_to_first_token_ms": prompt_ms,
            "generation_time_ms": eval_ms,
            "queue_time_ms": (queue_ns + timing.load_ns) / NS_PER_MS,
            "mean_itl_ms": eval_ms / (output_tokens - 1) if output_tokens > 1 else None,
            "tokens_per_second": output_tokens * 1000 / (prompt_ms + eval_ms),
        }
        return f',"metrics":{gojson.encode(named).decode()}'
    if engine == "llama.cpp":
        named = {
            "cache_n": timing.cached_tokens,
            "prompt_n": prompt_tokens - timing.cached_tokens,
            "prompt_ms": prompt_ms,
            "predicted_n": output_tokens,
            "predicted_ms": eval_ms,
        }
        return f',"timings":{gojson.encode(named).decode()}'
    if engine == "lm-studio" and path == LM_STUDIO_CHAT:
        named = {
            "tokens_per_second": output_tokens * NS_PER_S / timing.eval_ns,
            "time_to_first_token": timing.prompt_ns / NS_PER_S,
            "generation_time": timing.eval_ns / NS_PER_S,
            "stop_reason": "eosFound",
        }
        return f',"stats":{gojson.encode(named).decode()}'
    return ""


def props(server: Server, _request: Request) -> HttpAnswer:
    """GET /props: llama.cpp's slots, and the context of each."""
    return answer_json(
        {
            "default_generation_settings": {"n_ctx": server.settings.context_tokens},
            "total_slots": server.settings.parallel,
        }
    )


def slots(server: Server, _request: Request) -> HttpAnswer:
    """GET /slots: which of them is at work."""
    busy, number = len(server.engine.slots), server.settings.parallel
    found = [{"id": at, "n_ctx": server.settings.context_tokens, "is_processing": at < busy} for at in range(number)]
    return HttpAnswer(200, gojson.encode(found), b"application/json; charset=utf-8")
