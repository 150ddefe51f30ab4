"""What engines say of their own work comes to the same columns; vLLM's, LM Studio's and SGLang's as documented."""

import json
from typing import Any

import pytest
from captures import APIS, read
from literals import FINISH, MS, SENTINEL, WHO, delta, event, seen, sse

from tokenswarm.metrics.catalogue import METRICS

V1_CHAT, V1_COMPLETIONS, RESPONSES = map(APIS.get, ("/v1/chat/completions", "/v1/completions", "/v1/responses"))
COUNTS = {"prompt_tokens": 60, "completion_tokens": 12, "total_tokens": 72}
TIMINGS = {"cache_n": 32, "prompt_n": 28, "prompt_ms": 30.5, "predicted_n": 12, "predicted_ms": 55.25}
VLLM = {"time_to_first_token_ms": 30.5, "generation_time_ms": 55.25, "queue_time_ms": 4.5, "mean_itl_ms": 5.02}
STATS = {"time_to_first_token": 0.0305, "generation_time": 0.05525, "tokens_per_second": 217, "stop_reason": "eosFound"}
LOADED = {
    "time_to_first_token_seconds": 0.03,
    "model_load_time_seconds": 0.02,
    "input_tokens": 60,
    "total_output_tokens": 12,
}
META = {"prompt_tokens": 60, "completion_tokens": 12, "cached_tokens": 32, "queue_time": 0.0045, "e2e_latency": 0.09}
SAID = ("queue_ms", "load_ms", "prompt_eval_ms", "eval_ms", "cached_tokens", "rest_ms")


def columns(api: Any, transcript: Any) -> dict[str, Any]:
    _, builder, verdict = read(api, transcript)
    assert verdict.outcome == "ok"
    record = builder.record(WHO, transcript, *verdict)
    return {metric.name: metric.of(record) for metric in METRICS} | {"engine": record.usage.engine}


def streamed(last: dict[str, Any]) -> Any:
    """100 ms in all."""
    pieces = (*[event(delta(content=f"w{n} ")) for n in range(7)], FINISH, event(last), SENTINEL)
    return sse(*pieces)


@pytest.mark.parametrize(
    ("said", "engine", "right"),
    [
        ({"timings": TIMINGS}, "llama.cpp", (None, None, 30.5, 55.25, 32, 14.25)),
        ({"metrics": VLLM}, "vLLM", (4.5, None, 30.5, 55.25, None, 9.75)),
        ({"metrics": {**VLLM, "queue_time_ms": 0.0}}, "vLLM", (0.0, None, 30.5, 55.25, None, 14.25)),
        ({"metrics": {**VLLM, "generation_time_ms": None}}, "vLLM", (4.5, None, 30.5, None, None, 65.0)),
        ({"metrics": dict.fromkeys(VLLM)}, None, (None,) * 6),
        ({"metrics": {}}, None, (None,) * 6),
        ({"stats": STATS}, "LM Studio", (None, None, 30.5, 55.25, None, 14.25)),
        ({"stats": {**STATS, "model_load_time_seconds": 0.0025}}, "LM Studio", (None, 2.5, 30.5, 55.25, None, 11.75)),
        ({"stats": LOADED}, "LM Studio", (None, 20.0, 30.0, None, None, None)),
        ({"meta_info": META}, "SGLang", (4.5, None, None, None, 32, None)),
    ],
)
def test_an_engines_own_numbers(said: dict[str, Any], engine: str | None, right: tuple[float | None, ...]) -> None:
    streams = streamed({"choices": [], "usage": COUNTS, **said})
    message = {"index": 0, "message": {"role": "assistant", "content": "hi"}, "finish_reason": "stop"}
    whole = json.dumps({"choices": [message], "usage": COUNTS, **said}).encode()
    for transcript in (streams, seen("application/json", (whole,), {"ended_ns": 100 * MS})):
        found = columns(V1_CHAT, transcript)
        assert (found["engine"], found["output_tokens"], found["prompt_tokens"]) == (engine, 12, 60)
        assert tuple(found[name] for name in SAID) == pytest.approx(right)


def test_vllms_time_to_first_token_is_no_ttft() -> None:
    found = columns(V1_CHAT, streamed({"choices": [], "usage": COUNTS, "metrics": VLLM}))
    assert (found["ttft_ms"], found["prompt_eval_ms"]) == (10.0, 30.5)


def test_numbers_on_every_token_are_not_missed() -> None:
    growing = [{**delta(content="w "), "metrics": {"queue_time_ms": 4.5, "time_to_first_token_ms": 30.5}}] * 40
    found = columns(V1_CHAT, sse(*map(event, growing), FINISH, SENTINEL))
    assert (found["queue_ms"], found["prompt_eval_ms"], found["output_chunks"]) == (4.5, 30.5, 40)


def test_completions_and_responses_say_them_too() -> None:
    text = {"choices": [{"index": 0, "text": "hi", "finish_reason": None}]}
    last = {"choices": [], "usage": COUNTS, "metrics": VLLM}
    end = {"choices": [{"index": 0, "text": "", "finish_reason": "stop"}]}
    assert columns(V1_COMPLETIONS, sse(*map(event, (text, end, last)), SENTINEL, ended_ns=100 * MS))["queue_ms"] == 4.5
    item = {"type": "message", "content": [{"type": "output_text", "text": "hi"}]}
    usage = {"input_tokens": 60, "output_tokens": 12}
    done = {"status": "completed", "output": [item], "usage": usage, "metrics": VLLM}
    body = event({"type": "response.output_text.delta", "delta": "hi"})
    body += event({"type": "response.completed", "response": done})
    found = columns(RESPONSES, sse(body, ended_ns=100 * MS))
    assert (found["queue_ms"], found["engine"], found["prompt_tokens"]) == (4.5, "vLLM", 60)


def test_a_queue_that_cannot_be_is_not_believed() -> None:
    found = columns(V1_CHAT, streamed({"choices": [], "usage": COUNTS, "metrics": {**VLLM, "queue_time_ms": 9000}}))
    assert (found["queue_ms"], found["eval_ms"], found["engine"]) == (None, None, None)


def test_what_usage_counts_goes_first() -> None:
    other = {"timings": {**TIMINGS, "predicted_n": 11, "cache_n": 5}}
    usage = {**COUNTS, "prompt_tokens_details": {"cached_tokens": 32}}
    found = columns(V1_CHAT, streamed({"choices": [], "usage": usage, **other}))
    assert (found["output_tokens"], found["cached_tokens"]) == (12, 32)
