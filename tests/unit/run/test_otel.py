"""What `--otel` tells of requests: spans and metrics by the conventions' names, as OpenTelemetry's own SDK has them."""

import os
import re
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from fake_cluster import FakeCluster, wait_until
from golden.make import MS, ZERO_NS, failed, identity, ollama, openai
from one_process import begin, end, process
from opentelemetry import metrics, trace
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.sampling import TraceIdRatioBased
from opentelemetry.trace import SpanKind, StatusCode

from tokenswarm.features import FEATURES
from tokenswarm.metrics.otel_names import OPERATIONS, provider_of
from tokenswarm.metrics.record import Record
from tokenswarm.payloads.prompt import Prompt
from tokenswarm.run import otel
from tokenswarm.run.otel import Ids, Telemetry, traceparent
from tokenswarm.settings.errors import UsageError
from tokenswarm.wire.apis import APIS
from tokenswarm.wire.values import Ask, Transcript

OTEL = next(one for one in FEATURES if one.name == "otel")
LATEST = "gen_ai_latest_experimental"


class Told:
    """What a run's requests became: spans by their row's sequence, metrics by their name."""

    def __init__(self, spans: Any, reader: InMemoryMetricReader) -> None:
        self.spans = {span.attributes["tokenswarm.sequence"]: span for span in spans}
        self.metrics: dict[str, Any] = {}
        data: Any = reader.get_metrics_data()
        for scope in data.resource_metrics[0].scope_metrics:
            self.metrics |= {one.name: list(one.data.data_points) for one in scope.metrics}


@pytest.fixture
def providers(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[InMemorySpanExporter, InMemoryMetricReader]]:
    """In the place of Locust's."""
    exporter, reader = InMemorySpanExporter(), InMemoryMetricReader()
    tracing, metering = TracerProvider(), MeterProvider([reader])
    tracing.add_span_processor(SimpleSpanProcessor(exporter))
    monkeypatch.setattr(trace, "get_tracer_provider", lambda: tracing)
    monkeypatch.setattr(trace, "get_tracer", tracing.get_tracer)
    monkeypatch.setattr(metrics, "get_meter_provider", lambda: metering)
    monkeypatch.setattr(metrics, "get_meter", metering.get_meter)
    yield exporter, reader
    metering.shutdown()
    tracing.shutdown()


def told(providers: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *records: Record) -> tuple[Told, Any]:
    """Of a run of one process with these requests; and what it gave its users for their headers."""
    exporter, reader = providers
    with process(FakeCluster(), tmp_path, monkeypatch, features=[OTEL]) as lifecycle:
        lifecycle.options.otel = True
        Telemetry(lifecycle).listen()
        lifecycle.options.host = lifecycle.environment.host = "http://127.0.0.1:8080"
        begin(lifecycle)
        headers = lifecycle.run_context.trace_headers
        for record in records:
            lifecycle.environment.events.generation.fire(record=record, response_bytes=0)
        end(lifecycle)
    return Told(exporter.get_finished_spans(), reader), headers


def test_a_span_a_generation_with_the_requests_own_times_and_ids(
    providers: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found, headers = told(providers, tmp_path, monkeypatch, *(ollama(n, at_ms=100 * n) for n in range(3)))
    assert sorted(found.spans) == [0, 1, 2]
    span = found.spans[1]
    assert (span.name, span.kind) == ("chat sim:latest", SpanKind.CLIENT)
    assert (span.start_time, span.end_time) == (ZERO_NS + 100 * MS, ZERO_NS + 325 * MS)
    assert span.status.status_code is StatusCode.UNSET
    ((name, value),) = headers(1)
    assert name == "traceparent"
    assert value == f"00-{span.context.trace_id:032x}-{span.context.span_id:016x}-01"
    assert span.parent is None
    assert len({one.context.trace_id for one in found.spans.values()}) == 3
    said = dict(span.attributes)
    assert said["gen_ai.operation.name"] == "chat"
    assert (said["server.address"], said["server.port"]) == ("127.0.0.1", 8080)
    assert (said["gen_ai.usage.input_tokens"], said["gen_ai.usage.output_tokens"]) == (20, 11)
    assert said["gen_ai.response.finish_reasons"] == ("stop",)
    assert said["gen_ai.response.time_to_first_chunk"] == pytest.approx(0.12)
    assert "error.type" not in said


def test_one_that_failed_is_an_error_also_without_a_connection(
    providers: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    no = failed(0, "http_error", "model 'nope' not found", status=404)
    never = failed(1, "refused", "nobody there", sent_ns=None, ended_ns=ZERO_NS, connect_ns=2 * MS)
    found, _ = told(providers, tmp_path, monkeypatch, no, never)
    assert found.spans[0].status.status_code is StatusCode.ERROR
    assert found.spans[0].status.description == "model 'nope' not found"
    assert found.spans[0].attributes["error.type"] == "http_error"
    assert found.spans[0].attributes["http.response.status_code"] == 404
    assert found.spans[1].start_time == ZERO_NS - 2 * MS


def test_the_older_names_of_the_metrics(providers: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OTEL_SEMCONV_STABILITY_OPT_IN", raising=False)
    found, _ = told(
        providers, tmp_path, monkeypatch, ollama(0), ollama(1, at_ms=9), failed(2, "timeout", "late"), openai(3)
    )
    by_model = {point.attributes["gen_ai.request.model"]: point for point in ok(found, "operation.duration")}
    assert (by_model["sim:latest"].count, by_model["sim:latest"].sum) == (2, pytest.approx(0.45))
    assert by_model["sim:latest"].explicit_bounds[:3] == (0.01, 0.02, 0.04)
    assert sum(point.count for point in ok(found, "operation.time_per_output_chunk")) == 10 + 10 + 4
    assert [point.sum for point in ok(found, "operation.time_to_first_chunk")] == [
        pytest.approx(0.24),
        pytest.approx(0.12),
    ]
    used = {
        (point.attributes["gen_ai.request.model"], point.attributes["gen_ai.token.type"]): point.sum
        for point in found.metrics["gen_ai.client.token.usage"]
    }
    assert used["sim:latest", "output"] == 22
    assert used["sim:latest", "input"] == 40
    errors = [p for p in found.metrics["gen_ai.client.operation.duration"] if "error.type" in p.attributes]
    assert [(point.count, point.attributes["error.type"]) for point in errors] == [(1, "timeout")]
    assert not [name for name in found.metrics if "inference" in name]


def ok(found: Told, name: str) -> list[Any]:
    """The points of a metric that are of no failure."""
    return [point for point in found.metrics[f"gen_ai.client.{name}"] if "error.type" not in point.attributes]


def test_the_latest_names_where_they_are_asked_for(
    providers: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_SEMCONV_STABILITY_OPT_IN", f"http,{LATEST}")
    embedding = ollama(3, identity=identity(3, "/api/embed"), gaps={})
    cached = ollama(1)
    cached = ollama(1, usage=cached.usage._replace(cached_tokens=16))
    found, _ = told(providers, tmp_path, monkeypatch, ollama(0), cached, failed(2, "timeout", "late"), embedding)
    (duration,) = ok(found, "inference.duration")
    assert (duration.count, duration.sum) == (2, pytest.approx(0.45))
    (other,) = found.metrics["gen_ai.client.operation.duration"]
    assert other.attributes["gen_ai.operation.name"] == "embeddings"
    counted = {
        name: sum(point.value for point in points) for name, points in found.metrics.items() if ".usage." in name
    }
    assert counted["gen_ai.client.inference.usage.output_tokens"] == 33
    assert counted["gen_ai.client.inference.usage.cache_read.input_tokens"] == 16
    kinds = {
        (point.attributes["gen_ai.token.modality"], point.attributes.get("error.type"))
        for point in found.metrics["gen_ai.client.inference.usage.input_tokens"]
    }
    assert kinds == {("text", None), ("text", "timeout")}  # what failed is counted, too, with none
    assert sum(point.count for point in found.metrics["gen_ai.client.inference.operation.output_tokens"]) == 3
    assert "gen_ai.client.token.usage" not in found.metrics


def test_records_are_told_of_while_the_run_goes_on(
    providers: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(otel, "EVERY_S", 0.001)
    exporter, _ = providers
    with process(FakeCluster(), tmp_path, monkeypatch) as lifecycle:
        lifecycle.options.otel = True
        Telemetry(lifecycle).listen()
        begin(lifecycle)
        lifecycle.environment.events.generation.fire(record=ollama(0), response_bytes=0)
        lifecycle.environment.events.generation.fire(
            record=ollama(1, identity=identity(1, "/api/pull")), response_bytes=0
        )
        wait_until(exporter.get_finished_spans)
        end(lifecycle)
    assert len(exporter.get_finished_spans()) == 1  # a management call generates nothing


def test_the_header_says_whether_the_span_is_sent(
    providers: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    provider: Any = trace.get_tracer_provider()
    provider.sampler = TraceIdRatioBased(0.5)
    found, headers = told(providers, tmp_path, monkeypatch, *(ollama(n) for n in range(40)))
    flags = {n: headers(n)[0][1][-2:] for n in range(40)}
    assert 5 < len(found.spans) < 35
    assert {n for n, flag in flags.items() if flag == "01"} == set(found.spans)
    assert set(flags.values()) == {"00", "01"}


def test_a_span_says_how_was_asked_and_what_the_answer_is_called(
    providers: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    exporter, _ = providers
    answer = b'data: {"id": "chatcmpl-7", "choices": []}\n\n'
    transcript = Transcript(pieces=((1, answer),), content_type="text/event-stream", status=200)
    ask = Ask("m", options={"temperature": 0.5, "seed": 7, "top_p": None}, fields={"stop": ["\n"]})
    prompt = Prompt("p", (("user", "hi"),), options={"temperature": 0, "top_k": True}, format="json")
    with process(FakeCluster(), tmp_path, monkeypatch) as lifecycle:
        lifecycle.options.otel = True
        Telemetry(lifecycle).listen()
        begin(lifecycle)
        lifecycle.run_context.note(0, ask, prompt, transcript)
        for n in range(2):
            lifecycle.environment.events.generation.fire(record=ollama(n), response_bytes=0)
        end(lifecycle)
    said, other = (dict(span.attributes) for span in exporter.get_finished_spans())
    asked = {"temperature": 0.0, "seed": 7, "stop_sequences": ("\n",), "max_tokens": 128, "model": "sim:latest"}
    prefix = "gen_ai.request."
    found = {name.removeprefix(prefix): value for name, value in said.items() if name.startswith(prefix)}
    assert found == asked | {"stream": True}
    assert (said["gen_ai.response.id"], said["gen_ai.output.type"]) == ("chatcmpl-7", "json")
    assert "gen_ai.response.id" not in other
    assert prefix + "seed" not in other


def test_without_otel_nothing_is_heard_and_no_header_sent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with process(FakeCluster(), tmp_path, monkeypatch, features=[OTEL]) as lifecycle:
        begin(lifecycle)
        assert lifecycle.run_context
        assert lifecycle.run_context.trace_headers(5) == ()
        end(lifecycle)


def test_ids_are_a_requests_own_and_otherwise_the_sdks() -> None:
    own = SimpleNamespace(generate_trace_id=lambda: 7, generate_span_id=lambda: 8)
    one, other = Ids(own), Ids(own)
    ids = one.of("run", 0, 1)
    assert ids == one.of("run", 0, 1)
    assert len({ids, one.of("run", 1, 1), one.of("run", 0, 2), one.of("again", 0, 1), other.of("run", 0, 1)}) == 5
    assert re.fullmatch("00-[0-9a-f]{32}-[0-9a-f]{16}-01", traceparent(ids)[0][1])
    assert (one.generate_trace_id(), one.generate_span_id()) == (7, 8)


@pytest.mark.parametrize(
    ("environment", "absent", "said"),
    [
        ({}, "opentelemetry.sdk", "--otel needs OpenTelemetry's SDK: pip install 'tokenswarm[otel]'"),
        (
            {},
            "opentelemetry.exporter.otlp.proto.grpc",
            "no exporter sends traces by grpc; set OTEL_EXPORTER_OTLP_PROTO",
        ),
        (
            {"OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf"},
            "opentelemetry.exporter.otlp.proto",
            "no exporter sends traces by http/protobuf; pip install",
        ),
        ({"OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf"}, "", ""),
        (dict.fromkeys(("OTEL_TRACES_EXPORTER", "OTEL_METRICS_EXPORTER", "OTEL_LOGS_EXPORTER"), "console"), "", ""),
    ],
)
def test_what_it_needs_must_be_there(
    monkeypatch: pytest.MonkeyPatch, environment: dict[str, str], absent: str, said: str
) -> None:
    for name in [name for name in os.environ if name.startswith("OTEL_")]:
        monkeypatch.delenv(name)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(otel, "_there", lambda module: not (absent and module.startswith(absent)))
    OTEL.check(SimpleNamespace())  # without --otel nothing is needed
    if said:
        with pytest.raises(UsageError, match=re.escape(said)):
            OTEL.check(SimpleNamespace(otel=True))
    else:
        OTEL.check(SimpleNamespace(otel=True))


def test_every_api_has_an_operation_and_every_engine_a_provider() -> None:
    assert set(OPERATIONS) == {api.PATH for api in APIS}
    assert provider_of({"kind": "ollama", "engine": "Ollama"}) == "ollama"
    assert provider_of({"kind": "openai", "engine": "llama.cpp"}) == "llama_cpp"
    assert provider_of({"kind": "openai", "engine": "other"}) == provider_of({}) == "openai"
