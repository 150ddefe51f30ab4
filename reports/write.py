"""Making a report of a run folder: summary once, then report.md, report.html, summary.json and summary.csv."""

import csv
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from io import StringIO
from itertools import chain, zip_longest
from pathlib import Path
from typing import Any

from tokenswarm.metrics.text import cell
from tokenswarm.reports import sections
from tokenswarm.reports.aside import aside
from tokenswarm.reports.describe import told_by_group
from tokenswarm.reports.errors import ReportError
from tokenswarm.reports.load import Run, load
from tokenswarm.reports.parts import PARTS
from tokenswarm.reports.parts.part import Part
from tokenswarm.reports.parts.steady import LATENCIES, find_headline
from tokenswarm.reports.progress import progress
from tokenswarm.reports.render import chinese
from tokenswarm.reports.render import html as render_html
from tokenswarm.reports.render import markdown as render_md
from tokenswarm.reports.render.plots import Plot
from tokenswarm.reports.summary import summarise

FIGURES = (
    *("output_tokens_per_s", "ok_per_s", "goodput_per_s"),
    *(f"{name}_p{percent}" for name in LATENCIES for percent in (50, 95)),
    "vectors_per_s",
)


def report(folder: Path, lang: str = "en") -> dict[str, Any]:
    """Write report.html and .md, summary.json and .csv into the folder, and give the summary. Raises ReportError.

    `lang` is that of report.html and report.md: en or zh.
    """
    run = load(folder)
    progress(f"describing {len(run.frame):,} requests")
    summary = summarise(run)
    document = sections.document(summary, lang)
    progress("drawing the figures")
    plots = chinese.plots(figures(run, summary)) if lang == "zh" else tuple(figures(run, summary))
    write(folder / "summary.json", as_json(summary))
    write(folder / "summary.csv", as_csv(summary))
    write(folder / "report.md", render_md.render(document))
    write(folder / "report.html", render_html.render(document, plots, "zh-CN" if lang == "zh" else lang))
    return summary


def figures(run: Run, summary: Mapping[str, Any]) -> Iterator[Plot]:
    """All that there is to draw of a run, in the order of its parts."""
    frame = told_by_group(run.measured, summary["groups"])

    def drawn(parts: Sequence[Part]) -> list[tuple[Plot | None, ...]]:
        return [(part.plot(frame, summary), part.gaps_plot(run.gaps, summary)) for part in parts]

    # Each second one elsewhere: those that cost most stand side by side.
    others = aside(lambda: drawn(PARTS[1::2]), len(frame))
    for pairs in zip_longest(drawn(PARTS[::2]), others(), fillvalue=()):
        yield from filter(None, chain(*pairs))


def as_csv(summary: Mapping[str, Any]) -> str:
    """A header and a row: the run, its load and its figures (see `steady.find_headline`).

    For spreadsheets, and for tools that follow a series of runs.
    """
    run, load = summary["run"], summary["load"]
    counts = summary["overall"]["requests"]
    row = {
        **{name: run[name] for name in ("run", "name", "started_unix_s", "ended_unix_s", "host", "kind", "version")},
        "model": run["model"],
        "verdict": summary["validity"]["verdict"],
        **{name: load[name] for name in ("shape", "asked", "users", "seconds")},
        "requests": counts["total"],
        "ok": counts["by_outcome"].get("ok", 0),
    }
    row |= {name: find_headline(summary, name).get("value") for name in FIGURES}
    cells = ["" if value is None else cell(value) if isinstance(value, str) else value for value in row.values()]
    file = StringIO()
    csv.writer(file, lineterminator="\n").writerows([list(row), cells])
    return file.getvalue()


def as_json(summary: Mapping[str, Any]) -> str:
    """JSON without NaN; text stays as it is."""
    return json.dumps(summary, indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def write(path: Path, text: str) -> None:
    """Replace a file whole: a reader finds the old one or the new one. Raises ReportError."""
    new = path.with_name(f".{path.name}.new")
    try:
        # Half a surrogate pair, which run.json may hold, is written as the escape that JSON has for it.
        new.write_text(text, encoding="utf-8", errors="backslashreplace", newline="\n")
        os.replace(new, path)
    except OSError as error:
        new.unlink(missing_ok=True)  # its disk may be full
        raise ReportError(f"{path}: cannot be written: {error.strerror}") from error
