"""VALID or INVALID: what may be wrong with a run's figures, rule by rule, on one screen.

A rule's limits are such that the figures it speaks of are wrong by more than 5 % of their median, or 10 ms. Those about
the client's own late reads are read off the accuracy curve (docs/accuracy.md). With kernel stamps, a late read shifts
no arrival; it does harm only where chunks of one answer come to lie in the kernel together. On the curve the p99
error of the gaps passes 5 % of a gap where about 0.2 % of the chunks were merged late, at a loop lag of half a gap or
more; from a lag of one gap on hardly a point is without it. Requests that leave late are part of response_ms, and of
no time that counts from when they were sent.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tokenswarm.metrics.histogram import percentile_ms
from tokenswarm.metrics.percentile import least_n
from tokenswarm.metrics.text import plain
from tokenswarm.metrics.validity.evidence import Evidence, with_the_cut
from tokenswarm.metrics.validity.workers_needed import advice
from tokenswarm.wire.habits import HABITS, Habit

ERROR_SHARE, ERROR_MS = 0.05, 10.0
# From the accuracy curve: the loop lag at p99, in gaps between chunks, and the share of chunks that were merged late.
LAG_OF_GAP, LATE_PERCENT = 1.0, 0.2
P50_NEEDS, P95_NEEDS, P99_NEEDS = map(least_n, (50, 95, 99))
CLIENTS_LIMIT = ("late reads", "loop lag", "late dispatch", "lateness", "worker CPU")  # more workers would help
MOST_REASONS = 5  # finish reasons named in one remark
Figure = float | int | None


@dataclass(frozen=True, slots=True)
class Facts:
    """What is judged: the rows' evidence, the workers' snapshots, and whether unique prompts were asked for."""

    rows: Evidence
    workers: Sequence[Mapping[str, Any]]
    unique_prompts: bool = False

    @property
    def is_stamped(self) -> bool:
        """Do the kernel's stamps date (almost) all reads?"""
        return self.rows.clock_stamps * 100 <= self.rows.reads

    @property
    def gap_p50_ms(self) -> Figure:
        """Between chunks; where servers send several (almost) at once, between tokens."""
        return max(percentile_ms(self.rows.gap_ms, 50) or 0.0, percentile_ms(self.rows.tpot_ms, 50) or 0.0) or None

    def worst(self, name: str) -> Figure:
        """The greatest value that a worker gave for something."""
        given = (worker.get(name) for worker in self.workers)
        return max((value for value in given if isinstance(value, (int, float))), default=None)


@dataclass(frozen=True, slots=True)
class Rule:
    """`figure` is compared with `invalid_above` and, for a remark only, `remark_above` (None: never)."""

    name: str
    unit: str
    figure: Callable[[Facts], Figure]
    remark_above: float | None
    invalid_above: float | Callable[[Facts], Figure] | None
    what: str
    do: str


def _allowed_ms(*medians_ms: Figure) -> Figure:
    """The error that the least of some medians bears: 5 % of it, at most 10 ms."""
    known = [median_ms for median_ms in medians_ms if median_ms]
    return min(ERROR_MS, ERROR_SHARE * min(known)) if known else None


def _medians_ms(f: Facts) -> tuple[Figure, Figure]:
    return percentile_ms(f.rows.ttft_ms, 50), percentile_ms(f.rows.e2e_ms, 50)


def _lag_limit_ms(f: Facts) -> Figure:
    """Without kernel stamps the lag is the error; with them it is one only where chunks were merged."""
    if not f.is_stamped:
        return _allowed_ms(f.gap_p50_ms, *_medians_ms(f))
    merged = f.rows.coalesced_chunks * 100 > LATE_PERCENT / 4 * f.rows.chunks
    return LAG_OF_GAP * f.gap_p50_ms if merged and f.gap_p50_ms else None


def _clocks_apart_ms(f: Facts) -> Figure:
    return max((abs(worker["clock_ahead_ms"]) for worker in f.workers if worker.get("clock_ahead_ms")), default=None)


def _clock_limit_ms(f: Facts) -> Figure:
    """What moves the run's window, from one worker's first request to another's last, by 5 %: half at each end."""
    return ERROR_SHARE / 2 * 1e3 * f.rows.window.length_s() or None


def _percent(part: float, whole: float) -> Figure:
    return 100 * part / whole if whole else None


def _cut_shift(f: Facts, percent: float) -> Figure:
    """How far the cut requests may move a percentile of E2E, in % of it; endless if it lies beyond all that ended."""
    shown = percentile_ms(f.rows.e2e_ms, percent)
    if not shown or not f.rows.cut_ms:
        return None
    with_cut = with_the_cut(f.rows.e2e_ms, f.rows.cut_ms, percent)
    if with_cut is None:
        return float("inf")
    # What the sample itself leaves open (the 95 % interval of a percentile's rank) is not the cut's doing.
    spread = 196 * (percent / 100 * (1 - percent / 100) / f.rows.answers) ** 0.5
    open_to_ms = percentile_ms(f.rows.e2e_ms, min(100, percent + spread)) or 0.0
    return 0 if with_cut <= open_to_ms else 100 * (with_cut - shown) / shown


def _failures(f: Facts) -> int:
    return f.rows.total - f.rows.ok - f.rows.outcomes["cancelled"] - f.rows.outcomes["dropped"]


def _missing(f: Facts, least_n: int) -> Figure:
    return max(0, least_n - f.rows.answers) if f.rows.answers or least_n == P50_NEEDS else None


def _of_habit(habit: Habit) -> Rule:
    name = habit.name

    def share(facts: Facts) -> Figure:
        return _percent(facts.rows.habits[name], facts.rows.answers)

    return Rule(name.replace("_", " "), "% of the answers", share, 0, None, habit.what, habit.do)


RULES: tuple[Rule, ...] = (
    Rule("samples", "requests short of what p50 needs", lambda f: _missing(f, P50_NEEDS), 0, 0,
        f"a median needs {P50_NEEDS} requests that ended ok, {{figure}} more than there are",
        "run longer, or with more users"),
    Rule("samples for p95", "requests short of it", lambda f: _missing(f, P95_NEEDS), 0, None,
        f"p95 of a request's times needs {P95_NEEDS} requests that ended ok, {{figure}} more than there are; it is "
        "not shown", "run longer, or with more users"),
    Rule("samples for p99", "requests short of it", lambda f: _missing(f, P99_NEEDS), 0, None,
        f"p99 of a request's times needs {P99_NEEDS} requests that ended ok, {{figure}} more than there are; it is "
        "not shown", "run longer, or with more users"),
    Rule("late reads", "% of the chunks", lambda f: _percent(f.rows.merged_late, f.rows.chunks), LATE_PERCENT / 4,
        LATE_PERCENT, "{figure} % of the output chunks were read so late that they were merged with others: gaps "
        "(ITL) are wrong, some TTFT too", "use more workers (--processes), fewer users each, or a machine with less "
        "else to do"),
    Rule("loop lag", "ms", lambda f: f.worst("loop_lag_ms_p99"), 10, _lag_limit_ms,
        "the event loop of the worst worker was late by {figure} ms at p99, with {gap} ms between chunks",
        "use more workers (--processes), fewer users each, or a machine with less else to do"),
    Rule("kernel stamps", "% of the reads", lambda f: _percent(f.rows.clock_stamps, f.rows.reads), 0, None,
        "{figure} % of the reads bear no stamp of the kernel, but the process's time: late by however long it was "
        "busy (see loop lag)", "measure from Linux"),
    Rule("late dispatch", "% of the E2E time", lambda f: _percent(f.rows.turnaround_sum_ms, f.rows.e2e_sum_ms), 1,
        100 * ERROR_SHARE, "between two requests each user lost {figure} % of a request's time to the client itself: "
        "the load was that much lower than its number of users says", "use more workers (--processes)"),
    Rule("lateness", "ms", lambda f: percentile_ms(f.rows.late_ms, 99), None, lambda f: _allowed_ms(_medians_ms(f)[1]),
        "requests left up to {figure} ms (p99) after they were due", "use more workers (--processes), or a lower rate"),
    Rule("worker CPU", "% of a core", lambda f: f.worst("cpu_percent_mean"), 70, 90,
        "the busiest worker used {figure} % of a core all through the run: the throughput may be its limit, not the "
        "server's", "use more workers (--processes)"),
    Rule("held back", "times", lambda f: f.worst("held_back"), 0, lambda f: ERROR_SHARE * f.rows.answers,
        "{figure} times the busiest worker let a long answer wait, since those before it filled its memory: such "
        "answers took longer than the server needed", "use more workers (--processes), or fewer users each"),
    Rule("clock steps", "% of the requests", lambda f: _percent(f.rows.stepped, f.rows.answers), 0, 1,
        "during {figure} % of the requests the wall clock was set by more than 1 ms: their times are off by that",
        "let the clock be slewed, not set, while a test runs"),
    Rule("clocks unknown", "workers", lambda f: sum(w.get("clock_ahead_ms", 0) is None for w in f.workers), None, 0,
        "the clocks of {figure} workers could not be compared with the master's: times of different workers do not "
        "fit together", "see whether messages from them to the master get lost"),
    Rule("clock uncertainty", "ms", lambda f: f.worst("clock_uncertainty_ms"), ERROR_MS, _clock_limit_ms,
        "workers' clocks are known to {figure} ms only: times of different workers fit together no better",
        "use a faster way from the workers to the master"),
    Rule("clocks moved", "ms", lambda f: f.worst("clock_moved_ms"), ERROR_MS, _clock_limit_ms,
        "a worker's clock moved by {figure} ms against the master's during the run; the report follows it, but where "
        "it was set at once, requests of that half second may be misplaced", "let the clocks be slewed (chrony, "
        "ntpd), not set, while a test runs"),
    Rule("clocks apart", "ms", _clocks_apart_ms, 50, None, "workers' clocks are up to {figure} ms off the master's; "
        "the report has all times on the master's, requests.csv as each worker's clock showed them",
        "nothing, or let chrony or ntpd keep them together"),
    Rule("censored tail", "% of p50", lambda f: _cut_shift(f, 50), None, 100 * ERROR_SHARE,
        "requests that the end of the run cut would move the median E2E by {figure} %: long ones are cut more often",
        "run longer, or let them end with --stop-timeout"),
    Rule("censored p95", "% of p95", lambda f: _cut_shift(f, 95), 100 * ERROR_SHARE, None,
        "requests that the end of the run cut may move the p95 of E2E by {figure} %",
        "run longer, or let them end with --stop-timeout"),
    Rule("estimated tokens", "% of the tokens",
        lambda f: _percent(f.rows.estimated_tokens, f.rows.counted_tokens + f.rows.estimated_tokens), 1, 50,
        "{figure} % of the output tokens are an estimate, by the run's tokens a chunk: those of requests that were "
        "cut, or failed in the middle, which nobody counted", "run longer, or let them end with --stop-timeout; see "
        "the errors in the report"),
    Rule("dropped", "% of the requests", lambda f: _percent(f.rows.outcomes["dropped"], f.rows.total), 0,
        100 * ERROR_SHARE, "{figure} % of the requests were not sent (no client was free, the client itself was a "
        "second behind, or it may open no more connections): the load was lower than asked for, and the latencies are "
        "those of the others", "see the errors in the report; allow more in flight (--max-in-flight), use more "
        "workers (--processes), or ask for a lower rate"),
    Rule("unsent", "arrivals", lambda f: f.rows.offered.unsent, 0, lambda f: ERROR_SHARE * f.rows.offered.arrivals,
        "{figure} arrivals have no row: the worker whose they were was lost, or cut off: the load was lower than "
        "asked for", "see which workers were lost, and when"),
    Rule("errors", "% of the requests", lambda f: _percent(_failures(f), f.rows.total), 0, 100 * ERROR_SHARE,
        "{figure} % of the requests failed: the latencies are those of the others", "see the errors in the report"),
    Rule("output limit", "% of the requests", lambda f: _percent(f.rows.over_limit, f.rows.limited), 0, 1,
        "{figure} % of the answers were longer than the limit that was sent: the load was another than asked for",
        "see which limit the server heeds (with format and thinking Ollama runs the model twice)"),
    Rule("token counts", "% of the answers", lambda f: _percent(f.rows.over_counted, f.rows.answers), 0, 1,
        "{figure} % of the answers came in more chunks than the server counted tokens: tokens/s are too low",
        "Ollama counts one run of two when it thinks with a format: leave one of them out"),
    Rule("uncounted tokens", "% of the answers", lambda f: _percent(f.rows.uncounted, f.rows.answers), 0,
        lambda f: 1 if f.rows.uncounted < f.rows.answers else None, "for {figure} % of the answers the server gave no "
        "token count: they are in no tokens/s, and nothing else counts them", "see whether the server can send its "
        "usage (stream_options.include_usage)"),
    Rule("durations", "% of the answers", lambda f: _percent(f.rows.doubted, f.rows.answers), 0, None,
        "{figure} % of the answers came with durations of the server's that cannot be: what is made of them (load, "
        "queue, prefill and decode rates) is left out of these", "see check_notes in requests.csv: the server, or a "
        "proxy before it, makes them up"),
    Rule("cold loads", "% of the requests that tell", lambda f: _percent(f.rows.cold, f.rows.load_told), 0, None,
        "{figure} % of the requests that tell of it waited until their model was loaded (load_ms of 200 ms or more): "
        "the figures hold cold starts and warm ones", "see the section about loading, which tells them apart"),
    Rule("starved models", "models", lambda f: f.rows.starved_count, 0, None, "{figure} of the run's models starved "
        "while others were served ({starved}): they are in none of the figures, or in few",
        "see their requests by outcome, and who overtook them in the section about loading"),
    Rule("silent end", "s", lambda f: f.rows.silent_s, 0, None, "in the last {figure} s of the run nothing was "
        "answered, though requests waited: the figures are those of the time before",
        "see whether the server hung, and its log of that time"),
    Rule("bad vectors", "% of the vectors", lambda f: _percent(f.rows.bad_vectors, f.rows.vectors), 0, None,
        "{figure} % of the vectors are not finite, all zeros, or of another dimension than their answer's first",
        "see which texts they belong to (bad_vectors in requests.csv)"),
    Rule("dimension", "% of the answers", lambda f: _percent(f.rows.other_dimension, f.rows.dimensions.total()), 0,
        None, "{figure} % of the embedding answers have another dimension than the others",
        "see whether one model answers for all (dimension in requests.csv)"),
    *map(_of_habit, HABITS),
    Rule("buffered", "% of the streams", lambda f: _percent(f.rows.buffered, f.rows.streams), 1, None,
        "{figure} % of the streams came in lumps, most of their chunks together: TTFT, gaps and TPOT of them are no "
        "measurements, and left out", "see which proxy holds the answers back (nginx: proxy_buffering off), or "
        "whether the server itself sends them batch by batch"),
    Rule("chunks together", "% of the chunks", lambda f: _percent(f.rows.apart_together, f.rows.apart_chunks), 50, None,
        "{figure} % of the chunks came together with the one before, as of a server that makes some tokens at once "
        "(speculative decoding): ITL counts those gaps as 0", "go by TPOT"),
    Rule("unread chunks", "% of the chunks",
        lambda f: _percent(f.rows.unread_chunks, f.rows.chunks + f.rows.unread_chunks), 0, 100 * ERROR_SHARE,
        "{figure} % of the chunks held something under a name that is not read, and no output: TTFT, gaps and TPOT "
        "are without it", "see what the server calls it, and ask for the usual form if it has one"),
    Rule("finish reasons", "% of the answers", lambda f: _percent(f.rows.unknown_reasons.total(), f.rows.answers), 0,
        None, "{figure} % of the answers ended with a finish reason that we do not know, and count as ok: {reasons}",
        "see in the server's documentation whether it names a failure"),
    Rule("prompt cache", "% of the prompt tokens",
        lambda f: _percent(f.rows.cached_tokens, f.rows.prompt_tokens) if f.unique_prompts else None, 1,
        100 * ERROR_SHARE, "{figure} % of the prompt tokens came from the server's cache, though unique prompts were "
        "asked for: TTFT is too good", "see what the prompts share beyond the model's template"),
)  # fmt: skip


def judge(facts: Facts, known: Sequence[Mapping[str, Any]] = ()) -> dict[str, Any]:
    """`{"verdict": "VALID" | "INVALID", "findings": [...]}`: each finding with rule, level, figure, limit, what, do.

    `known` are findings made elsewhere (workers lost), of the same shape.
    """
    findings = [*known, *filter(None, (apply(rule, facts) for rule in RULES))]
    findings.sort(key=lambda finding: finding["level"] != "invalid")
    invalid = any(finding["level"] == "invalid" for finding in findings)
    return {"verdict": "INVALID" if invalid else "VALID", "findings": findings}


def apply(rule: Rule, facts: Facts) -> dict[str, Any] | None:
    """A rule's finding, if it has one."""
    figure = rule.figure(facts)
    if figure is None:
        return None
    limit = rule.invalid_above(facts) if callable(rule.invalid_above) else rule.invalid_above
    if limit is not None and figure > limit:
        level = "invalid"
    elif rule.remark_above is not None and figure > rule.remark_above:
        level, limit = "remark", rule.remark_above
    else:
        return None
    endless = figure == float("inf")
    reasons = ", ".join(reason for reason, _ in facts.rows.unknown_reasons.most_common(MOST_REASONS))
    shown = "∞" if endless else f"{figure:.3g}"
    waits = facts.rows.starving_models.items()
    starved = ", ".join(f"{plain(model)}: {seconds:.3g} s without an answer" for model, seconds in waits)
    gap = f"{facts.gap_p50_ms:.3g}" if facts.gap_p50_ms else "–"
    said = rule.what.format(starved=starved, figure=shown, gap=gap, reasons=reasons)
    do = rule.do + (advice(facts.rows, facts.workers) if level == "invalid" and rule.name in CLIENTS_LIMIT else "")
    return make_finding(rule.name, level, said, do, None if endless else figure, limit, rule.unit)


def make_finding(
    rule: str, level: str, what: str, do: str, figure: Figure = None, limit: Figure = None, unit: str = ""
) -> dict[str, Any]:
    """One finding as run.json holds it; `level` is `invalid` or `remark`."""
    rounded = {
        name: None if value is None else round(value, 6) for name, value in (("figure", figure), ("limit", limit))
    }
    return {"rule": rule, "level": level, **rounded, "unit": unit, "what": what, "do": do}
