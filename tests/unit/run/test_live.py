"""What a process tells of its requests while they are under way."""

import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import gevent
import pytest
from fake_cluster import FakeCluster
from literals import CHAT, DONE, WHO, line
from one_process import begin, end, process

from tokenswarm.metrics.histogram import bucket, middle_ms
from tokenswarm.metrics.live_view import Count, server
from tokenswarm.metrics.record import Record
from tokenswarm.run import live
from tokenswarm.run.feature import Feature
from tokenswarm.run.live import LIVE, Live, LiveCounts
from tokenswarm.transport.exchange import Exchange
from tokenswarm.users.context import UnderWay
from tokenswarm.wire.values import Usage

MINE = ("/api/chat", "m")
MS, SECOND_NS = 1_000_000, 1_000_000_000
FEATURES = (Feature("live", join=lambda run: Live(run).listen()),)


def token(text: str = "a") -> bytes:
    return line(message={"role": "assistant", "content": text}, done=False)


def counts(**under_way: UnderWay) -> LiveCounts:
    numbered = dict(enumerate(under_way.values()))
    return LiveCounts(SimpleNamespace(under_way=numbered))  # type: ignore[arg-type]


def asked(ago_s: float, *pieces: bytes, each_s: float = 0.1, status: int = 200) -> UnderWay:
    """A request that was sent so long ago, and the pieces of its answer so far, the first after 1 s."""
    exchange = Exchange(api=CHAT)
    exchange.sent_ns = time.time_ns() - round(ago_s * 1e9)
    exchange.response.status, exchange.response.content_type = status, "application/x-ndjson"
    came(exchange, *pieces, each_s=each_s)
    return UnderWay(CHAT, "m", exchange)


def came(exchange: Exchange, *pieces: bytes, each_s: float = 0.1) -> None:
    response = exchange.response
    for piece in pieces:
        last_ns = response.stamps[-1] + round(each_s * 1e9) if response.stamps else (exchange.sent_ns or 0) + SECOND_NS
        response.stamps.append(last_ns)
        response.bodies.append(piece)


def test_a_long_answer_counts_while_it_runs() -> None:
    long, waiting = asked(3.0, token(), token(), token()), asked(7.0)
    seen = counts(long=long, waiting=waiting)
    count = seen.look()[MINE]
    assert (count.in_flight, count.begun, count.sent, count.output_tokens) == (2, 1, 2, 3.0)
    assert count.oldest_wait_s == pytest.approx(7, abs=1)
    assert count.silent_s == pytest.approx(1.8, abs=1)
    assert [middle_ms(one) for one in count.ttft] == [pytest.approx(1000, rel=0.01)]
    came(long.exchange, token(), token())
    count = seen.look()[MINE]
    assert (count.sent, count.output_tokens, count.ttft.total()) == (0, 2.0, 0)


def test_a_role_or_nothing_is_no_first_output() -> None:
    prefill = asked(5.0, line(message={"role": "assistant", "content": ""}, done=False))
    seen = counts(one=prefill)
    assert not seen.look()[MINE].ttft
    came(prefill.exchange, token(), each_s=2.0)
    assert [middle_ms(one) for one in seen.look()[MINE].ttft] == [pytest.approx(3000, rel=0.01)]


def test_pieces_are_tokens_as_the_server_counts_them_once_it_has() -> None:
    ended, goes_on = asked(2.0, token("abc"), token("def"), DONE), asked(2.0)
    seen = counts(ended=ended, goes_on=goes_on)
    ended.exchange.ended_ns = time.time_ns()
    sent_ns = ended.exchange.sent_ns or 0
    usage = Usage(prompt_tokens=9, output_tokens=12, total_ns=2000 * MS, eval_ns=1100 * MS)
    gaps = {bucket(100 * MS): 1}
    times = {"sent_ns": sent_ns, "first_output_ns": sent_ns + SECOND_NS, "last_output_ns": sent_ns + 2 * SECOND_NS}
    seen.on_record(
        Record(WHO, "ok", ended_ns=ended.exchange.ended_ns, output_chunks=2, usage=usage, gaps=gaps, **times)
    )
    came(goes_on.exchange, token("ghi"), token("jkl"))
    count = seen.look()[MINE]
    assert (count.counted_tokens, count.prompt_tokens, count.outcomes) == (12, 9, {"ok": 1})
    assert count.output_tokens == 3 * 1 + 2 * 4  # the first answer's, before anybody knew; then 12 tokens in 3 pieces
    assert (count.sent, count.in_flight, count.begun) == (2, 1, 1)
    assert (count.itl, count.eval_tokens) == (gaps, 11)
    assert (count.queue_ns, round(count.queued_e2e_ns / MS)) == (900 * MS, pytest.approx(2000, abs=1000))
    assert [middle_ms(one) for one in count.tpot] == [pytest.approx(1000 / 11, rel=0.01)]


@pytest.mark.parametrize(
    ("usage", "percent"),
    [
        (Usage(total_ns=990 * MS, prompt_eval_ns=290 * MS, eval_ns=400 * MS, engine="Ollama"), 30.0),
        (Usage(queue_ns=250 * MS, prompt_eval_ns=300 * MS, eval_ns=400 * MS, engine="vLLM"), 25.0),
        (Usage(queue_ns=250 * MS, engine="SGLang"), 25.0),
        (Usage(prompt_eval_ns=200 * MS, eval_ns=395 * MS, engine="llama.cpp"), 40.0),
        (Usage(prompt_eval_ns=200 * MS, eval_ns=395 * MS, engine="LM Studio"), None),
        (Usage(output_tokens=9), None),
    ],
)
def test_the_queue_is_the_ledgers_whoever_tells_it(usage: Usage, percent: float | None) -> None:
    seen, times = counts(), {"sent_ns": SECOND_NS, "first_output_ns": SECOND_NS + 600 * MS, "ended_ns": 2 * SECOND_NS}
    for outcome in ("ok", "ok", "server_error"):
        seen.on_record(Record(WHO, outcome, usage=usage, **times))
    assert server(seen.look()[MINE])["queue_percent"] == percent


def test_what_a_refusal_says_is_no_token_and_ended_ones_are_not_under_way() -> None:
    refused = asked(1.0, b"busy", status=503)
    count = counts(refused=refused).look()[MINE]
    assert (count.output_tokens, count.ttft.total()) == (0, 0)
    refused.exchange.ended_ns = time.time_ns()
    assert counts(refused=refused).look() == {}


def test_a_worker_tells_its_master_once_a_second_until_nothing_is_under_way(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live, "EVERY_S", 0.001)
    cluster = FakeCluster()
    with process(cluster, tmp_path, monkeypatch, features=FEATURES) as lifecycle:
        begin(lifecycle)
        assert lifecycle.run_context
        lifecycle.run_context.under_way[0] = asked(2.0, token(), token())
        lifecycle.run_context.health.in_flight = 1
        with gevent.Timeout(10):
            while not lifecycle.live.so_far().sent:
                gevent.sleep(0.001)
        lifecycle.environment.events.generation.fire(record=Record(WHO, "ok"), response_bytes=0)
        lifecycle.run_context.under_way.clear()
        lifecycle.run_context.health.in_flight = 0
        end(lifecycle)
        with gevent.Timeout(10):
            while not lifecycle.live.so_far().ended:
                gevent.sleep(0.001)
    assert lifecycle.live.so_far().output_tokens == 2.0
    assert lifecycle.live.run == lifecycle.publisher.run_id


def test_a_master_sums_what_its_workers_tell_of_this_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cluster = FakeCluster("master")
    cluster.users = 6
    with process(cluster, tmp_path, monkeypatch, features=FEATURES) as lifecycle:
        begin(lifecycle)
        run, told = lifecycle.publisher.run_id, Count(in_flight=3, begun=1, oldest_wait_s=2.0).as_message()
        for number in range(3):
            for worker in ("a", "b"):
                sent: dict[str, Any] = {"run": run, "number": number, "counts": [[*MINE, told]]}
                cluster.hear(LIVE, sent, worker)
        cluster.hear(LIVE, {"run": "another", "number": 9, "counts": [[*MINE, told]]}, "c")
        assert lifecycle.live.under_way().in_flight == 6
        assert lifecycle.live.under_way(MINE).oldest_wait_s == 2.0
        assert lifecycle.live.series()[-1]["users"] == 6
        end(lifecycle)
