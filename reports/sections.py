"""The sections of a run's report, from its summary."""

from collections.abc import Iterable, Mapping
from typing import Any

from tokenswarm.metrics.catalogue import METRICS
from tokenswarm.metrics.percentile import CONFIDENCE, minimum_n
from tokenswarm.reports.describe import BY_CHUNKS, buffered
from tokenswarm.reports.parts import capacity, censored, open_loop, slos, stages, tokens, turns
from tokenswarm.reports.parts import cold_loads as loading
from tokenswarm.reports.parts import embeddings as embedding
from tokenswarm.reports.parts import probe as probed
from tokenswarm.reports.parts import server_memory as memory
from tokenswarm.reports.parts.check_section import check_section
from tokenswarm.reports.parts.time_spent import LABELS
from tokenswarm.reports.render.document import Cell, Code, Document, Line, Section, Table
from tokenswarm.reports.render.numbers import ABSENT, BUFFERED, integer, many, number
from tokenswarm.reports.slices import group_name, name_cells, slices

KINDS = {metric.name.removesuffix("_hist"): metric.kind for metric in METRICS}
# These say how well was measured, not how well was served: see the limits.
_QUALITY = frozenset(
    {
        "clock_step_ms",
        "clock_stamps",
        "buffered",
        "coalesced_chunks",
        "late_chunks",
        "reads",
        "late_reads",
        "read_lag_ms",
        "turnaround_ms",
    }
)
_LATENCY_COLUMNS = ("n", "mean", "p50", "p90", "p95", "p99")
_RATE_COLUMNS = ("n", "mean", "p10", "p50", "p90")
_COUNT_COLUMNS = ("n", "total", "mean", "p50")
Summary = Mapping[str, Any]


def document(summary: Summary, circumstances: Iterable[Section] = ()) -> Document:
    """The report, with the folded sections and those about its circumstances at the end."""
    run = summary["run"]
    if not summary["overall"]["requests"]["total"]:
        sections = [_findings(summary), probed.section(summary), *circumstances]
    else:
        first = (capacity.section, _findings, slos.section)  # what was asked for; may it be believed?
        measured = (
            _phases,
            _requests,
            stages.section,
            open_loop.section,
            probed.section,
            check_section,
            tokens.section,
            _latencies,
            turns.section,
            embedding.section,
            loading.section,
            memory.section,
            _rates,
            _ledger,
            _errors,
            _limits,
        )
        sections = [*(build(summary) for build in (*first, *measured)), *circumstances]
    shown = tuple(sorted(filter(_any, sections), key=lambda section: section.folded))
    validity = summary["validity"]["verdict"]
    return Document(run["run"], validity, _facts(summary), summary["verdict"], _tiles(summary), shown)


def _any(section: Section) -> bool:
    return bool(section.lines or section.items or section.tables)


def _facts(summary: Summary) -> tuple[tuple[str, Cell], ...]:
    run, window = summary["run"], summary["window"]
    server = " ".join(str(run[name]) for name in ("kind", "version") if run[name])
    duration = f"{number(run['duration_s'])} s" if run["duration_s"] else ""
    window_s = f"{number(window['window_s'])} s, first sent to last ended" if window["window_s"] else ""
    if window["left_out"]:
        window_s += f", without the warm-up ({many(window['left_out'], 'request')})"
    pairs: tuple[tuple[str, Cell], ...] = (
        ("target", Code(run["host"] or "")),
        ("server", Code(server)),
        ("model", Code(run["model"] or "")),
        ("run took", duration),
        ("window", window_s),
        ("state", run["state"]),
    )
    return tuple((label, cell) for label, cell in pairs if (cell.text if isinstance(cell, Code) else cell))


def _tiles(summary: Summary) -> tuple[tuple[str, str], ...]:
    requests, metrics = summary["overall"]["requests"], summary["overall"]["metrics"]
    if not requests["total"]:
        return ()
    none = dict.fromkeys(("p50", "p95", "p99"))
    ttft, itl, e2e = (metrics.get(name, none) for name in ("ttft_ms", "itl_ms", "e2e_ms"))
    in_lumps = buffered(metrics)
    rate = summary["overall"]["tokens"]["output_tokens_per_s"]
    vectors = embedding.vectors_per_s(summary["embedding"])
    tiles = [("requests ok", f"{integer(requests['by_outcome'].get('ok', 0))} / {integer(requests['total'])}")]
    if vectors is not None:
        tiles.append(("vectors/s", number(vectors)))
    if tokens.generates(summary["overall"]):
        tiles.append(("output tokens/s", number(rate)))
        shown = BUFFERED if in_lumps else f"{number(ttft['p50'])} / {number(ttft['p95'])}"
        tiles.append(("TTFT p50 / p95, ms", shown))
        tiles.append(("ITL p50 / p99, ms", BUFFERED if in_lumps else f"{number(itl['p50'])} / {number(itl['p99'])}"))
    return (*tiles, ("E2E p50 / p95, ms", f"{number(e2e['p50'])} / {number(e2e['p95'])}"))


def _findings(summary: Summary) -> Section:
    items: list[Line] = [(f"note: {notice}",) for notice in summary["notices"]]
    found = [(finding_line(one),) for one in summary["validity"]["findings"]]
    # As tokenswarm/folder/verdict.py chooses the rows.
    met = any(trial.get("verdict") == "met" for trial in summary.get("capacity", {}).get("trials", ()))
    lines: tuple[Line, ...] = (("Of the trials that were met: the others overload the server on purpose.",),)
    return Section("findings", "Findings", lines if found and met else (), items=(*items, *found))


def finding_line(found: Mapping[str, Any]) -> str:
    """`INVALID (late reads): 12 % of … (limit 0.2 % of the chunks) → use more workers`."""
    level = "INVALID" if found.get("level") == "invalid" else found.get("level") or "remark"
    limit, todo = found.get("limit"), f" → {found['do']}" if found.get("do") else ""
    limited = f" (limit {number(limit)} {found.get('unit') or ''}".rstrip() + ")" if limit else ""
    return f"{level} ({found.get('rule') or 'run'}): {found['what']}{limited}{todo}"


def _phases(summary: Summary) -> Section:
    phases = summary["phases"]
    if [phase["phase"] for phase in phases] in ([], ["steady"]):
        return Section("phases", "Phases of the run")
    rows: list[tuple[Cell, ...]] = []
    for phase in phases:
        shown = (number(phase["span_s"]), number(phase.get("ttft_ms_p50")), number(phase.get("e2e_ms_p50")))
        rows.append((phase["phase"], integer(phase["requests"]), integer(phase["ok"]), *shown))
    left_out = "in no other figure of this report" if summary["window"]["left_out"] else "none was asked for"
    ramp = (
        "what each trial began with, and was not judged by"
        if "capacity" in summary
        else ("sent before all users had been started")
    )
    line = (
        f"Warm-up: {left_out}. Ramp-up: {ramp}. Drain: under way when the run was stopped. All but the warm-up are in "
        "the figures.",
    )
    columns = ("phase", "requests", "ok", "first sent to last ended, s", "TTFT p50, ms", "E2E p50, ms")
    return Section("phases", "Phases of the run", lines=(line,), tables=(Table(columns, tuple(rows)),))


def _requests(summary: Summary) -> Section:
    outcomes = list(summary["overall"]["requests"]["by_outcome"])
    shown = outcomes if "ok" in outcomes else ["ok", *outcomes]
    rows = []
    for group in slices(summary):
        counts = group["requests"]["by_outcome"]
        rows.append(
            (*name_cells(group), integer(group["requests"]["total"]), *(integer(counts.get(name, 0)) for name in shown))
        )
    rate = summary["window"]["ok_requests_per_s"]
    lines: tuple[Line, ...] = ((f"{number(rate)} ok requests a second over the window.",),) if rate else ()
    table = Table(("endpoint", "model", "requests", *shown), tuple(rows), names=2)
    return Section("requests", "Requests by outcome", lines=lines, tables=(table,))


def _description_table(
    summary: Summary, kinds: tuple[str, ...], columns: tuple[str, ...], first: str
) -> tuple[Table, ...]:
    tables = []
    for group in slices(summary):
        rows: tuple[tuple[Cell, ...], ...] = tuple(
            (Code(name), *(_format(column, found[column]) for column in columns))
            for name, found in group["metrics"].items()
            if KINDS[name] in kinds and name not in _QUALITY and found.get("total") != 0
        )
        if rows and "duration" in kinds and buffered(group["metrics"]):
            absent: tuple[Cell, ...] = (BUFFERED,) * len(columns)
            rows = (*((Code(name), *absent) for name in BY_CHUNKS), *rows)
        if rows:
            tables.append(Table((first, *columns), rows, caption=group_name(group)))
    return tuple(tables)


def _format(column: str, value: float | int | None) -> str:
    return integer(int(value)) if column in ("n", "total") and value is not None else number(value)


def _latencies(summary: Summary) -> Section:
    needed = ", ".join(f"p{p:g} {integer(minimum_n(p))}" for p in (90, 95, 99))
    requests = summary["overall"]["requests"]
    failed = requests["total"] - requests["by_outcome"].get("ok", 0)
    lines: list[Line] = [
        (
            f"Of requests with outcome ok; {integer(failed)} with others are in no latency here, and never count as 0. "
            f"Nearest rank; {ABSENT} where n does not support the percentile at confidence {CONFIDENCE} "
            f"(at least: {needed}). ITL is pooled over all gaps, exact to 1 %.",
        )
    ]
    tables = _description_table(summary, ("duration", "histogram"), _LATENCY_COLUMNS, "ms")
    if not tables:
        lines = [("No request ended ok, so there is no latency.",)]
    cut = tuple(filter(None, map(censored.table, slices(summary))))
    if cut:
        said = "The end of the run cut many, long ones more often: of these it is known how long they took at least. "
        lines.append((f"{said}With them the percentiles are those of the last tables.",))
    return Section("latencies", "Latencies", lines=tuple(lines), tables=(*tables, *cut))


def _rates(summary: Summary) -> Section:
    rates = _description_table(summary, ("rate",), _RATE_COLUMNS, "a request's")
    counts = _description_table(summary, ("count",), _COUNT_COLUMNS, "a request's")
    lines: tuple[Line, ...] = (("Per request, of those with outcome ok. One in ten was slower than p10.",),)
    return Section("rates", "Rates and sizes", lines=lines if rates or counts else (), tables=(*rates, *counts))


def _ledger(summary: Summary) -> Section:
    rows: dict[tuple[str, ...], list[tuple[Cell, ...]]] = {}
    kinds: dict[tuple[str, ...], set[str]] = {}
    for group in slices(summary):
        for account in group["ledger"]:
            parts = account["parts_mean_ms"]
            cells = (*map(number, parts.values()), number(account["sum_mean_ms"]))
            rows.setdefault(tuple(parts), []).append((*name_cells(group), integer(account["n"]), *cells))
            kinds.setdefault(tuple(parts), set()).add(account["kind"])
    tables = tuple(
        Table(
            ("endpoint", "model", "n", *(LABELS[name] for name in parts), "sum"),
            tuple(found),
            caption=(f"As told by the {' and the '.join(sorted(kinds[parts]))}; mean ms",),
            names=2,
        )
        for parts, found in rows.items()
    )
    lines: Line = (
        "Mean milliseconds of requests with outcome ok. The parts add up to the whole: from scheduled (open loop) or "
        "from connecting to the last byte. What the server does not tell apart is left whole.",
    )
    return Section("ledger", "Where the time went", lines=(lines,) if tables else (), tables=tables)


def _errors(summary: Summary) -> Section:
    kinds = summary["errors"]
    rows: list[tuple[Cell, ...]] = [(integer(e["requests"]), e["outcome"], Code(e["error"])) for e in kinds]
    columns: tuple[Cell, ...] = ("requests", "outcome", "error")
    if any(e["example"] != e["error"] for e in kinds):
        columns = (*columns, "one of them")
        rows = [(*row, Code(e["example"])) for row, e in zip(rows, kinds, strict=True)]
    table = Table(columns, tuple(rows), names=len(columns))
    return Section("errors", "Errors, the most frequent", tables=(table,) if rows else ())


def _limits(summary: Summary) -> Section:
    return Section("limits", "What this run cannot tell", items=tuple((text,) for text in summary["limits"]))
