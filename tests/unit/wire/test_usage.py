"""The server's own counts: by all their names, wherever they stand, and of any type."""

from typing import Any

import pytest
from captures import APIS, read
from literals import FINISH, MS, SENTINEL, WHO, delta, event, line, ndjson, sse

from tokenswarm.metrics.catalogue import METRICS

CHAT, V1_CHAT = APIS["/api/chat"], APIS["/v1/chat/completions"]


def used(**usage: object) -> bytes:
    return event({"choices": [], "usage": usage})


@pytest.mark.parametrize(
    ("usage", "seen"),
    [
        ({"prompt_tokens": 60.0, "completion_tokens": "12", "total_tokens": "72.0"}, (60, 12, None, None)),
        ({"prompt_tokens": -1, "completion_tokens": -1, "total_tokens": -1}, (None, None, None, None)),
        ({"prompt_tokens": 60, "completion_tokens": True}, (60, None, None, None)),
        ({"prompt_tokens": 10**18, "completion_tokens": 12}, (None, 12, None, None)),
        ({"prompt_tokens": 60, "completion_tokens": 12, "prompt_tokens_details": []}, (60, 12, None, None)),
        (
            {"prompt_tokens": 60, "completion_tokens": 12, "prompt_tokens_details": {"cached_tokens": "32"}},
            (60, 12, 32, None),
        ),
        (
            {"prompt_tokens": 60, "completion_tokens": 12, "prompt_tokens_details": {"cached_tokens": 0}},
            (60, 12, 0, None),
        ),
        (
            {
                "prompt_tokens": 60,
                "completion_tokens": 12,
                "prompt_cache_hit_tokens": 32,
                "prompt_cache_miss_tokens": 28,
            },
            (60, 12, 32, None),
        ),
        ({"prompt_tokens": 60, "completion_tokens": 12, "cached_tokens": 32}, (60, 12, 32, None)),
        ({"input_tokens": 60, "output_tokens": 12, "input_tokens_details": {"cached_tokens": 32}}, (60, 12, 32, None)),
        (
            {
                "prompt_tokens": 60,
                "completion_tokens": 12,
                "total_tokens": 72,
                "completion_tokens_details": {"reasoning_tokens": 8},
            },
            (60, 12, None, 8),
        ),
        (
            {
                "prompt_tokens": 60,
                "completion_tokens": 12,
                "total_tokens": 72,
                "completion_tokens_details": {"reasoning_tokens": 0},
            },
            (60, 12, None, 0),
        ),
        (
            {
                "prompt_tokens": 60,
                "completion_tokens": 12,
                "total_tokens": 80,
                "completion_tokens_details": {"reasoning_tokens": 8},
            },
            (60, 20, None, 8),
        ),
        (
            {"prompt_tokens": 60, "completion_tokens": 4, "completion_tokens_details": {"reasoning_tokens": 8}},
            (60, 12, None, 8),
        ),
        ({"prompt_tokens": 60, "completion_tokens": 12, "reasoning_tokens": 8}, (60, 12, None, 8)),
    ],
)
def test_usage_by_all_its_names(usage: dict[str, Any], seen: tuple[int | None, ...]) -> None:
    found = read(V1_CHAT, sse(event(delta(content="hi")) + FINISH + used(**usage) + SENTINEL))[1].usage
    assert (found.prompt_tokens, found.output_tokens, found.cached_tokens, found.reasoning_tokens) == seen


@pytest.mark.parametrize("usage", [[], "many", 12, True, [{"completion_tokens": 12}]])
def test_a_usage_that_is_none(usage: object) -> None:
    body = event(delta(content="hi")) + FINISH + event({"choices": [], "usage": usage}) + SENTINEL
    _, builder, verdict = read(V1_CHAT, sse(body))
    assert (verdict.outcome, builder.usage.output_tokens) == ("ok", None)


def test_usage_in_an_event_of_its_own() -> None:
    counts = b'event: usage\ndata: {"prompt_tokens": 60, "completion_tokens": 12}\n\n'
    _, builder, verdict = read(V1_CHAT, sse(event(delta(content="hi")) + FINISH + counts + SENTINEL))
    assert (verdict.outcome, builder.usage[:2]) == ("ok", (60, 12))


def test_usage_wherever_it_stands() -> None:
    usage = {"prompt_tokens": 60, "completion_tokens": 12, "total_tokens": 72}
    finish = delta("stop")
    places = (finish, finish["choices"][0], finish["choices"][0]["delta"])
    for place in (*places, finish.setdefault("x_groq", {}), finish.setdefault("x_other", {})):
        place["usage"] = usage
        body = event(delta(content="hi")) + event(finish) + SENTINEL
        assert read(V1_CHAT, sse(body))[1].usage.output_tokens == 12
        del place["usage"]


def test_a_later_usage_of_zeros_takes_nothing_away() -> None:
    first = used(prompt_tokens=60, completion_tokens=12, total_tokens=72)
    for later in ({"completion_tokens": 0, "total_tokens": 9}, {"prompt_tokens": 0, "completion_tokens": 0}, {}):
        found = read(V1_CHAT, sse(event(delta(content="hi")) + FINISH + first + used(**later) + SENTINEL))[1].usage
        assert (found.prompt_tokens, found.output_tokens, found.source) == (60, 12, "usage")
    growing = b"".join(event({**delta(content="x"), "usage": {"completion_tokens": n}}) for n in (1, 2, 3))
    assert read(V1_CHAT, sse(growing + FINISH + SENTINEL))[1].usage.output_tokens == 3


@pytest.mark.parametrize(
    ("said", "cached", "per_s"),
    [
        ({}, None, 25_000),
        ({"prompt_eval_cached_count": 0}, 0, 25_000),
        ({"prompt_eval_cached_count": 960}, 960, 1000),
        ({"prompt_eval_cached_count": 1000}, 1000, None),
        ({"prompt_eval_cached_count": 1001}, 1001, None),
    ],
)
def test_what_ollama_says_it_had_cached(said: dict[str, int], cached: int | None, per_s: float | None) -> None:
    counts = {"prompt_eval_count": 1000, "prompt_eval_duration": 40 * MS, "eval_count": 1, **said}
    seen = ndjson(b"\n" * 10, line(message={"content": "a"}, done=True, done_reason="stop", **counts), ended_ns=60 * MS)
    _, builder, verdict = read(CHAT, seen)
    record = builder.record(WHO, seen, *verdict)
    found = {metric.name: metric.of(record) for metric in METRICS}
    assert (found["cached_tokens"], found["prompt_tokens_per_s"]) == (cached, per_s)
