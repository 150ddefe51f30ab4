"""Making a report of a run folder: summary once, then report.md, report.html and summary.json."""

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tokenswarm.reports import sections
from tokenswarm.reports.errors import ReportError
from tokenswarm.reports.load import load
from tokenswarm.reports.parts import PARTS
from tokenswarm.reports.progress import progress
from tokenswarm.reports.render import html as render_html
from tokenswarm.reports.render import markdown as render_md
from tokenswarm.reports.summary import summarise


def report(folder: Path) -> dict[str, Any]:
    """Write the three files into the folder and give the summary. Raises ReportError."""
    run = load(folder)
    progress(f"describing {len(run.frame):,} requests")
    summary = summarise(run)
    document = sections.document(summary)
    progress("drawing the figures")
    plots = tuple(plot for part in PARTS if (plot := part.plot(run.measured, summary)))
    write(folder / "summary.json", as_json(summary))
    write(folder / "report.md", render_md.render(document))
    write(folder / "report.html", render_html.render(document, plots))
    return summary


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
