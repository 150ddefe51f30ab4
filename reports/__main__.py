"""`python -m reports RUN_FOLDER`: write a report into a run folder and show its summary."""

import argparse
import io
import sys
from pathlib import Path

from reports import console, dialect_report, locust_csv_report
from reports.dialects import DIALECTS
from reports.errors import ReportError
from reports.glossary import glossary
from reports.write import report


def main(arguments: list[str] | None = None) -> int:
    """Exit code 0, or 2 with one line on stderr where there is nothing to report on."""
    parser = argparse.ArgumentParser(prog="python -m reports", description=__doc__)
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("folder", nargs="?", type=Path, metavar="RUN_FOLDER", help="a folder below runs/")
    what.add_argument("--locust-csv", metavar="PREFIX", help="what Locust's own --csv=PREFIX files alone can tell")
    what.add_argument("--glossary", action="store_true", help="print what each metric means, as a Markdown table")
    parser.add_argument("--as", dest="dialect", choices=tuple(DIALECTS), help="score it by another tool's definitions")
    parser.add_argument("--quiet", action="store_true", help="write the files, print nothing")
    options = parser.parse_args(arguments)
    if options.dialect and not options.folder:
        parser.error("--as needs a RUN_FOLDER")
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # a terminal may not know Chinese
    try:
        if options.glossary:
            said = glossary()
        elif options.locust_csv:
            said = locust_csv_report.report(options.locust_csv)
        elif options.dialect:
            said = dialect_report.report(options.folder, options.dialect)
        else:
            said = console.render(report(options.folder)) + f"\nThe report: {options.folder / 'report.html'}\n"
    except ReportError as error:
        print(f"tokenswarm: error: {error}", file=sys.stderr)
        return 2
    if not options.quiet or options.glossary:
        print(said, end="")
    return 0


if __name__ == "__main__":
    sys.exit(main())
