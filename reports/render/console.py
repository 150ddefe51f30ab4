"""The summary in the terminal: at most 100 columns, and no more than it has; Chinese counted as two."""

import shutil
import sys
from collections.abc import Callable, Iterator, Mapping
from itertools import accumulate, pairwise
from typing import Any
from unicodedata import east_asian_width

from tokenswarm.reports.parts.checks import check_lines
from tokenswarm.reports.parts.embeddings import vectors_per_s
from tokenswarm.reports.parts.findings import finding_line
from tokenswarm.reports.parts.load_shape import load_line
from tokenswarm.reports.parts.tokens import generates
from tokenswarm.reports.render.chinese import zh
from tokenswarm.reports.render.document import Bar, Table
from tokenswarm.reports.render.numbers import integer, number, plain
from tokenswarm.reports.sections import terminal

COLUMNS = min(100, max(60, shutil.get_terminal_size().columns)) if sys.stdout.isatty() else 100
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
_CLOSING = frozenset("，。；：、）")  # none of them begins a line
_FILL = "█░▒▚▓▞▄▀"


def render(summary: Mapping[str, Any], lang: str = "en") -> str:
    """What stands out, then what to read first: verdict, load, figures, SLOs, three sentences; ends with a newline."""
    say = zh if lang == "zh" else str
    lines = [*map(say, _table(summary)), ""] if len(summary["groups"]) > 1 else []
    for error in summary["errors"][:3]:
        lines += wrap(f"{integer(error['requests'])} × {error['outcome']}: {error['error']}", "  ")[:3]
    for line in check_lines(summary):
        lines += wrap(line, "  ")[:2]
    for notice in summary["notices"]:
        lines += wrap(say(f"note: {notice}"), "  ")
    findings = summary["validity"]["findings"]
    for found in sorted(findings, key=lambda found: found.get("level") == "invalid"):
        lines += wrap(say(finding_line(found)), "  ")
    lines += ["", *_first_screen(summary, say)]
    return "\n".join(line.rstrip() for line in lines).strip("\n") + "\n"


def _first_screen(summary: Mapping[str, Any], say: Callable[[str], str]) -> list[str]:
    run = summary["run"]
    target = f"{run['model'] or ''} {'at' if say is str else '@'} {run['host'] or say('an unknown target')}"
    lines = wrap(f"{say(summary['validity']['verdict'])}: {run['run']}  {target}", "  ")
    lines += [*wrap(say(load_line(summary))), *wrap(say(summary["verdict"])), ""]
    shown = terminal(summary, "en" if say is str else "zh")
    if len(summary["groups"]) == 1 and not any(section.tables for section in shown):
        lines += [*map(say, _table(summary)), ""]
    for section in shown:
        for table in section.tables:
            lines += [*grid(table), ""]
        if section.tables and section.lines:
            lines.pop()
        for said in (*section.lines, *section.items):
            lines += wrap("".join(cell if isinstance(cell, str) else cell.text for cell in said), "  ")
        if section.tables and section.lines:
            lines.append("")
        for bar in section.bars:
            lines += ["", *_bar(bar)]
    return lines


def grid(table: Table, columns: int = COLUMNS) -> list[str]:
    """A table in columns as wide as what is in them; columns for which there is no room are left out."""
    rows = (table.columns, *table.rows)
    texts = [[plain(cell if isinstance(cell, str) else cell.text) for cell in row] for row in rows]
    sizes = [max(map(width, column)) for column in zip(*texts, strict=True)]
    gap = 2 if sum(sizes) + 2 * len(sizes) - 2 <= columns else 1
    while sum(sizes) + gap * len(sizes) - gap > columns and len(sizes) > 1:
        sizes.pop()
    lines = []
    for row in texts:
        cells = list(zip(row, sizes, strict=False))
        pads = (" " * (size - width(cell)) for cell, size in cells)
        filled = (
            c + pad if at < table.names else pad + c for at, ((c, _), pad) in enumerate(zip(cells, pads, strict=True))
        )
        lines.append((" " * gap).join(filled))
    return lines


def _bar(bar: Bar) -> list[str]:
    """The bar in characters, and what each of them stands for; parts too small for one are left out."""
    ends = [round(end) for end in accumulate(share * COLUMNS / 100 for share in bar.shares())]
    sizes = [end - begin for begin, end in pairwise([0, *ends])]
    shown = [(*part, size) for part, size in zip(bar.parts, sizes, strict=True) if size]
    fills = [_FILL[at % len(_FILL)] for at in range(len(shown))]
    said = ", ".join(
        f"{fill} {name} {number(ms)} {bar.unit}" for fill, (name, _, ms, _) in zip(fills, shown, strict=True)
    )
    drawn = "".join(fill * size for fill, (*_, size) in zip(fills, shown, strict=True))
    return [f"{bar.title}:", drawn, *wrap(said, "  ")]


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
    for c, after in zip(text, f"{text[1:]} ", strict=True):
        word += c
        if after in _CLOSING:
            continue
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
    # On a narrow terminal the last ones are left out.
    too_many = sum(at > COLUMNS - _NAME for at in accumulate(sizes))
    shown, sizes = shown[: len(shown) - too_many], sizes[: len(sizes) - too_many]
    lines = [" " * _NAME + "".join(f"{head:>{size}}" for head, size in zip(heads, sizes, strict=False))]
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
