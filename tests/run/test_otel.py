"""`--otel`, as users start it, against a receiver of OTLP that knows the protocol's messages and nothing of ours."""

import gzip
import re
import socket
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from locust_process import Run, folder, headless, processes
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from scripted import request, serving, whole
from simulator_process import Simulator, running
from tape import Tape, taped

Key = tuple[int, int]


@dataclass
class Receiver:
    """What was sent to it."""

    spans: dict[Key, Any] = field(default_factory=dict)
    last: dict[tuple[bytes, str], Any] = field(default_factory=dict)  # a metric of a process: the newest counts all
    twice: int = 0
    most_at_once: int = 0  # spans

    def handle(self, sock: socket.socket) -> None:
        """One connection."""
        while one := request(sock):
            head, _, body = one.partition(b"\r\n\r\n")
            if b"content-encoding: gzip" in head.lower():
                body = gzip.decompress(body)
            path = head.split(b" ", 2)[1]
            if path == b"/v1/traces":
                self._take_spans(ExportTraceServiceRequest.FromString(body))
            elif path == b"/v1/metrics":
                self._take_metrics(ExportMetricsServiceRequest.FromString(body))
            sock.sendall(whole(b""))

    def _take_spans(self, sent: Any) -> None:
        spans = [span for one in sent.resource_spans for scope in one.scope_spans for span in scope.spans]
        self.most_at_once = max(self.most_at_once, len(spans))
        for span in spans:
            said = named(span.attributes)
            key = said["tokenswarm.worker"].int_value, said["tokenswarm.sequence"].int_value
            self.twice += key in self.spans
            self.spans[key] = span

    def _take_metrics(self, sent: Any) -> None:
        for one in sent.resource_metrics:
            who = b"".join(sorted(attribute.SerializeToString() for attribute in one.resource.attributes))
            for metric in (metric for scope in one.scope_metrics for metric in scope.metrics):
                self.last[who, metric.name] = metric

    def points(self, name: str) -> list[Any]:
        """A histogram's or counter's, of all processes."""
        found = [metric for (_, one), metric in self.last.items() if one == name]
        return [point for metric in found for point in (*metric.histogram.data_points, *metric.sum.data_points)]


def named(attributes: Any) -> dict[str, Any]:
    return {one.key: one.value for one in attributes}


@pytest.fixture(scope="module")
def simulator() -> Iterator[Simulator]:
    with running("--decode-tps", "200", "--output-tokens", "10", "--load-ms", "0") as started:
        yield started


@pytest.fixture(scope="module")
def done(simulator: Simulator, tmp_path_factory: pytest.TempPathFactory) -> tuple[Run, Receiver, Tape]:
    path, receiver = tmp_path_factory.mktemp("otel"), Receiver()
    with serving(receiver.handle) as port, taped(simulator.url) as (url, tape):
        sent_to = {
            "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf",
            "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{port}",
        }
        load = ("OllamaChatUser", "OpenAIChatUser", "--options", "temperature=0.5 seed=7")
        load += ("--model", "sim", "--users", "4", "--spawn-rate", "4", "--run-time", "4s", "--otel")
        load += ("--stop-timeout", "5", "--no-report", *processes(2))
        ended = headless(url, path, *load, OTEL_SEMCONV_STABILITY_OPT_IN="gen_ai_latest_experimental", **sent_to)
    assert ended.returncode == 0, ended.stderr
    return folder(path), receiver, tape


def test_each_row_is_one_span_at_the_same_time(done: tuple[Run, Receiver, Tape]) -> None:
    run, receiver, _ = done
    rows = {(int(row["worker"]), int(row["sequence"])): row for row in run.rows}
    assert len({worker for worker, _ in rows}) == 2
    assert set(receiver.spans) == set(rows)
    assert receiver.twice == 0
    for key, row in rows.items():
        span = receiver.spans[key]
        assert span.name == "chat sim:latest" or span.name == "chat sim"
        assert (span.start_time_unix_nano, span.end_time_unix_nano) == (
            int(row["sent_unix_ns"]),
            int(row["ended_unix_ns"]),
        )
        said = named(span.attributes)
        assert said["gen_ai.usage.output_tokens"].int_value == int(row["output_tokens"])
        assert said["gen_ai.provider.name"].string_value == "ollama"
        assert (said["gen_ai.request.temperature"].double_value, said["gen_ai.request.seed"].int_value) == (0.5, 7)


def test_spans_leave_in_small_numbers_so_that_reading_goes_on_meanwhile(done: tuple[Run, Receiver, Tape]) -> None:
    _, receiver, _ = done
    assert 0 < receiver.most_at_once <= 32


def test_the_server_was_told_of_the_span_that_came(done: tuple[Run, Receiver, Tape]) -> None:
    run, receiver, tape = done
    for (worker, sequence), span in receiver.spans.items():
        asked = tape.asked[f"{run.run['run']}-{worker}-{sequence}"]
        (said,) = re.findall(rb"\r\ntraceparent: (\S+)\r\n", asked)
        assert said.decode() == f"00-{span.trace_id.hex()}-{span.span_id.hex()}-01"


def test_answers_that_have_an_id_are_called_by_it(done: tuple[Run, Receiver, Tape]) -> None:
    run, receiver, tape = done
    apis = {(int(row["worker"]), int(row["sequence"])): row["endpoint"] for row in run.rows}
    assert set(apis.values()) == {"/api/chat", "/v1/chat/completions"}
    for (worker, sequence), span in receiver.spans.items():
        ids = re.findall(rb'"id": ?"(chatcmpl-[^"]+)"', tape.said[f"{run.run['run']}-{worker}-{sequence}"])
        found = named(span.attributes).get("gen_ai.response.id")
        assert (found.string_value if found else "") == (ids[0].decode() if ids else "")
        assert bool(ids) == (apis[worker, sequence] == "/v1/chat/completions")


def test_the_metrics_count_what_the_rows_do(done: tuple[Run, Receiver, Tape]) -> None:
    run, receiver, _ = done
    durations = receiver.points("gen_ai.client.inference.duration")
    assert sum(point.count for point in durations) == len(run.rows)
    total_s = sum(int(row["ended_unix_ns"]) - int(row["sent_unix_ns"]) for row in run.rows) / 1e9
    assert sum(point.sum for point in durations) == pytest.approx(total_s)
    tokens = receiver.points("gen_ai.client.inference.usage.output_tokens")
    assert sum(point.as_int for point in tokens) == run.total("output_tokens")
    gaps = receiver.points("gen_ai.client.inference.time_per_output_chunk")
    hists = [part.partition(":") for row in run.rows for part in row["itl_ms_hist"].split()]  # buckets 1 % wide, in ns
    counts = [(int(number), int(count or 1)) for number, _, count in hists]
    assert sum(point.count for point in gaps) == sum(count for _, count in counts) > 0
    total_s = sum(count * 1.01 ** (number - 0.5) / 1e9 for number, count in counts if number)
    assert sum(point.sum for point in gaps) == pytest.approx(total_s)


@pytest.mark.parametrize("silent", [False, True])
def test_a_collector_that_does_not_answer_is_one_line(simulator: Simulator, tmp_path: Path, silent: bool) -> None:
    load = ("OllamaChatUser", "--model", "sim", "--users", "1", "--run-time", "2s", "--otel", "--no-report")
    with socket.create_server(("127.0.0.1", 0)) as listener:  # takes connections, and never says a word
        port = listener.getsockname()[1] if silent else 9
        nobody = {"OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{port}"}
        ended = headless(simulator.url, tmp_path, *load, OTEL_EXPORTER_OTLP_PROTOCOL="http/protobuf", **nobody)
    assert ended.returncode == 0, ended.stderr
    assert folder(tmp_path).outcomes["ok"] > 3
    assert ended.stderr.count("collector did not answer") == 1
    assert "retrying" not in ended.stderr
    assert "Traceback" not in ended.stderr


def test_a_way_that_nothing_sends_by_is_one_line(simulator: Simulator, tmp_path: Path) -> None:
    load = ("OllamaChatUser", "--model", "sim", "--run-time", "1s", "--otel")
    ended = headless(simulator.url, tmp_path, *load, OTEL_EXPORTER_OTLP_PROTOCOL="grpc")
    assert ended.returncode == 2
    assert "no exporter sends traces by grpc; set OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf" in ended.stderr
