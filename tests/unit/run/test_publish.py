"""Rows on their way into the run folder, where its disk is full for a while: each there once."""

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from fake_cluster import FakeCluster

from tokenswarm.run import publisher as publish
from tokenswarm.run.publisher import Publisher


class Disk:
    """Takes rows when there is room."""

    def __init__(self) -> None:
        self.rows, self.room = b"", True

    def take(self, rows: bytes, count: int) -> None:
        if not self.room:
            raise OSError(28, "No space left on device")
        self.rows += rows


@pytest.fixture
def publisher(monkeypatch: pytest.MonkeyPatch) -> Publisher:
    monkeypatch.setattr(publish, "AGAIN_S", -1.0)  # at once
    return Publisher(None, FakeCluster("master"), dict)


def test_of_a_disk_that_is_full_for_a_while_every_row_comes_once(
    publisher: Publisher, capsys: pytest.CaptureFixture[str]
) -> None:
    disk, seen = Disk(), list[bytes]()
    publisher.reset("run")
    publisher.sink, publisher.seen = disk.take, seen.append
    for number in range(6):
        disk.room = number not in (2, 3)
        publisher.outbox.add(b"%d\n" % number)
        publisher.write_own()
    assert disk.rows == b"".join(seen) == b"0\n1\n2\n3\n4\n5\n"
    assert capsys.readouterr().err.count("No space") == 1


def message(first: int, rows: bytes, **more: Any) -> dict[str, Any]:
    count = rows.count(b"\n")
    return {"run": "run", "first": first, "count": count, "rows": rows, "made": 9, "final": False, **more}


def failing(_: bytes) -> None:
    raise ValueError


@pytest.mark.parametrize("look", [failing, lambda _: None])
def test_rows_that_were_written_are_not_written_again_whatever_looks_at_them(
    publisher: Publisher, look: Callable[[bytes], None]
) -> None:
    disk = Disk()
    publisher.reset("run")
    publisher.sink, publisher.seen = disk.take, look
    for _ in range(2):
        try:
            publisher.take("w", message(0, b"0\n1\n"))
        except ValueError:  # Locust would log it
            assert look is failing
    assert disk.rows == b"0\n1\n"


def test_what_is_known_of_a_worker_is_kept_before_it_forgets_its_rows(publisher: Publisher) -> None:
    told = list[Any]()
    cluster = FakeCluster("master")
    cluster.send = lambda kind, answer, _: told.append(answer["kept"])
    publisher = Publisher(None, cluster, dict)
    publisher.reset("run")
    publisher.sink = Disk().take
    publisher.keep = lambda client: told.append((client, publisher.workers_as_run_json(set())[0]["requests"]))
    for _ in range(2):  # the answer may be lost
        publisher.take("w", message(0, b"0\n1\n", made=2, final=True))
    assert told == [("w", 2), True, True]
    assert publisher.finished == {"w"}


@pytest.mark.parametrize("room", [True, False])
def test_what_the_master_cannot_write_is_not_sent_again_at_once(room: bool) -> None:
    cluster = FakeCluster("worker")
    hook = SimpleNamespace(fire=lambda client_id, data: worker.on_report_to_master(client_id, data))
    worker = Publisher(SimpleNamespace(events=SimpleNamespace(report_to_master=hook)), cluster, dict)
    worker.reset("run")
    rows = [b"x" * 20_000_000 + b"\n", *[b"y" * 3_000_000 + b"\n"] * 9]
    for row in rows:
        worker.outbox.add(row)
    worker.send_final()
    have = answered = 0
    while answered < len(cluster.sent) < 50:
        _, data, _ = cluster.sent[answered]
        message = data.get("tokenswarm", data)
        if room and message["first"] <= have:
            have = max(have, message["first"] + message["count"])
        answer = {"run": "run", "up_to": have, "first": message["first"], "kept": have == len(rows)}
        worker.on_acknowledge(answer, "master")
        answered += 1
    assert worker.kept is room
    assert len(cluster.sent) < (20 if room else 5)
