"""The GenAI metrics of requests that have ended, in the instruments of OpenTelemetry's meter."""

from collections.abc import Callable, Mapping
from typing import Any

from tokenswarm.metrics.histogram import middle_ms
from tokenswarm.metrics.otel_names import (
    LATEST,
    OLDER,
    SECONDS,
    TOKENS,
    duration_s,
    first_chunk_s,
    token_counts,
)
from tokenswarm.metrics.record import Record

PAUSE_EVERY = 50  # gaps between two turns of the loop
EMBEDS = "embeddings"


class Instruments:
    """Those of one generation of the conventions; each is named once in a process."""

    def __init__(self, meter: Any, latest: bool) -> None:
        self._meter, self._names = meter, LATEST if latest else OLDER
        self._made: dict[str, Any] = {}

    def record(self, record: Record, labels: Mapping[str, Any], pause: Callable[[], object]) -> None:
        """Count one request; between many gaps the loop has its turn."""
        names, operation = self._names, labels["gen_ai.operation.name"]
        # The old name stays for what is no inference.
        self._seconds(OLDER.duration if operation == EMBEDS else names.duration, duration_s(record), labels)
        if record.output_chunks and record.streamed:
            self._seconds(names.first_chunk, first_chunk_s(record), labels)
        left = PAUSE_EVERY
        for number, count in record.gaps.items():
            for _ in range(count):
                self._seconds(names.chunk_gap, middle_ms(number) / 1e3, labels)
                left -= 1
                if not left:
                    left = PAUSE_EVERY
                    pause()
        if names.latest:
            self._tokens_since(record, labels)
        else:
            self._tokens_until(record, labels)

    def _tokens_until(self, record: Record, labels: Mapping[str, Any]) -> None:
        for kind, tokens in (("input", record.usage.prompt_tokens), ("output", record.usage.output_tokens)):
            if tokens is not None:
                used = self._histogram("gen_ai.client.token.usage", "{token}", TOKENS)
                used.record(tokens, {**labels, "gen_ai.token.type": kind})

    def _tokens_since(self, record: Record, labels: Mapping[str, Any]) -> None:
        """Counters also of what failed, then with 0; histograms only of what is known."""
        for name, tokens in token_counts(record).items():
            needed = name in ("input_tokens", "output_tokens")
            if tokens is None and not needed:
                continue
            counter = self._counter(f"gen_ai.client.inference.usage.{name}")
            counter.add(tokens or 0, {**labels, "gen_ai.token.modality": "text"})
            if needed and tokens is not None and record.outcome == "ok":
                self._histogram(f"gen_ai.client.inference.operation.{name}", "{token}", TOKENS).record(tokens, labels)

    def _seconds(self, name: str, value: float | None, labels: Mapping[str, Any]) -> None:
        if value is not None:
            self._histogram(name, "s", SECONDS).record(value, labels)

    def _histogram(self, name: str, unit: str, bounds: tuple[float, ...]) -> Any:
        if name not in self._made:
            self._made[name] = self._meter.create_histogram(
                name, unit=unit, explicit_bucket_boundaries_advisory=list(bounds)
            )
        return self._made[name]

    def _counter(self, name: str) -> Any:
        if name not in self._made:
            self._made[name] = self._meter.create_counter(name, unit="{token}")
        return self._made[name]
