"""A run that ends after so many requests, by a fake cluster: who gets how many, what a lost worker leaves, the end."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from fake_cluster import FakeCluster, wait_until
from one_process import begin, end, process
from options import parsed

from tokenswarm.load.pacer import ClosedLoop
from tokenswarm.load.tickets import OneEach, Over
from tokenswarm.run import counted
from tokenswarm.run.cluster import Worker
from tokenswarm.run.counted import DEALT, WANT, Counted, check
from tokenswarm.run.feature import Feature
from tokenswarm.settings.errors import UsageError

COUNTED = Feature("counted", join=lambda run: Counted(run).listen())
CLASSES = ("OllamaChatUser",)


def ended(worker: int, outcome: str = "ok", prompt: str = "p", turns_left: int | None = None) -> dict[str, Any]:
    """A row, as far as it is looked at."""
    return {"worker": worker, "outcome": outcome, "prompt_id": prompt, "turns_left": turns_left}


def dealt(cluster: FakeCluster) -> dict[str, list[int]]:
    """What each worker was told last."""
    return {str(to): data for name, data, to in cluster.sent if name == DEALT}


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (("--requests", "5", "--find-capacity"), "--find-capacity sends as many requests as it needs"),
        (("--each-prompt-once", "--arrivals", "5/s"), "give --users in the place of --arrivals"),
        (("--each-prompt-once", "--trace", "t.csv"), "give --users in the place of --trace"),
        (("--each-prompt-once", "--prompt-tokens", "9"), "makes every prompt anew"),
        (("--each-prompt-once", "--batch-size", "4"), "sends each prompt alone"),
    ],
)
def test_what_does_not_go_together_is_said(given: tuple[str, ...], said: str) -> None:
    with pytest.raises(UsageError) as raised:
        check(parsed(*given))
    assert said in str(raised.value)
    check(parsed(*given[:1], *(("7",) if given[0] == "--requests" else ())))


def test_alone_each_request_takes_a_ticket_and_the_last_row_ends_the_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(counted, "is_stopping", lambda _: False)
    cluster = FakeCluster()
    with process(cluster, tmp_path, monkeypatch, "--requests", "3", features=[COUNTED]) as lifecycle:
        begin(lifecycle)
        assert lifecycle.run_context
        assert lifecycle.watch
        pacer, user = lifecycle.run_context.pacer, SimpleNamespace()
        assert isinstance(pacer, OneEach)
        for _ in range(3):
            pacer.wait(user)
        lifecycle.watch([ended(0), ended(0, "http_error")])  # type: ignore[list-item]
        assert cluster.done == []
        lifecycle.watch([ended(0)])  # type: ignore[list-item]
        wait_until(lambda: cluster.done == [("end",)])
        end(lifecycle)
        with pytest.raises(Over):
            pacer.wait(user)


def test_without_it_the_loop_is_a_closed_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with process(FakeCluster(), tmp_path, monkeypatch, features=[COUNTED]) as lifecycle:
        begin(lifecycle)
        assert lifecycle.run_context
        assert isinstance(lifecycle.run_context.pacer, ClosedLoop)
        assert lifecycle.watch is None
        end(lifecycle)


def test_a_master_deals_to_those_that_ask_and_what_a_lost_one_had_to_the_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(counted, "LOOK_S", 0.001)
    cluster = FakeCluster("master", Worker("a", classes=CLASSES), Worker("b", classes=CLASSES))
    with process(cluster, tmp_path, monkeypatch, "--requests", "8", features=[COUNTED]) as lifecycle:
        begin(lifecycle)
        cluster.hear(WANT, 2, "a")
        cluster.hear(WANT, 9, "b")
        had = dealt(cluster)
        assert (len(had["a"]), len(had["b"])) == (2, 1)  # the last ones are for all: a quarter of what is left, or one
        cluster.hear(WANT, 2, "a")
        assert dealt(cluster)["a"] == had["a"]  # the same question, the same answer
        assert lifecycle.watch
        lifecycle.watch([ended(cluster.number_of("a"))])  # type: ignore[list-item]
        cluster.there = [Worker("b", classes=CLASSES)]
        wait_until(lambda: len(dealt(cluster)["b"]) > 1)
        while len(dealt(cluster)["b"]) < 7:  # all but the one that was answered
            cluster.hear(WANT, 9, "b")
        assert len(set(dealt(cluster)["b"])) == 7
        lifecycle.watch([ended(cluster.number_of("b"))] * 6)  # type: ignore[list-item]
        assert cluster.done == []
        lifecycle.watch([ended(cluster.number_of("b"))])  # type: ignore[list-item]
        wait_until(lambda: ("end",) in cluster.done)
        lifecycle.environment.events.test_stopping.fire(environment=lifecycle.environment)


def test_a_worker_asks_its_master_and_takes_what_it_is_dealt(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(counted, "is_stopping", lambda _: False)
    cluster = FakeCluster("worker")
    environment: Any = SimpleNamespace(
        parsed_options=parsed("--requests", "5"), tokenswarm=SimpleNamespace(pacer=ClosedLoop())
    )
    here = Counted(SimpleNamespace(cluster=cluster, environment=environment))  # type: ignore[arg-type]
    cluster.on(DEALT, here._on_dealt)
    here._on_test_start()
    cluster.hear(DEALT, [3, 4])
    environment.tokenswarm.pacer.wait(None)
    assert cluster.of(WANT)
    environment.tokenswarm.pacer.wait(None)
    here._on_test_stopping()
    with pytest.raises(Over):
        environment.tokenswarm.pacer.wait(None)
