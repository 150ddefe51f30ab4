"""The summary in the terminal: at most 100 columns, Chinese counted as two."""

from collections.abc import Iterator, Mapping
from typing import Any
from unicodedata import east_asian_width

from tokenswarm.metrics.slo.language import as_said
from tokenswarm.reports.parts.checks import check_lines
from tokenswarm.reports.parts.embeddings import vectors_per_s
from tokenswarm.reports.parts.findings import finding_line
from tokenswarm.reports.parts.probe import sentences
from tokenswarm.reports.parts.tokens import generates
from tokenswarm.reports.render.numbers import integer, number, plain

COLUMNS = 100
_NAME = 25
_HEADS = {
    ("ttft_ms", "p50"): "TTFT p50",
    ("ttft_ms", "p95"): "p95",
    ("tpot_ms", "p50"): "TPOT p50",
    ("itl_ms", "p99"): "ITL p99",
    ("e2e_ms", "p50"): "E2E p50",
    ("e2e_ms", "p95"): "p95",
}
_SHOWN = tuple(_HEADS)


def render(summary: Mapping[str, Any]) -> str:
    """Verdict, a line a group, findings and what was odd; ends with a newline."""
    run = summary["run"]
    target = f"{run['model'] or ''} at {run['host'] or 'an unknown target'}"
    lines = [_fit(f"{summary['validity']['verdict']}: {run['run']}  {target}", COLUMNS), ""]
    lines += [*wrap(summary["verdict"]), ""]
    if summary["groups"]:
        lines += [*_table(summary), ""]
    for slo in summary["slos"]:
        value, unit = as_said(slo["slo"], slo["figure"])
        why = f"; {slo['why']}" if slo["why"] else ""
        lines += wrap(f"SLO {slo['slo']}: {slo['state']} ({number(value)}{unit}, n = {integer(slo['n'])}{why})", "  ")
    for said in sentences(summary):
        lines += wrap(said, "  ")
    for error in summary["errors"][:3]:
        lines += wrap(f"{integer(error['requests'])} × {error['outcome']}: {error['error']}", "  ")[:3]
    for line in check_lines(summary):
        lines += wrap(line, "  ")[:2]
    for notice in summary["notices"]:
        lines += wrap(f"note: {notice}", "  ")
    for found in summary["validity"]["findings"]:
        lines += wrap(finding_line(found), "  ")
    return "\n".join(line.rstrip() for line in lines).strip("\n") + "\n"


def width(text: str) -> int:
    """Columns that a terminal needs for a text without control characters."""
    return sum(2 if east_asian_width(c) in "WF" else 1 for c in text)


def wrap(text: str, indent: str = "") -> list[str]:
    """Lines of at most COLUMNS, broken at spaces where there are any; all but the first are indented."""
    lines = [""]
    for word in _words(plain(text)):
        if width(lines[-1] + word) > COLUMNS:
            lines.append(indent)
        lines[-1] += word if lines[-1].strip() else word.lstrip()
    return lines


def _words(text: str) -> Iterator[str]:
    """Pieces that may stand at the end of a line: a word with its space, cut where it is far too long."""
    word = ""
    for c in text:
        word += c
        if c == " " or east_asian_width(c) in "WF" or len(word) >= COLUMNS // 2:
            yield word
            word = ""
    yield word


def _table(summary: Mapping[str, Any]) -> list[str]:
    groups = list(summary["groups"])
    if len(groups) > 1:
        groups.append({"endpoint": "all", "model": "", **summary["overall"]})
    vectors = {(e["endpoint"], e["model"]): e["vectors_per_s"] for e in summary["embedding"]}
    vectors["all", ""] = vectors_per_s(summary["embedding"])
    rate, shown = "tok/s", _SHOWN
    if vectors["all", ""] is not None and not generates(summary["overall"]):
        rate, shown = "vec/s", tuple(each for each in _SHOWN if each[0] == "e2e_ms")
    heads = ("ok", "of", rate, *(_HEADS[each] for each in shown))
    sizes = (8, 9, 8, *(max(7, len(_HEADS[each]) + 1) for each in shown))
    lines = [" " * _NAME + "".join(f"{head:>{size}}" for head, size in zip(heads, sizes, strict=True))]
    for group in groups:
        metrics, counts = group["metrics"], group["requests"]
        cells = [integer(counts["by_outcome"].get("ok", 0)), integer(counts["total"])]
        per_s = (
            group["tokens"]["output_tokens_per_s"]
            if rate == "tok/s"
            else vectors.get((group["endpoint"], group["model"]))
        )
        cells.append(number(per_s))
        cells += [number(metrics.get(metric, {}).get(percentile)) for metric, percentile in shown]
        name = _fit(f"{group['endpoint']} {group['model']}", _NAME - 1)
        row = "".join(f"{cell:>{size}}" for cell, size in zip(cells, sizes, strict=True))
        lines.append(name + " " * (_NAME - width(name)) + row)
    return [*lines, "Times in ms, of requests that ended ok; – where there are too few of them."]


def _fit(text: str, columns: int) -> str:
    text = plain(text).strip()
    if width(text) <= columns:
        return text
    while width(text) > columns - 1:
        text = text[:-1]
    return text + "…"
