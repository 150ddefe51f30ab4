"""What a run's rows say for or against it: sums over requests.csv, of all phases but the warm-up."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tokenswarm.metrics.clock import Window
from tokenswarm.metrics.durations import SPARE_CHUNKS
from tokenswarm.metrics.histogram import bucket, decode, decode_all, middle_ms
from tokenswarm.metrics.output import TokensPerChunk, count
from tokenswarm.metrics.text import plain
from tokenswarm.metrics.validity.unsent import Offered
from tokenswarm.wire.endings import interpret_reason

STEP_MS = 1.0
STARVED_SHARE, STARVED_TIMES = 0.5, 10
SILENT_SHARE, SILENT_S = 0.2, 5.0  # of the run, and at least
MOST_REASONS = 100  # different ones that are told apart


@dataclass(slots=True)
class Evidence:
    """Counts of rows, but for `*_ms` (histograms in the buckets of `metrics.histogram`, or sums) and `*_tokens`."""

    outcomes: Counter[str] = field(default_factory=Counter)
    window: Window = field(default_factory=Window)
    offered: Offered = field(default_factory=Offered)
    ttft_ms: Counter[int] = field(default_factory=Counter)
    tpot_ms: Counter[int] = field(default_factory=Counter)
    e2e_ms: Counter[int] = field(default_factory=Counter)
    cut_ms: Counter[int] = field(default_factory=Counter)
    late_ms: Counter[int] = field(default_factory=Counter)
    gap_items: Counter[str] = field(default_factory=Counter)  # of the rows' histograms, to be decoded at last
    turnaround_sum_ms: float = 0.0
    e2e_sum_ms: float = 0.0
    chunks: int = 0
    per_chunk: TokensPerChunk = field(default_factory=TokensPerChunk)
    counted_tokens: int = 0
    # By endpoint and model: chunks of requests that were cut, or failed in the middle, whose tokens nobody counted.
    uncounted_chunks: Counter[tuple[str, str]] = field(default_factory=Counter)
    coalesced_chunks: int = 0
    late_chunks: int = 0
    unread_chunks: int = 0
    streams: int = 0  # of which it is known whether they were buffered
    buffered: int = 0
    apart_chunks: int = 0  # of streams that were not
    apart_together: int = 0
    reads: int = 0
    late_reads: int = 0
    clock_stamps: int = 0
    stepped: int = 0
    limited: int = 0
    over_limit: int = 0
    over_counted: int = 0
    uncounted: int = 0
    prompt_tokens: int = 0
    doubted: int = 0
    cold: int = 0
    load_told: int = 0  # of the answers: of which it is known whether they were cold
    waits: dict[str, float] = field(default_factory=dict)  # by model: the longest of a request for its model, ms
    longest_wait_ms: float = 0.0  # of a request for its first output, or for the next
    # By worker, whose clocks may differ: when the last answer was over, or the last part of one had come.
    heard_ns: dict[int, int] = field(default_factory=dict)
    cut_ns: dict[int, int] = field(default_factory=dict)  # and when the run's end cut the last request
    habits: Counter[str] = field(default_factory=Counter)  # of the ok rows
    unknown_reasons: Counter[str] = field(default_factory=Counter)  # finish reasons of the ok rows that nobody knows
    answered: Counter[str] = field(default_factory=Counter)  # by model: ok requests
    vectors: int = 0
    bad_vectors: int = 0
    dimensions: Counter[int] = field(default_factory=Counter)
    # By endpoint and model: rows, their cached tokens, the fewest of a row.
    cached: dict[tuple[str, str], tuple[int, int, int]] = field(default_factory=dict)

    @property
    def gap_ms(self) -> dict[int, int]:
        return decode_all(self.gap_items)

    @property
    def total(self) -> int:
        return self.outcomes.total()

    @property
    def ok(self) -> int:
        return self.outcomes["ok"]

    @property
    def answers(self) -> int:
        """The ok requests that the run's times are of: all but management calls, unless there was nothing else."""
        return self.answered.total() if self.answered else self.ok

    @property
    def starved_count(self) -> int:
        """How many models starved: see `starving_models`."""
        return len(self.starving_models)

    @property
    def starving_models(self) -> dict[str, float]:
        """Models without any answer where others had one; or one of whose requests waited, until it began to be
        answered, for half of the run or more, while others had ten times as many answers. With that wait, s.
        """
        waited = {model: self.waits.get(model, 0.0) / 1000 for model in self.answered}
        half_s, others = STARVED_SHARE * self.window.length_s(), self.answered.total()
        return {
            model: waited[model]
            for model, n in self.answered.items()
            if others > n and (not n or (waited[model] >= half_s > 0 and others - n >= STARVED_TIMES * n))
        }

    @property
    def silent_s(self) -> float:
        """How long nothing at all came to any worker before the end cut those that waited, s; 0 unless it is for a
        fifth of the run or more, and longer than any request had to wait for anything before.
        """
        silent_ns = (self.cut_ns.get(worker, 0) - heard_ns for worker, heard_ns in self.heard_ns.items())
        silent_s = min(silent_ns, default=0) / 1e9
        least_s = max(SILENT_S, SILENT_SHARE * self.window.length_s(), self.longest_wait_ms / 1000)
        return silent_s if self.ok and silent_s > least_s else 0.0

    @property
    def other_dimension(self) -> int:
        """Answers with vectors of another dimension than most of the run's."""
        return self.dimensions.total() - max(self.dimensions.values(), default=0)

    @property
    def estimated_tokens(self) -> float:
        """Those of requests that were cut or failed in the middle, by the run's tokens a chunk."""
        return sum(chunks * (self.per_chunk.of(*whose) or 0.0) for whose, chunks in self.uncounted_chunks.items())

    @property
    def merged_late(self) -> float:
        """Chunks that late reads merged: those in late reads, less what reads in time hold of chunks sent together."""
        in_time = self.reads - self.late_reads
        together = (self.coalesced_chunks - self.late_chunks) / in_time if in_time > 0 else 0.0
        return max(0.0, self.late_chunks - together * self.late_reads)

    @property
    def cached_tokens(self) -> int:
        """Prompt tokens of first turns from the server's cache, without what all of a model share: its template."""
        return sum(total - rows * least for rows, total, least in self.cached.values())

    def add(self, row: Mapping[str, Any]) -> None:
        """Take in one row of requests.csv."""
        self.offered.add(row)
        if row["phase"] == "warm-up":
            return
        outcome = row["outcome"]
        self.outcomes[outcome] += 1
        self.window.add(row)
        self.reads += row["reads"] or 0
        self.late_reads += row["late_reads"] or 0
        self.clock_stamps += row["clock_stamps"] or 0
        if row["max_tokens"] is None and row["batch_size"] is None:
            return  # a management call: its times say nothing of generations
        self.answered[row["model"]] += outcome == "ok"
        self._add_wait(row)
        self._add_silence(row)
        if outcome == "cancelled":
            _count(self.cut_ms, row["e2e_ms"])
        self._add_output(row)
        if outcome != "ok":
            return
        for into, name in ((self.ttft_ms, "ttft_ms"), (self.tpot_ms, "tpot_ms"), (self.e2e_ms, "e2e_ms")):
            _count(into, row[name])
        if row["lateness_ms"] is not None:  # less what opening the connection took, which is not this client's
            late_ms = row["lateness_ms"] - (row["connect_ms"] or 0)
            self.late_ms[bucket(max(0, int(late_ms * 1e6)))] += 1
        self.gap_items.update((row["itl_ms_hist"] or "").split())
        self.e2e_sum_ms += row["e2e_ms"] or 0
        self.turnaround_sum_ms += row["turnaround_ms"] or 0
        self.chunks += row["output_chunks"] or 0
        self.coalesced_chunks += row["coalesced_chunks"] or 0
        self._add_lumps(row)
        self.unread_chunks += row["unread_chunks"] or 0
        self.late_chunks += row["late_chunks"] or 0
        self.habits.update((row["habits"] or "").split())
        if (reason := row["finish_reason"]) and interpret_reason(reason) == "unknown":
            known = len(self.unknown_reasons) < MOST_REASONS or reason in self.unknown_reasons
            self.unknown_reasons[plain(reason) if known else "others"] += 1
        self.stepped += abs(row["clock_step_ms"] or 0) > STEP_MS
        self._add_tokens(row)

    def _add_wait(self, row: Mapping[str, Any]) -> None:
        wait_ms = max((ms for ms in (row["load_ms"], row["ttft_ms"]) if ms is not None), default=None)
        if wait_ms is None and row["outcome"] != "ok" and not row["output_chunks"]:
            wait_ms = row["e2e_ms"]  # not one word until it was cut
        if wait_ms is not None:
            self.waits[row["model"]] = max(wait_ms, self.waits.get(row["model"], 0.0))

    def _add_silence(self, row: Mapping[str, Any]) -> None:
        worker, heard_ns = row["worker"] or 0, row["ended_unix_ns"] or 0
        if row["outcome"] == "cancelled":
            self.cut_ns[worker] = max(self.cut_ns.get(worker, 0), heard_ns)
            heard_ns = heard_ns if row["buffered"] else _last_heard_ns(row)
        else:
            wait_ms = row["e2e_ms"] if row["ttft_ms"] is None else row["ttft_ms"]
            self.longest_wait_ms = max(self.longest_wait_ms, wait_ms or 0.0, row["longest_gap_ms"] or 0.0)
        self.heard_ns[worker] = max(self.heard_ns.get(worker, 0), heard_ns)

    def _add_output(self, row: Mapping[str, Any]) -> None:
        count(row, self.per_chunk)
        if row["output_tokens"] is not None:
            self.counted_tokens += row["output_tokens"]
        elif row["outcome"] != "ok":
            self.uncounted_chunks[row["endpoint"], row["model"]] += row["output_chunks"] or 0

    def _add_lumps(self, row: Mapping[str, Any]) -> None:
        if (buffered := row["buffered"]) is not None:
            self.streams += 1
            self.buffered += buffered
        if buffered != 1:
            self.apart_chunks += row["output_chunks"] or 0
            self.apart_together += (row["coalesced_chunks"] or 0) - (row["late_chunks"] or 0)

    def _add_tokens(self, row: Mapping[str, Any]) -> None:
        self.cold += row["load_state"] == "cold"
        self.load_told += row["load_state"] is not None
        self.doubted += row["durations_impossible"] == 1
        if row["vectors"] is not None:
            self.vectors += row["vectors"]
            self.bad_vectors += row["bad_vectors"] or 0
            self.dimensions[row["dimension"]] += 1
        tokens = row["output_tokens"]
        if tokens is None:
            self.uncounted += row["max_tokens"] is not None  # what generates nothing has nothing to count
            return
        tokens = int(row["output_tokens"])
        if row["max_tokens"]:
            self.limited += 1
            self.over_limit += tokens > row["max_tokens"]
        self.over_counted += (row["output_chunks"] or 0) > tokens + SPARE_CHUNKS
        if row["turn"] not in (None, 1):
            return  # what a session's own earlier turns left in the cache is no fault of the prompts
        self.prompt_tokens += row["prompt_tokens"] or 0
        # The token that every prompt begins with is in any slot's cache but the first time: it is nothing.
        cached, where = max(0, (row["cached_tokens"] or 0) - 1), (row["endpoint"], row["model"])
        rows, total, least = self.cached.get(where, (0, 0, cached))
        self.cached[where] = (rows + 1, total + cached, min(least, cached))


def _last_heard_ns(row: Mapping[str, Any]) -> int:
    """When the last output of a cut answer came, to 1 % of its time; 0 if none did."""
    if row["sent_unix_ns"] is None or row["ttft_ms"] is None:
        return 0
    gaps_ms = sum(middle_ms(number) * n for number, n in decode(row["itl_ms_hist"] or "").items())
    return int(row["sent_unix_ns"] + (row["ttft_ms"] + gaps_ms) * 1e6)


def with_the_cut(done: Counter[int], cut: Counter[int], percent: float) -> float | None:
    """A percentile in ms of durations of which some are only known to be longer than their cut; None if beyond all.

    The product-limit estimate (Kaplan and Meier, 1958), over the buckets of `metrics.histogram`.
    """
    at_risk, beyond = done.total() + cut.total(), 1.0
    for number in sorted({*done, *cut}):
        beyond *= 1 - done[number] / at_risk
        if 1 - beyond >= percent / 100 - 1e-12:
            return middle_ms(number)
        at_risk -= done[number] + cut[number]
    return None


def _count(into: Counter[int], ms: float | None) -> None:
    if ms is not None:
        into[bucket(int(ms * 1e6))] += 1
