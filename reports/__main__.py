"""`python -m reports RUN_FOLDER`: write a report into a run folder and show its summary.

`merge` completes a run of which a process was killed, `compare` holds one run, or several, against others, `ls` lists
runs, `show` shows one without writing anything, `card` puts it into ten lines to paste.
"""

import argparse
import io
import sys
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from pathlib import Path

from tokenswarm.folder.verdict import judge_file
from tokenswarm.metrics.slo.junit import junit, say, why_invalid
from tokenswarm.metrics.slo.language import SloError, several
from tokenswarm.metrics.text import plain
from tokenswarm.reports import card, listing, locust_csv_report, merge
from tokenswarm.reports.compare import command as compare
from tokenswarm.reports.dialects import table as dialect_report
from tokenswarm.reports.dialects.definitions import DIALECTS
from tokenswarm.reports.errors import ReportError
from tokenswarm.reports.glossary import glossary
from tokenswarm.reports.load import load
from tokenswarm.reports.progress import show_progress
from tokenswarm.reports.rejudging import dicts, only
from tokenswarm.reports.render import console
from tokenswarm.reports.render.chinese import LANGUAGES, zh
from tokenswarm.reports.write import report, write


def main(arguments: list[str] | None = None) -> int:
    """Exit code 0; 2 with one line on stderr where there is nothing to report on; 99 where an SLO is not met, 3 where
    the run is INVALID."""
    with show_progress():
        return _main(sys.argv[1:] if arguments is None else arguments)


def _main(arguments: Sequence[str]) -> int:
    if arguments and arguments[0] in COMMANDS:
        return _run(COMMANDS[arguments[0]], arguments[1:])
    parser = argparse.ArgumentParser(prog="python -m reports", description=__doc__)
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("folder", nargs="?", type=Path, metavar="RUN_FOLDER", help="a folder below runs/")
    what.add_argument("--locust-csv", metavar="PREFIX", help="what Locust's own --csv=PREFIX files alone can tell")
    what.add_argument("--glossary", action="store_true", help="print what each metric means, as a Markdown table")
    parser.add_argument("--as", dest="dialect", choices=tuple(DIALECTS), help="score it by another tool's definitions")
    parser.add_argument("--slo", action="append", default=[], help="judge it by this: 'ttft_ms p95 < 500'; repeatable")
    parser.add_argument("--invalid-ok", action="store_true", help="--slo: judge an INVALID run like a VALID one")
    parser.add_argument("--lang", choices=LANGUAGES, default="en", help="of the report and the terminal")
    parser.add_argument("--quiet", action="store_true", help="write the files, print nothing")
    options = parser.parse_args(arguments)
    if (options.dialect or options.slo) and not options.folder:
        parser.error("--as and --slo need a RUN_FOLDER")
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # a terminal may not know Chinese
    code, link = 0, ""
    try:
        if options.slo:
            said, code = _gate(options.folder, options.slo, options.invalid_ok)
        elif options.glossary:
            said = glossary()
        elif options.locust_csv:
            said = locust_csv_report.report(options.locust_csv)
        elif options.dialect:
            said = dialect_report.report(options.folder, options.dialect)
        else:
            said = f"{console.render(report(options.folder, options.lang), options.lang)}\n"
            path = options.folder / "report.html"
            where = f"The report: {path}"
            where = plain(zh(where) if options.lang == "zh" else where)
            link = f"{where.replace(plain(str(path)), _link(path))}\n"
    except (ReportError, SloError) as error:
        print(f"tokenswarm: error: {error}", file=sys.stderr)
        return 2
    if not options.quiet or options.glossary:
        print(plain(said, lines=True) + link, end="")
    return code


def _link(path: Path) -> str:
    """A path that a terminal can click."""
    shown = plain(str(path))
    return f"\x1b]8;;{path.resolve().as_uri()}\x1b\\{shown}\x1b]8;;\x1b\\" if sys.stdout.isatty() else shown


COMMANDS: dict[str, Callable[[Sequence[str]], int]] = {
    "merge": merge.main,
    "compare": compare.main,
    "ls": listing.main,
    "show": listing.show,
    "card": card.main,
}


def _run(command: Callable[[Sequence[str]], int], arguments: Sequence[str]) -> int:
    try:
        return command(arguments)
    except ReportError as error:
        print(f"tokenswarm: error: {error}", file=sys.stderr)
        return 2


def _gate(folder: Path, texts: Sequence[str], invalid_ok: bool) -> tuple[str, int]:
    """The SLOs of a finished run: a line each, and a JUnit file in its folder."""
    slos = [slo for text in texts for slo in several(text)]
    run = load(folder)
    for notice in run.notices:
        print(f"tokenswarm: note: {notice}", file=sys.stderr)
    rows = only(folder / "requests.csv", run.frame["file_row"]) if run.damaged else nullcontext(folder)
    with rows as sound:
        judged = judge_file(sound / "requests.csv", slos, dicts(run.info.get("workers")))
    invalid = "" if invalid_ok else why_invalid(run.info.get("validity"))
    write(folder / "slo-junit.xml", junit(folder.resolve().name, judged, invalid))
    said = "".join(f"{say(each)}\n" for each in judged)
    if invalid:
        return f"{said}{invalid}\nSLOs of figures that may not be believed: exit code 3 (see --invalid-ok)\n", 3
    return said, 99 * any(each.state != "met" for each in judged)


if __name__ == "__main__":
    sys.exit(main())
