"""`ls`: the runs below a folder, newest first; `show`: one of them, without writing anything."""

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tokenswarm.metrics.text import plain
from tokenswarm.reports.errors import ReportError
from tokenswarm.reports.load import load
from tokenswarm.reports.parts.load_shape import load_line
from tokenswarm.reports.parts.steady import find_headline
from tokenswarm.reports.rejudging import as_mapping
from tokenswarm.reports.render import console
from tokenswarm.reports.render.chinese import LANGUAGES
from tokenswarm.reports.render.document import Table
from tokenswarm.reports.render.numbers import integer, number
from tokenswarm.reports.run_json import NO_STATE, NUMBER, WHOLE, read_info
from tokenswarm.reports.summary import summarise

RUNS, LATEST = Path("runs"), "latest"
FIGURES = {
    "output_tokens_per_s": "tokens/s",
    "vectors_per_s": "vectors/s",
    "ttft_ms_p50": "TTFT p50, ms",
    "e2e_ms_p50": "E2E p50, ms",
}


def runs(folder: Path) -> list[Path]:
    """The run folders in a folder, newest first: a run's name begins with its time."""
    if not folder.is_dir():
        raise ReportError(f"{folder}: no such folder; give the one that runs are in (--run-dir)")
    found = (path for path in folder.iterdir() if (path / "run.json").exists() or (path / "requests.csv").exists())
    return sorted(found, key=lambda path: path.name, reverse=True)


def find_run(text: str, among: Path = RUNS) -> Path:
    """A run by its folder, its name in `runs/`, or `latest`. Raises ReportError."""
    if text == LATEST:
        if not (found := runs(among)):
            raise ReportError(f"{among}: holds no run")
        return found[0]
    return next((path for path in (Path(text), among / text) if path.is_dir()), Path(text))


def entry(folder: Path) -> dict[str, Any]:
    """What `ls` says of a run: from its summary.json, or where there is none, or one of before, from run.json alone."""
    try:
        info, _ = read_info(folder / "run.json")
    except ReportError:
        info = {}
    try:
        return {"run": folder.name, **_summed_up(folder / "summary.json", info.get("state"))}
    except (OSError, ArithmeticError, LookupError, ValueError, TypeError, AttributeError, RecursionError):
        said = as_mapping(info.get("validity")).get("verdict") or info.get("state") or "not known"
        return {"run": folder.name, "verdict": said, "requests": info.get("rows")}


def _summed_up(path: Path, state: Any) -> dict[str, Any]:
    """Raises whatever comes of a file that is no summary, or none of the run as it is now."""
    summary = json.loads(path.read_text(encoding="utf-8"))
    if summary["run"]["state"] != (state or NO_STATE):
        raise ValueError("made before the run ended")
    counts = summary["overall"]["requests"]
    n = {"ok": counts["by_outcome"].get("ok", 0), "requests": counts["total"]}
    figures = {name: _figure(summary, name) for name in FIGURES}
    if not all(map(WHOLE.fits, n.values())) or not all(map(NUMBER.fits, filter(None, figures.values()))):
        raise TypeError("no numbers")
    load_said = load_line(summary) if "load" in summary else ""
    return {"verdict": str(summary["validity"]["verdict"]), **n, **figures, "load": load_said}


def _figure(summary: dict[str, Any], name: str) -> Any:
    if "steady" in summary:
        return find_headline(summary, name).get("value")
    metric, _, column = name.rpartition("_")  # of a version before
    overall = summary["overall"]
    return overall["tokens"][name] if name in overall["tokens"] else overall["metrics"].get(metric, {}).get(column)


def main(arguments: Sequence[str]) -> int:
    """`ls [FOLDER] [--json]`. Raises ReportError."""
    parser = argparse.ArgumentParser(prog="python -m reports ls", description="The runs in a folder, newest first.")
    parser.add_argument("folder", nargs="?", type=Path, default=RUNS, help="the folder that runs are in (runs)")
    parser.add_argument("--json", action="store_true", help="as JSON, a list of objects")
    options = parser.parse_args(arguments)
    found = [entry(path) for path in runs(options.folder)]
    if options.json:
        print(json.dumps(found, indent=2, ensure_ascii=False))
        return 0
    rare = () if any(one.get("vectors_per_s") for one in found) else ("vectors_per_s",)
    columns = {name: head for name, head in FIGURES.items() if name not in rare}
    rows = tuple(
        (
            one["run"],
            str(one["verdict"]),
            integer(one.get("ok")),
            integer(one.get("requests")),
            *(number(one.get(name)) for name in columns),
        )
        for one in found
    )
    lines = (
        console.grid(Table(("run", "verdict", "ok", "of", *columns.values()), rows, names=2))
        if rows
        else [f"{options.folder}: no runs"]
    )
    loads = ("load", *(str(one.get("load") or "") for one in found))
    for line, load_said in zip(lines, loads, strict=False):
        print(plain(f"{line}  {load_said}".rstrip()))
    return 0


def show(arguments: Sequence[str]) -> int:
    """`show RUN`. Raises ReportError."""
    parser = argparse.ArgumentParser(prog="python -m reports show", description="A run's summary; writes nothing.")
    parser.add_argument("run", help="a run's folder, its name in runs/, or latest")
    parser.add_argument("--lang", choices=LANGUAGES, default="en")
    options = parser.parse_args(arguments)
    print(plain(console.render(summarise(load(find_run(options.run))), options.lang), lines=True), end="")
    return 0
