"""Durations of a server that cannot be give no rate and a finding; those of real servers all stand."""

from dataclasses import replace
from typing import Any

import pytest
from captures import APIS, load, read, timed
from check_cases import case
from literals import MS, delta, event, line, ndjson, sse

from tokenswarm.metrics.catalogue import METRICS
from tokenswarm.metrics.checks.table import judge
from tokenswarm.metrics.durations import without_doubtful
from tokenswarm.metrics.record import Identity
from tokenswarm.metrics.record_builder import RecordBuilder
from tokenswarm.wire import reading
from tokenswarm.wire.values import Answer, Transcript, Usage

TRUE = Usage(60, 12, total_ns=300 * MS, load_ns=2 * MS, prompt_eval_ns=20 * MS, eval_ns=220 * MS, source="eval_count")

SEEN = Transcript(sent_ns=0, ended_ns=310 * MS)

WHO = Identity(0, 0, "User", "/api/chat", "m", "p", 8)


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ({}, ""),
        ({"eval_ns": 1}, "eval 1e-06 ms, first to last chunk 220 ms"),
        ({"eval_ns": 100 * MS}, "eval 100 ms, first to last chunk 220 ms"),
        ({"eval_ns": 180 * MS}, ""),  # a network that stalled
        ({"total_ns": 340 * MS}, "total 340 ms, e2e 310 ms"),
        ({"total_ns": 315 * MS}, ""),  # another clock
        ({"total_ns": 10**18}, "total 1e+12 ms, e2e 310 ms"),
        ({"total_ns": 100 * MS}, "load, prompt eval and eval 242 ms, total 100 ms"),
        ({"load_ns": 250 * MS, "total_ns": None}, "load, prompt eval and eval 490 ms, e2e 310 ms"),
        ({"prompt_eval_ns": 1}, "prompt eval 1e-06 ms, 60 tokens"),
        ({"prompt_eval_ns": 1, "cached_tokens": 60}, ""),
        ({"eval_ns": None, "prompt_eval_ns": None, "load_ns": None, "total_ns": 1}, "total 1e-06 ms"),
        ({"eval_ns": 1000, "output_tokens": 1}, ""),  # as Ollama says it of one token
        (dict.fromkeys(("total_ns", "load_ns", "prompt_eval_ns", "eval_ns")), None),
    ],
)
def test_what_cannot_be(said: dict[str, Any], why: str | None) -> None:
    kept, doubt = without_doubtful(TRUE._replace(**said), SEEN, 220 * MS)
    assert doubt == why
    if why:
        # One that the work itself took takes all away.
        assert kept.total_ns is None
        assert (kept.eval_ns is None) == (said.get("total_ns") is None or "eval_ns" in said)
    else:
        assert kept == TRUE._replace(**said)


def doubt(usage: Usage, seen: Transcript, span_ns: int | None) -> str | None:
    return without_doubtful(usage, seen, span_ns)[1]


def test_of_an_answer_in_one_piece_too_few_nanoseconds_are_known() -> None:
    assert doubt(TRUE._replace(eval_ns=1), SEEN, None) == "eval 1e-06 ms, 12 tokens"
    assert doubt(TRUE, SEEN, None) == ""


def test_a_step_of_the_clock_is_no_fault_of_the_server() -> None:
    stepped = replace(SEEN, ended_ns=110 * MS, clock_step_ns=-200 * MS)
    assert doubt(TRUE, stepped, 20 * MS) == ""
    assert doubt(TRUE, replace(stepped, clock_step_ns=0), 20 * MS)


def stream(**final: object) -> Transcript:
    words = [line(message={"content": f"w{n} "}, done=False) for n in range(12)]
    return ndjson(*words, line(message={}, done=True, done_reason="stop", eval_count=12, **final))


def test_no_rate_is_made_of_them() -> None:
    made_up = {"total_duration": 1, "load_duration": 1, "prompt_eval_duration": 1, "eval_duration": 1}
    seen = stream(prompt_eval_count=60, **made_up)
    _, builder, verdict = read(APIS["/api/chat"], seen)
    record = builder.record(WHO, seen, *verdict)
    found = {metric.name: metric.of(record) for metric in METRICS}
    server = ("total", "load", "queue", "prompt_eval", "eval", "rest")
    rates = ("eval_tokens_per_s", "decode_tokens_per_s", "prompt_tokens_per_s")
    assert [found[name] for name in (*(f"{name}_ms" for name in server), *rates)] == [None] * 9
    assert (record.outcome, found["output_tokens"], found["tpot_ms"]) == ("ok", 12, 10.0)


def test_a_stream_of_events_with_timings_that_cannot_be() -> None:
    timings = {"prompt_n": 9, "prompt_ms": 1.0, "predicted_n": 2, "predicted_ms": 900.0}
    seen = sse(event(delta(content="a")), event(delta(content="b")), event({**delta("stop"), "timings": timings}))
    builder = read(APIS["/v1/chat/completions"], seen)[1]
    builder.end(seen)
    assert (builder.usage.output_tokens, builder.usage.eval_ns) == (2, None)
    assert builder.doubt == "load, prompt eval and eval 901 ms, e2e 30 ms"


def test_of_two_runs_the_count_and_the_duration_are_of_the_second() -> None:
    thoughts = [line(message={"thinking": "x"}, done=False) for _ in range(30)]
    words = [line(message={"content": "x"}, done=False) for _ in range(6)]
    final = line(message={}, done=True, done_reason="stop", eval_count=6, eval_duration=50 * MS)
    seen = ndjson(*thoughts, *words, final)
    builder = read(APIS["/api/chat"], seen)[1]
    builder.end(seen)
    assert (builder.doubt, builder.usage.eval_ns) == ("", 50 * MS)


def test_the_check_says_so() -> None:
    answer = Answer("hi")
    assert "durations_impossible" not in judge(case(answer)).failed
    assert judge(case(answer, doubt="")).failed["durations_impossible"] == 0
    judged = judge(case(answer, doubt="eval 1 ms, first to last chunk 220 ms"))
    assert judged.failed["durations_impossible"] == 1
    assert judged.notes == "durations_impossible: eval 1 ms, first to last chunk 220 ms"


def test_real_servers_are_believed() -> None:
    seen = 0
    for name, exchange in load().items():
        found = timed(exchange)
        builder = RecordBuilder(streamed=found.streamed)
        for chunk in reading.each_chunk(APIS[exchange["path"]], found):
            builder.add(chunk)
        builder.end(found)
        assert not builder.doubt, f"{name}: {builder.doubt}"
        seen += builder.doubt is not None
    assert seen > 100
