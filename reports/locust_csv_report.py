"""The report on Locust's own --csv files: PREFIX_report.md, PREFIX_report.html and PREFIX_summary.json."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tokenswarm.reports.locust_csv import ROUNDED, is_count, summarise
from tokenswarm.reports.render import html as render_html
from tokenswarm.reports.render import markdown as render_md
from tokenswarm.reports.render.document import Cell, Code, Document, Line, Section, Table
from tokenswarm.reports.render.numbers import integer, number, plain
from tokenswarm.reports.render.plots import BLUE, FILL, Plot, figure
from tokenswarm.reports.write import as_json, write

Summary = Mapping[str, Any]


def report(prefix: str) -> str:
    """Write the three files beside Locust's and give the Markdown. Raises ReportError."""
    summary = summarise(prefix)
    document = _document(summary)
    markdown = render_md.render(document)
    write(Path(f"{prefix}_summary.json"), as_json(summary))
    write(Path(f"{prefix}_report.md"), markdown)
    write(Path(f"{prefix}_report.html"), render_html.render(document, _plots(summary)))
    return markdown


def _document(summary: Summary) -> Document:
    rate, window_s = summary["output_tokens_per_s"], summary["window_s"]
    facts: tuple[tuple[str, Cell], ...] = (("source", "Locust's own CSV files alone"),)
    if window_s:
        facts += (("window", f"{number(window_s)} s, start of the run to its last request"),)
    tiles = (
        ("requests, not failed", f"{integer(_ok(summary))} / {integer(summary['requests'])}"),
        ("output tokens/s", number(rate)),
        ("output tokens", integer(summary["output_tokens_ok"])),
    )
    lines: Line = (
        f"Counts, means and totals are exact. Percentiles are Locust's, of rounded values ({ROUNDED}); – where n does "
        "not support them. Rows named after a metric hold requests that ended ok; e2e_ms is Locust's response time, of "
        "failed requests, too, and so is response_time_ms of what is no HTTP request.",
    )
    known = Section("metrics", "What Locust counted", lines=(lines,), tables=_tables(summary))
    rows = tuple(
        (integer(f["requests"]), Code(f["method"]), Code(f["name"]), Code(f["error"])) for f in summary["failures"]
    )
    failures = (Table(("requests", "method", "name", "error"), rows, names=4),) if rows else ()
    sections = [
        Section("findings", "Findings", items=tuple((f"note: {notice}",) for notice in summary["notices"])),
        Section("failures", "Failures, the most frequent", tables=failures),
        Section("unknown", "What these files cannot tell", items=tuple((text,) for text in summary["unknown"])),
    ]
    sections = [known, *(section for section in sections if section.tables or section.items)]
    return Document(Path(summary["source"]).name, "", facts, _verdict(summary), tiles, tuple(sections))


def _ok(summary: Summary) -> int:
    return int(summary["requests"] - summary["requests_failed"])


def _verdict(summary: Summary) -> str:
    if not summary["requests"]:
        return "No request was made: there is nothing to measure."
    said = f"{integer(_ok(summary))} of {integer(summary['requests'])} requests did not fail"
    if summary["output_tokens_ok"] is None:
        return f"{said}; there is no row of output tokens: no request ended ok, or these files are not of this suite."
    rate = f"{number(summary['output_tokens_per_s'])} a second over {number(summary['window_s'])} s"
    return f"{said}; {integer(summary['output_tokens_ok'])} output tokens, {rate}."


def _tables(summary: Summary) -> tuple[Table, ...]:
    columns = ("n", "total", "mean", "p50", "p90", "p95", "p99")
    tables = []
    for group in summary["groups"]:
        rows: tuple[tuple[Cell, ...], ...] = tuple(
            (Code(name), *(_cell(name, column, found) for column in columns))
            for name, found in group["metrics"].items()
        )
        said = f", {integer(group['requests'])} requests, {integer(group['requests_failed'])} failed"
        named = f"{group['type']} {group['name']}".strip()
        tables.append(Table(("metric", *columns), rows, caption=(Code(plain(named)), said)))
    return tuple(tables)


def _cell(name: str, column: str, found: Mapping[str, Any]) -> str:
    value = found.get(column)
    if column in ("n", "total"):
        return integer(value) if value is not None else number(None) if is_count(name) else ""
    if column != "mean" and value is not None and value < 100:
        return f"{value:.0f}"  # a decimal would say more than Locust knows
    return number(value)


def _plots(summary: Summary) -> tuple[Plot, ...]:
    points = summary["throughput"]
    if not any(point["output_tokens_per_s"] for point in points):
        return ()
    made = figure(
        xaxis={"title": {"text": "s since the first line of the history"}, "rangemode": "tozero"},
        yaxis={"title": {"text": "output tokens/s"}, "rangemode": "tozero"},
    )
    made.add_scatter(
        x=[points[0]["from_s"], *(point["to_s"] for point in points)],
        y=[round(point["output_tokens_per_s"], 3) for point in (points[0], *points)],
        mode="lines",
        line={"shape": "vh", "color": BLUE},
        fill="tozeroy",
        fillcolor=FILL,
    )
    note = "All tokens of a request count at its end, so long requests make waves that the server did not make."
    return (Plot("throughput", "throughput", "Throughput over time", note, (made,)),)
