"""An open loop on several workers, by fake clusters: who sends which arrivals, and how a trace's run ends."""

import itertools
from types import SimpleNamespace
from typing import Any

import gevent
import pytest
from fake_cluster import FakeCluster, wait_until
from locust.event import Events
from one_process import begin, end, process
from options import parsed

from tokenswarm.load import dispatcher
from tokenswarm.load.dispatcher import NOTICE_NS, Dispatcher
from tokenswarm.load.pacer import ClosedLoop
from tokenswarm.metrics.record import Record
from tokenswarm.run import open_loop
from tokenswarm.run.cluster import Worker
from tokenswarm.run.feature import Feature
from tokenswarm.run.open_loop import PATIENCE, SHARE, OpenLoop
from tokenswarm.users.ollama import OllamaChatUser

CLASSES = ("OllamaChatUser",)


def environment(*arguments: str) -> Any:
    run_context = SimpleNamespace(pacer=ClosedLoop(), with_text=lambda prompt, _: prompt)
    return SimpleNamespace(
        events=Events(),
        parsed_options=parsed("--host", "h", *arguments),
        stop_timeout=0,
        tokenswarm=run_context,
        user_classes=[OllamaChatUser],
    )


def started(cluster: FakeCluster, *arguments: str) -> Any:
    """A run has begun, and all its clients are there."""
    made = environment(*arguments)
    OpenLoop(made, cluster, SimpleNamespace(ahead_ns=0)).listen()  # type: ignore[arg-type]
    made.events.test_start.fire()
    made.events.spawning_complete.fire(user_count=1)
    return made


@pytest.fixture(autouse=True)
def _often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(open_loop, "LOOK_S", 0.001)


def last(cluster: FakeCluster) -> dict[str, dict[str, Any]]:
    """By worker, what it was told last."""
    return {str(to): data for name, data, to in cluster.sent if name == SHARE}


def test_workers_share_the_arrivals_and_one_that_joins_gets_its_part_later() -> None:
    cluster = FakeCluster("master", Worker("b", classes=CLASSES), Worker("a", classes=CLASSES))
    run = started(cluster, "--arrivals", "5/s")
    wait_until(lambda: len(last(cluster)) == 2)
    first = last(cluster)
    assert {name: (share["index"], share["of"]) for name, share in first.items()} == {"a": (0, 2), "b": (1, 2)}
    assert {share["from_ns"] for share in first.values()} == {first["a"]["started_ns"]}
    cluster.there.append(Worker("c", classes=()))  # its users are not there yet
    wait_until(lambda: len(last(cluster)) == 3)
    after = last(cluster)
    assert {name: (share["index"], share["of"]) for name, share in after.items()} == {
        "a": (0, 3),
        "b": (1, 3),
        "c": (2, 3),
    }
    assert {share["places"]["OllamaChatUser"][1] for share in after.values()} == {2}  # of those that have users
    assert after["c"]["from_ns"] > first["a"]["from_ns"]
    assert after["c"]["started_ns"] == first["a"]["started_ns"]
    run.events.test_stopping.fire()


def test_a_worker_that_is_not_heard_of_is_told_nothing_and_what_it_was_told_last_runs_out_before_others_have_it() -> (
    None
):
    cluster = FakeCluster("master", Worker("a", classes=CLASSES), Worker("b", classes=CLASSES))
    run = started(cluster, "--arrivals", "5/s")
    wait_until(lambda: len(last(cluster)) == 2)
    cluster.there = [Worker("a", classes=CLASSES), Worker("b", heartbeat=1, classes=CLASSES)]
    gevent.sleep(0.001)
    told = last(cluster)["b"]["until_ns"]
    before = len(cluster.sent)
    wait_until(lambda: len(cluster.sent) > before + 3)
    assert last(cluster)["b"]["until_ns"] == told
    cluster.there = [Worker("a", classes=CLASSES)]
    wait_until(lambda: last(cluster)["a"]["of"] == 1)
    assert last(cluster)["a"]["from_ns"] >= told
    run.events.test_stopping.fire()


def test_a_workers_users_wait_for_the_arrivals_of_its_share() -> None:
    cluster = FakeCluster("worker")
    run = started(cluster, "--arrivals", "constant 1000/s")
    pacer = run.tokenswarm.pacer
    assert isinstance(pacer, Dispatcher)
    asking = gevent.spawn(pacer.wait, OllamaChatUser.__new__(OllamaChatUser))
    gevent.sleep(0.001)
    assert not asking.ready()  # nobody has told it of its share yet
    now_ns = open_loop.time.time_ns()
    share = {"started_ns": now_ns, "from_ns": now_ns, "index": 1, "of": 2, "places": {}, "until_ns": now_ns + 10**10}
    cluster.hear(SHARE, share)
    assert asking.get(timeout=10).number % 2 == 1
    run.events.test_stopping.fire()


def test_the_end_of_a_trace_lets_the_last_answers_come_and_the_next_run_has_its_own_stop_timeout(
    tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("NOTICE_NS", "TOO_LATE_NS"):
        monkeypatch.setattr(open_loop, name, 0)
    (tmp_path / "trace.csv").write_text("at_s,prompt_tokens,output_tokens\n0,9,5\n0.01,8,9\n")
    cluster = FakeCluster("master")
    given = ("--trace", str(tmp_path / "trace.csv"), "--request-timeout", "77")
    run = started(cluster, *given)
    wait_until(lambda: cluster.done)
    assert (cluster.done, cluster.of(PATIENCE), run.stop_timeout) == ([("end",)], [77.0], 77.0)
    run.events.test_stopping.fire()
    run.events.test_start.fire()
    assert run.stop_timeout == 0
    worker = FakeCluster("worker")
    there = started(worker, *given)
    worker.hear(PATIENCE, 77.0)
    assert there.stop_timeout == 77.0
    there.events.test_stopping.fire()
    there.events.test_stop.fire()
    assert there.stop_timeout == 0


def test_a_share_takes_effect_after_all_have_heard_of_it() -> None:
    cluster = FakeCluster("master", Worker("a", classes=CLASSES))
    before_ns = open_loop.time.time_ns()
    run = started(cluster, "--arrivals", "5/s")
    wait_until(lambda: last(cluster))
    assert last(cluster)["a"]["from_ns"] >= before_ns + NOTICE_NS
    run.events.test_stopping.fire()


def test_an_arrival_that_finds_no_client_is_a_row_with_its_time_and_never_a_request(
    tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dispatcher, "TOO_LATE_NS", 0)
    feature = Feature("open loop", join=lambda run: OpenLoop(run.environment, run.cluster, run.clocks).listen())
    given = ("--arrivals", "constant 1000/s", "--max-tokens", "7")
    with process(FakeCluster(), tmp_path, monkeypatch, *given, features=[feature]) as lifecycle:
        records: list[Record] = []
        lifecycle.environment.events.generation.add_listener(lambda record, **_: records.append(record))
        lifecycle.environment.user_classes = [OllamaChatUser]
        begin(lifecycle)
        wait_until(lambda: len(records) >= 3)
        end(lifecycle)
    numbers = [record.identity.arrival for record in records]
    assert numbers == list(range(len(records)))
    assert {(record.outcome, record.sent_ns, record.identity.max_tokens) for record in records} == {
        ("dropped", None, 7)
    }
    due_ns = [record.scheduled_ns or 0 for record in records[:3]]
    assert [after - before for before, after in itertools.pairwise(due_ns)] == [1_000_000] * 2
