"""`--otel`, Locust's own: a span and the GenAI metrics of each generation, made after it has ended.

The trace and span ids that a request bears in its `traceparent` follow from its place in the run, so that nothing need
be kept until it ends. Names are those of the generation that OTEL_SEMCONV_STABILITY_OPT_IN asks for (docs/metrics.md).
"""

import os
import secrets
from collections import deque
from collections.abc import Callable, Mapping
from contextlib import suppress
from hashlib import blake2b
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import gevent

from tokenswarm.metrics.otel_names import (
    OPERATIONS,
    OtelServer,
    attributes,
    error_type,
    noted_attributes,
    provider_of,
    span_attributes,
)
from tokenswarm.metrics.record import Record
from tokenswarm.payloads.prompt import Prompt
from tokenswarm.run.otel_end import Complaints, shut_down
from tokenswarm.run.otel_metrics import Instruments
from tokenswarm.run.shared import shared_state
from tokenswarm.settings.errors import UsageError
from tokenswarm.settings.redaction import clean_line
from tokenswarm.transport.time_slices import give_loop_turn
from tokenswarm.wire.response_id import response_id
from tokenswarm.wire.values import Ask, Transcript

if TYPE_CHECKING:
    from tokenswarm.run.lifecycle import RunLifecycle

NAME = "tokenswarm"
LATEST = "gen_ai_latest_experimental"
EVERY_S = 0.5
SDK, EXPORTER = "opentelemetry.sdk", "opentelemetry.exporter.otlp.proto"
SIGNALS = ("TRACES", "METRICS", "LOGS")
INSTALL = "pip install 'tokenswarm[otel]'"


def check() -> None:
    """Is what `--otel` needs there? Locust would only log it, and go on without. Raises UsageError."""
    if not _there(SDK):
        raise UsageError(f"--otel needs OpenTelemetry's SDK: {INSTALL}")
    for signal in SIGNALS:
        if "otlp" not in os.getenv(f"OTEL_{signal}_EXPORTER", "otlp").lower():
            continue
        usual = os.getenv("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc")
        protocol = os.getenv(f"OTEL_EXPORTER_OTLP_{signal}_PROTOCOL", usual).strip().lower()
        if not _there(f"{EXPORTER}.{'grpc' if protocol == 'grpc' else 'http'}"):
            do = "set OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf" if _there(f"{EXPORTER}.http") else INSTALL
            raise UsageError(f"--otel: no exporter sends {signal.lower()} by {protocol}; {do}")


def _there(module: str) -> bool:
    with suppress(ModuleNotFoundError):
        return find_spec(module) is not None
    return False


class Ids:
    """The ids of each request of one process in one run, and an IdGenerator that hands them out when they are set."""

    def __init__(self, otherwise: Any) -> None:
        self._otherwise, self._key = otherwise, secrets.token_bytes(16)
        self._next: bytes | None = None

    def of(self, run_id: str, worker: int, sequence: int) -> bytes:
        """16 bytes of trace and 8 of span."""
        return blake2b(f"{run_id}/{worker}/{sequence}".encode(), key=self._key, digest_size=24).digest()

    def hand_out(self, ids: bytes | None) -> None:
        """The next span has these."""
        self._next = ids

    def generate_trace_id(self) -> int:
        """As the SDK asks for it."""
        return int.from_bytes(self._next[:16]) if self._next else self._otherwise.generate_trace_id()

    def generate_span_id(self) -> int:
        """As the SDK asks for it."""
        return int.from_bytes(self._next[16:]) if self._next else self._otherwise.generate_span_id()

    def is_trace_id_random(self) -> bool:
        """As newer SDKs ask: what a keyed hash gives is as good as random."""
        return True


def traceparent(ids: bytes, sampled: bool = True) -> tuple[tuple[str, str], ...]:
    """The header of a request, by W3C Trace Context."""
    return (("traceparent", f"00-{ids[:16].hex()}-{ids[16:].hex()}-{sampled:02x}"),)


class Telemetry:
    """What one process tells of its requests. `tracer` and `instruments` are made of Locust's own providers."""

    def __init__(self, lifecycle: "RunLifecycle") -> None:
        self._lifecycle, self._options = lifecycle, lifecycle.options
        self._ended: deque[tuple[Record, dict[str, Any]]] = deque()
        self._telling: gevent.Greenlet | None = None
        self._ids: Ids | None = None
        self._tracer: Any = None
        self._instruments: Instruments | None = None
        self._server = OtelServer("", 0, "")
        self._noted: dict[int, dict[str, Any]] = {}  # of requests whose answer is being read, by their sequence
        self._complaints = Complaints()

    def listen(self) -> None:
        """Connect to Locust's events, after the lifecycle, which makes the RunContext."""
        self._complaints.listen()
        events = self._lifecycle.environment.events
        events.quitting.add_listener(self.on_quitting)
        if self._lifecycle.cluster.is_master:
            return
        events.test_start.add_listener(self.on_test_start)
        events.generation.add_listener(self.on_generation)
        events.test_stop.add_listener(self.finish)

    def on_test_start(self, **_: Any) -> None:
        """A run begins: its requests bear a traceparent."""
        from opentelemetry import metrics, trace  # an extra

        if not self._ids:
            provider: Any = trace.get_tracer_provider()
            self._ids = Ids(getattr(provider, "id_generator", None))
            if hasattr(provider, "id_generator"):
                provider.id_generator = self._ids  # tracers take it over when they are made
            self._tracer = trace.get_tracer(NAME)
            latest = LATEST in os.getenv("OTEL_SEMCONV_STABILITY_OPT_IN", "")
            self._instruments = Instruments(metrics.get_meter(NAME), latest)
        context, ids, run_id = self._lifecycle.run_context, self._ids, self._options.run_id
        if context:
            where = context.settings.target
            self._server = OtelServer(
                where.host, where.port, provider_of(shared_state(self._options)["facts"].get("target") or {})
            )
            sampled = _sampling(trace.get_tracer_provider())

            def headers(sequence: int) -> tuple[tuple[str, str], ...]:
                drawn = ids.of(run_id, context.worker, sequence)
                return traceparent(drawn, sampled(drawn))

            context.trace_headers, context.note = headers, self.note
        self._telling = gevent.spawn(self._tell)

    def note(self, sequence: int, ask: Ask, prompt: Prompt, transcript: Transcript) -> None:
        """What a span says of a request that its Record does not hold."""
        self._noted[sequence] = noted_attributes(ask, prompt, clean_line(response_id(transcript) or ""))

    def on_generation(self, record: Record, **_: Any) -> None:
        """A request has ended: it is told of later."""
        noted = self._noted.pop(record.identity.sequence, {})
        if record.identity.endpoint in OPERATIONS:
            self._ended.append((record, noted))

    def on_quitting(self, **_: Any) -> None:
        """The process ends: what is left is sent, if anybody takes it."""
        if not _there(SDK):
            return
        from opentelemetry import _logs, metrics, trace

        self.finish()
        providers = (trace.get_tracer_provider(), metrics.get_meter_provider(), _logs.get_logger_provider())
        shut_down(providers, self._complaints)

    def finish(self, **_: Any) -> None:
        """The run has ended in this process: what is left is told."""
        if self._telling:
            self._telling.kill()
            self._telling = None
        while self._ended:
            self._make(*self._ended.popleft())

    def _tell(self) -> None:
        while True:
            gevent.sleep(EVERY_S)
            while self._ended:
                self._make(*self._ended.popleft())
                give_loop_turn()

    def _make(self, record: Record, noted: dict[str, Any]) -> None:
        assert self._ids
        assert self._instruments
        labels = attributes(record, self._server)
        self._span(record, labels | noted)
        self._instruments.record(record, labels, give_loop_turn)

    def _span(self, record: Record, labels: Mapping[str, Any]) -> None:
        from opentelemetry.context import Context
        from opentelemetry.trace import SpanKind, Status, StatusCode

        who = record.identity
        began_ns, ended_ns = span_ns(record)
        if ended_ns is None:
            return
        assert self._ids
        self._ids.hand_out(self._ids.of(self._options.run_id, who.worker, who.sequence))
        try:
            span = self._tracer.start_span(
                f"{OPERATIONS[who.endpoint]} {who.model}",
                Context(),
                SpanKind.CLIENT,
                {**labels, **span_attributes(record, self._options.run_id)},
                start_time=began_ns,
            )
        finally:
            self._ids.hand_out(None)
        if error_type(record):
            span.set_status(Status(StatusCode.ERROR, record.error or record.outcome))
        span.end(ended_ns)


def _sampling(provider: Any) -> Callable[[bytes], bool]:
    """Will the span of these ids be sent? As the SDK's sampler says, by the trace's id; without one none is."""
    sampler = getattr(provider, "sampler", None)
    if sampler is None:
        return lambda _: False
    from opentelemetry.context import Context
    from opentelemetry.trace import SpanKind

    def is_sampled(ids: bytes) -> bool:
        found = sampler.should_sample(Context(), int.from_bytes(ids[:16]), NAME, SpanKind.CLIENT, {})
        return bool(found.decision.is_sampled())

    return is_sampled


def span_ns(record: Record) -> tuple[int | None, int | None]:
    """When it began and ended, wall-clock ns; of one that got no connection, from when that was tried."""
    began_ns = record.sent_ns
    if began_ns is None and record.ended_ns is not None:
        began_ns = record.ended_ns - (record.connect_ns or 0)
    return began_ns, record.ended_ns
