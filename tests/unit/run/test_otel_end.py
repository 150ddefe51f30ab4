"""A collector that does not answer `--otel`: one line, and an end that does not wait for it."""

import logging
from types import SimpleNamespace

import pytest
from gevent.event import Event

from tokenswarm.run import otel_end
from tokenswarm.run.otel_end import Complaints


def test_the_end_waits_for_no_collector_that_is_silent(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(otel_end, "PATIENCE_S", 0.01)
    monkeypatch.delenv("OTEL_EXPORTER_OTLP_TIMEOUT", raising=False)
    sent: list[str] = []
    hanging = SimpleNamespace(shutdown=Event().wait)
    otel_end.shut_down([hanging, SimpleNamespace(shutdown=lambda: sent.append("metrics")), object()], Complaints())
    assert sent == ["metrics"]
    assert [record.getMessage() for record in caplog.records] == [
        "--otel: the collector did not answer in 0.01 s: what was left is not sent"
    ]


def test_what_exporters_say_again_and_again_is_one_line(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    theirs = logging.getLogger("opentelemetry.exporter")
    monkeypatch.setattr(theirs, "propagate", True)
    monkeypatch.setattr(theirs, "handlers", [])
    complaints = Complaints()
    complaints.listen()
    for _ in range(3):
        theirs.getChild("otlp.http").warning("Transient error (… [Errno 111] Connection refused')) …, retrying in 2 s")
    complaints_of_the_end = SimpleNamespace(shutdown=Event().wait)
    monkeypatch.setattr(otel_end, "PATIENCE_S", 0.01)
    otel_end.shut_down([complaints_of_the_end], complaints)
    assert [record.getMessage() for record in caplog.records] == [
        "--otel: the collector did not answer (Connection refused); the run goes on, and its rows are whole"
    ]
