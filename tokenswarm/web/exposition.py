"""A run as Prometheus reads it: METRICS summed up from the rows of requests.csv, by endpoint, model and outcome."""

import csv
import sys
from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType

from prometheus_client import Metric as Family
from prometheus_client import generate_latest
from prometheus_client.registry import Collector
from prometheus_client.samples import Sample as Line

from tokenswarm.folder.row import Row
from tokenswarm.metrics.catalogue import METRICS, Metric
from tokenswarm.metrics.clock import Tracks, onto_master
from tokenswarm.metrics.histogram import bucket, decode, middle_ms, percentile_ms
from tokenswarm.metrics.otel_names import OPERATIONS
from tokenswarm.metrics.percentile import is_supported
from tokenswarm.metrics.recent import Recent

LABELS = ("endpoint", "model", "outcome")
COARSE_NS = tuple(digit * 10**power for power in range(6, 12) for digit in (1, 2, 5))  # of the buckets: 1 ms to 500 s


def _bounds_ns(steps: int) -> tuple[int, ...]:
    """0.5 ms to 300 s in even steps."""
    return tuple(int(float(f"{500_000 * 600_000 ** (step / steps):.4g}")) for step in range(steps + 1))


FINE_NS = _bounds_ns(64)  # each 23 % above the one before
FINEST_NS = _bounds_ns(144)  # 9.7 %: so far is a quantile off at most that lies between two of them
FINE = ("first_byte_ms", "ttfa_ms", "response_ms", "queue_ms")
# Of these the dashboard has quantiles: by the finest buckets in any window, and p50 and p95 of the run to 1 %.
FINEST = ("ttft_ms", "tpot_ms", "itl_ms_hist", "e2e_ms")
STREAMED = ("chat", "text_completion")
_BREATHE_EVERY = 20  # rows, about a millisecond
_LINES = 50
MADE = (
    "Output tokens made a second, of all outcomes, in 10 s that ended a little ago: a request's tokens lie between its "
    "first output and its end; those of one that was cut are estimated by its chunks"
)
BEHIND = "How long ago the window of output_tokens_made_per_second ended: as long as the longest output of late"
_TYPES = {"duration": "histogram", "histogram": "histogram", "rate": "summary", "count": "counter", "check": "counter"}

Labels = Mapping[str, str]
Sample = tuple[str, Labels, float]


@dataclass(slots=True)
class Sum:
    """What a metric's values come to: in millionths (of a duration: ns), as integers, so that sums are exact.

    `buckets` are those between `bounds_ns`; `exactly` is a histogram of `metrics.histogram`, where one is kept.
    """

    count: int = 0
    millionths: int = 0
    bounds_ns: tuple[int, ...] = COARSE_NS
    exactly: Counter[int] | None = None
    buckets: list[int] = field(init=False)

    def __post_init__(self) -> None:
        self.buckets = [0] * (len(self.bounds_ns) + 1)

    def add(self, millionths: int, count: int = 1, measured: bool = True) -> None:
        """Take in a value that occurred so many times; `exactly` leaves out the warm-up, as the report does."""
        self.count += count
        self.millionths += millionths * count
        self.buckets[bisect_left(self.bounds_ns, millionths)] += count
        if self.exactly is not None and measured:
            self.exactly[bucket(millionths)] += count


class Totals:
    """Sums over one run's requests.csv. It is read on when asked, so that a run that nobody looks at pays nothing."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._position = 0
        self._columns: list[str] = []
        self._requests: defaultdict[tuple[str, ...], int] = defaultdict(int)
        self._sums: dict[str, defaultdict[tuple[str, ...], Sum]] = {m.name: defaultdict(_sum_of(m)) for m in METRICS}
        self._recent = Recent()

    def read_on(self, breathe: Callable[[], None], clocks: Tracks = MappingProxyType({})) -> None:
        """Take in the rows that came since (the writer flushes whole ones), with a pause after every few."""
        csv.field_size_limit(sys.maxsize)
        with self.path.open(newline="", encoding="utf-8") as file:
            file.seek(self._position)
            rows = csv.reader(file)
            self._columns = self._columns or next(rows)
            for number, cells in enumerate(rows, 1):
                row = Row(cells, self._columns)
                self._add(row)
                onto_master(row, clocks)
                self._recent.add(row)
                if number % _BREATHE_EVERY == 0:
                    breathe()
            self._position = file.tell()

    def _add(self, row: Row) -> None:
        labels = tuple(str(row[name] or "") for name in LABELS)
        self._requests[labels] += 1
        measured = row["phase"] != "warm-up"
        for metric in METRICS:
            given = row[metric.name]
            if given is None:
                continue
            total = self._sums[metric.name][labels]
            if metric.kind == "histogram":
                for number, count in decode(str(given)).items():
                    total.add(round(middle_ms(number) * 1e6), count, measured)
            else:
                total.add(round(float(given) * 1e6), 1, measured)

    def expect(self, whose: Iterable[tuple[str, str]]) -> None:
        """What was asked has zeros until it answers: of a series' first value `rate` sees nothing."""
        for endpoint, model in whose:
            if OPERATIONS.get(endpoint) in STREAMED:
                labels = (endpoint, model, "ok")
                self._requests[labels] += 0
                for name in FINEST:
                    self._sums[name][labels].add(0, 0, measured=False)

    def families(self, now_ns: int | None = None) -> Iterator[Family]:
        """The sums; a metric that no request had is left out. With a moment also what is made a second."""
        requests = [("", _with_names(labels), n) for labels, n in sorted(self._requests.items())]
        yield from family("requests_total", "counter", "Requests that ended", requests)
        for metric in METRICS:
            name, samples = _samples(metric, sorted(self._sums[metric.name].items()))
            yield from family(name, _TYPES[metric.kind], metric.definition, samples)
        for name in FINEST:
            yield from _quantiles(name, sorted(self._sums[name].items()))
        if now_ns is not None:
            rates, behind_s = self._recent.per_s(now_ns)
            made: list[Sample] = [
                ("", {"endpoint": endpoint, "model": model}, rate) for (endpoint, model), rate in rates.items()
            ]
            yield from family("output_tokens_made_per_second", "gauge", MADE, made)
            yield from family(
                "output_tokens_made_behind_seconds", "gauge", BEHIND, [("", {}, behind_s)] if made else []
            )


def _sum_of(metric: Metric) -> Callable[[], Sum]:
    if metric.name in FINEST:
        return lambda: Sum(bounds_ns=FINEST_NS, exactly=Counter())
    bounds_ns = FINE_NS if metric.name in FINE else COARSE_NS
    return lambda: Sum(bounds_ns=bounds_ns)


def _quantiles(name: str, sums: Sequence[tuple[tuple[str, ...], Sum]]) -> Iterator[Family]:
    """p50 and p95 of the run's requests that ended ok, by endpoint and model, each where there are enough for it."""
    stem = _stem(name)
    for percent in (50, 95):
        samples: list[Sample] = [
            ("", {"endpoint": endpoint, "model": model}, (percentile_ms(total.exactly, percent) or 0.0) / 1e3)
            for (endpoint, model, outcome), total in sums
            if outcome == "ok" and total.exactly and is_supported(total.exactly.total(), percent)
        ]
        words = f"p{percent} of {stem} of the run's requests that ended ok so far, without its warm-up, right to 1 %"
        yield from family(f"{stem}_p{percent}_seconds", "gauge", words, samples)


def _stem(name: str) -> str:
    return name.removesuffix("_hist").removesuffix("_ms")


def _with_names(labels: Iterable[str]) -> Labels:
    return dict(zip(LABELS, labels, strict=False))


def _samples(metric: Metric, sums: Iterable[tuple[tuple[str, ...], Sum]]) -> tuple[str, list[Sample]]:
    """A metric's name there (base units, as Prometheus wants them) and its samples."""
    named = [(_with_names(labels), total) for labels, total in sums]
    name = metric.name.removesuffix("_hist")
    if metric.kind == "count":
        return f"{name}_total", [("", labels, s.millionths / 1e6) for labels, s in named]
    if metric.kind == "check":
        return f"check_{name}_total", [sample for labels, s in named for sample in _results(labels, s)]
    if metric.kind == "rate":
        return name.replace("_per_s", "_per_second"), [
            sample for labels, s in named for sample in _ends(labels, s, 1e6)
        ]
    return f"{_stem(name)}_seconds", [sample for labels, s in named for sample in _histogram(labels, s)]


def _results(labels: Labels, total: Sum) -> Iterator[Sample]:
    failed = total.millionths // 1_000_000
    yield "", {**labels, "result": "failed"}, failed
    yield "", {**labels, "result": "passed"}, total.count - failed


def _ends(labels: Labels, total: Sum, unit: float) -> Iterator[Sample]:
    yield "_sum", labels, total.millionths / unit
    yield "_count", labels, total.count


def _histogram(labels: Labels, total: Sum) -> Iterator[Sample]:
    if labels["outcome"] != "ok":  # in an SLO's percentile a failure counts as infinite, too; and series are bounded
        yield "_bucket", {**labels, "le": "+Inf"}, total.count
        yield from _ends(labels, total, 1e9)
        return
    seen = 0
    for bound, count in zip((*(f"{ns / 1e9:g}" for ns in total.bounds_ns), "+Inf"), total.buckets, strict=True):
        seen += count
        yield "_bucket", {**labels, "le": bound}, seen
    yield from _ends(labels, total, 1e9)


def of_run(families: Iterable[Family], run: str, name: str) -> Iterator[Family]:
    """All of them with the run they are of: its folder's name, and its own."""
    for made in families:
        made.samples = [Line(line.name, {**line.labels, "run": run, "name": name}, line.value) for line in made.samples]
        yield made


def family(name: str, kind: str, words: str, samples: Iterable[Sample]) -> Iterator[Family]:
    """One metric: what it is, and its samples as (suffix of the name, labels, value); none without any."""
    full = f"tokenswarm_{name}"
    lines = [Line(full + suffix, dict(labels), value) for suffix, labels, value in samples]
    if lines:
        made = Family(full.removesuffix("_total") if kind == "counter" else full, words, kind)
        made.samples = lines
        yield made


def write_families(families: Iterable[Family], breathe: Callable[[], None]) -> str:
    """The text that Prometheus reads, with a pause after every few lines."""
    return generate_latest(_Families(families, breathe)).decode()


class _Families(Collector):
    def __init__(self, families: Iterable[Family], breathe: Callable[[], None]) -> None:
        self._families, self._breathe = families, breathe

    def collect(self) -> Iterator[Family]:
        for made in self._families:
            made.samples = _Unhurried(made.samples, self._breathe)
            yield made


class _Unhurried(list[Line]):
    """Lines that let others have their turn while they are written."""

    def __init__(self, lines: list[Line], breathe: Callable[[], None]) -> None:
        super().__init__(lines)
        self._breathe = breathe

    def __iter__(self) -> Iterator[Line]:
        for number, one in enumerate(super().__iter__()):
            if number % _LINES == 0:
                self._breathe()
            yield one
