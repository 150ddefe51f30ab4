"""`python -m reports compare A B`, or `A1 A2 A3 -- B1 B2 B3`: is B faster or slower than A?"""

import argparse
import io
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from tokenswarm.metrics.text import plain
from tokenswarm.reports.compare import console, data, gates, page, plots
from tokenswarm.reports.compare.comparison import Comparison, Tolerances, compare
from tokenswarm.reports.compare.verdicts import EDGE, MARGIN
from tokenswarm.reports.compare.words import say, speak_in
from tokenswarm.reports.errors import ReportError
from tokenswarm.reports.load import Run, load
from tokenswarm.reports.render import chinese
from tokenswarm.reports.render import html as render_html
from tokenswarm.reports.render import markdown as render_md
from tokenswarm.reports.render.chinese import LANGUAGES
from tokenswarm.reports.write import as_json, write

CROSSED, NOT_COMPARABLE = 99, 3
USAGE = "name two run folders, A B, or several a side with -- between them: A1 A2 A3 -- B1 B2 B3"
_BETWEEN = "\0"  # stands for --, which argparse would swallow


def main(arguments: Sequence[str]) -> int:
    """Exit code 0; 99 where a --fail-on is crossed, 3 where the sides are not comparable or a run is INVALID.

    Raises ReportError.
    """
    options = _parser().parse_intermixed_args([_BETWEEN if word == "--" else word for word in arguments])
    a, b = _sides(options.folders)
    limits = [gates.parse(text) for text in options.fail_on]
    gates.check(limits, options.edge)
    if options.margin <= options.edge:
        raise ReportError("--margin: what counts as no difference must be more than --edge")
    asked = tuple((limit.metric, limit.aggregate) for limit in limits)
    made = compare(_loaded(a), _loaded(b), Tolerances(options.edge, options.margin, asked))
    code = _exit_code(made, _answers(limits, made))
    path = _write(made, limits, code, options.out or b[-1], options.lang)
    if not options.quiet:
        if isinstance(sys.stdout, io.TextIOWrapper):
            sys.stdout.reconfigure(errors="backslashreplace")
        with speak_in(options.lang):
            print(plain(console.render(made, _answers(limits, made)), lines=True))
            print(say("report at", path=path))
    return code


class _CompareParser(argparse.ArgumentParser):
    """One line for a mistake, without the usage before it."""

    def error(self, message: str) -> NoReturn:
        raise ReportError(f"compare: {message}")


def _parser() -> argparse.ArgumentParser:
    parser = _CompareParser(prog="python -m reports compare", description=__doc__, allow_abbrev=False)
    parser.add_argument("folders", nargs="*", metavar="RUN_FOLDER", help=USAGE)
    parser.add_argument("--fail-on", action="append", default=[], metavar="LIMIT", help=gates.USAGE.replace("%", "%%"))
    parser.add_argument("--edge", type=_share, default=EDGE, help="less is no difference (default: 1%%)")
    parser.add_argument("--margin", type=_share, default=MARGIN, help="'no difference' excludes so much (default: 5%%)")
    parser.add_argument("--out", type=Path, metavar="FOLDER", help="where the report goes (default: B's folder)")
    parser.add_argument("--lang", choices=LANGUAGES, default="en", help="of the report and the terminal")
    parser.add_argument("--quiet", action="store_true", help="write the files, print nothing")
    return parser


def _share(text: str) -> float:
    try:
        value = float(text.strip().removesuffix("%")) / 100
    except ValueError:
        value = -1.0
    if not 0 <= value < 1:
        raise argparse.ArgumentTypeError(f"▸{text}◂ is no share; give a percentage such as 1% or 5%")
    return value


def _sides(words: Sequence[str]) -> tuple[list[Path], list[Path]]:
    if words.count(_BETWEEN) > 1:
        raise ReportError(f"compare: -- is there more than once; {USAGE}")
    if _BETWEEN in words:
        at = words.index(_BETWEEN)
        a, b = ([Path(word) for word in part] for part in (words[:at], words[at + 1 :]))
    else:
        if len(words) != 2:
            raise ReportError(f"compare: {len(words)} folders; {USAGE}")
        a, b = [Path(words[0])], [Path(words[1])]
    if not a or not b or (len(a) > 1) != (len(b) > 1):
        raise ReportError(f"compare: {len(a)} against {len(b)} folders: one a side, or two or more on each; {USAGE}")
    for side in (a, b) if len(a) == 1 else (a + b,):
        real = [path.resolve() for path in side]
        if again := next((path for at, path in enumerate(side) if real[at] in real[:at]), None):
            raise ReportError(f"compare: {again} is named twice; each run counts once")
    return a, b


def _loaded(paths: Sequence[Path]) -> list[Run]:
    return [load(path) for path in paths]


def _answers(limits: Sequence[gates.Limit], made: Comparison) -> list[gates.JudgedLimit]:
    return [] if made.stops else gates.answers(limits, made.judged)


def _exit_code(made: Comparison, answers: Sequence[gates.JudgedLimit]) -> int:
    if made.stops or any(gate.crossed is None for gate in answers):
        return NOT_COMPARABLE
    return CROSSED if any(gate.crossed for gate in answers) else 0


def _write(made: Comparison, limits: Sequence[gates.Limit], code: int, folder: Path, lang: str) -> Path:
    """compare-with-A in B's folder, three files; gives the page's path. Raises ReportError."""
    if not folder.is_dir():
        raise ReportError(f"{folder}: no such folder; make it, or leave --out away")
    stem = f"compare-with-{made.a[0].folder.resolve().name}"
    path = folder / f"{stem}.html"
    write(folder / f"{stem}.json", as_json(data.as_json(made, _answers(limits, made), code)))
    with speak_in(lang):
        document, figures = page.document(made, _answers(limits, made)), plots.plots(made)
    if lang == "zh":
        figures = chinese.plots(figures)
    write(folder / f"{stem}.md", render_md.render(document))
    write(path, render_html.render(document, figures, "zh-CN" if lang == "zh" else lang))
    return path
