"""`tokenswarm ab`: two servers, or two sets of options, loaded in turns (A B, B A, …), and compared."""

import argparse
import json
import os
import shlex
import subprocess
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from tokenswarm.features import offline
from tokenswarm.settings import option_types, options
from tokenswarm.settings.command_line import parse_run
from tokenswarm.settings.errors import UsageError

PACKAGE = Path(__file__).parent
LOCUSTFILE = PACKAGE / "locustfile.py"
_PATHS = [str(PACKAGE.parent), *filter(None, [os.environ.get("PYTHONPATH")])]
ENVIRONMENT = {**os.environ, "PYTHONPATH": os.pathsep.join(_PATHS)}  # this package, wherever processes are started
USAGE = (
    'tokenswarm ab --rounds 5 --a "--host http://a:11434" --b "--host http://b:11434" --model qwen3:8b --users 8 '
    "--run-time 60s OllamaChatUser"
)
ALWAYS = ("--headless", "--only-summary", "--loglevel", "WARNING", "--no-report")
SIDES = ("a", "b")
LEAST, MOST = 2, 100  # rounds
# What no run in turns can be.
OTHERS_WORK = ("--master", "--worker", "--web-port", "--autostart", "--find-capacity")


@dataclass(frozen=True, slots=True)
class TurnPlan:
    """`sides` are the options of each side, `run_dir` is where their folders go, `compare` what compare is given."""

    rounds: int
    name: str
    sides: dict[str, list[str]]
    run_dir: Path
    compare: tuple[str, ...]

    @property
    def turns(self) -> list[tuple[int, str]]:
        """(round, side): A B, B A, A B, …: what drifts meets both alike."""
        return [(number, side) for number in range(1, self.rounds + 1) for side in SIDES[:: 1 if number % 2 else -1]]


def main(arguments: Sequence[str] | None = None) -> int:
    """The exit code of the comparison; 2 with one line for a mistake, before any load; 130 where it was stopped."""
    try:
        made = plan(sys.argv[1:] if arguments is None else arguments)
        folders = load(made)
    except UsageError as error:
        print(f"tokenswarm: error: {error}", file=sys.stderr)
        return 2
    if any(len(folders[side]) < made.rounds for side in SIDES):
        _say("stopped; the runs that there are: " + shlex.join(map(str, (*folders["a"], *folders["b"]))))
        return 130
    words = [*map(str, folders["a"]), "--", *map(str, folders["b"]), *made.compare]
    command = [sys.executable, "-P", "-m", "tokenswarm.reports", "compare", *words]
    return subprocess.run(command, env=ENVIRONMENT, check=False).returncode


def plan(arguments: Sequence[str]) -> TurnPlan:
    """What to do, all of it checked as far as it can be without the servers. Raises UsageError."""
    own, common = _parser().parse_known_args(arguments)
    if own.a is None or own.b is None:
        raise UsageError(f"ab: give both sides, --a and --b, in quotes (either may be empty): {USAGE}")
    try:
        sides = {side: [*ALWAYS, *common, *shlex.split(text)] for side, text in zip(SIDES, (own.a, own.b), strict=True)}
    except ValueError as error:
        raise UsageError(f"ab: --a or --b: {error}; put each option that has a space in quotes of its own") from None
    checked = {side: _check(side, words) for side, words in sides.items()}
    dirs = {Path(each.run_dir) for each in checked.values()}
    if len(dirs) > 1:
        raise UsageError("ab: the runs of both sides go into one --run-dir; name it once")
    limits = [word for text in own.fail_on for word in ("--fail-on", text)]
    out = ["--out", own.out] if own.out else []
    return TurnPlan(own.rounds, own.name, sides, dirs.pop(), ("--lang", checked["a"].lang, *limits, *out))


def load(made: TurnPlan) -> dict[str, list[Path]]:
    """One run after the other; the folders of each side, fewer where it was interrupted. Raises UsageError."""
    folders: dict[str, list[Path]] = {side: [] for side in SIDES}
    for number, side in made.turns:
        _say(f"round {number} of {made.rounds}, {side.upper()}")
        name = f"{made.name}-{side}{number}"
        before = set(made.run_dir.glob(f"*-{name}"))
        code = _run([*made.sides[side], "--name", name])
        if code is None:
            break
        new = [path for path in sorted(made.run_dir.glob(f"*-{name}")) if path not in before and _complete(path)]
        if not new:
            raise UsageError(f"ab: the run of {side.upper()} ended with {code}, without a run folder; see above")
        folders[side].append(new[-1])
    return folders


def _run(words: Sequence[str]) -> int | None:
    """Locust in a process of its own, of which only our own lines are shown; None where it was interrupted."""
    command = [sys.executable, "-m", "locust", "-f", str(LOCUSTFILE), *words]
    hidden, piped = subprocess.DEVNULL, subprocess.PIPE
    with subprocess.Popen(
        command, env=ENVIRONMENT, stdout=hidden, stderr=piped, text=True, errors="replace"
    ) as process:
        assert process.stderr is not None
        try:
            _show(process.stderr)
            return process.wait()
        except KeyboardInterrupt:
            _show(process.stderr)  # it had the signal, too, and ends its run
            process.wait()
            return None


def _show(lines: Iterable[str]) -> None:
    for line in lines:
        if line.startswith("tokenswarm: "):
            print(line, end="", file=sys.stderr, flush=True)


def _complete(folder: Path) -> bool:
    try:
        return bool(json.loads((folder / "run.json").read_text(encoding="utf-8")).get("state") == "complete")
    except (OSError, ValueError):
        return False


class _AbParser(argparse.ArgumentParser):
    """One line for a mistake, without the usage before it."""

    def error(self, message: str) -> NoReturn:
        raise UsageError(f"ab: {message}")


def _parser() -> argparse.ArgumentParser:
    about = f"{__doc__} Everything else is handed on to the runs of both sides."
    parser = _AbParser(prog="tokenswarm ab", usage=USAGE, description=about, allow_abbrev=False)
    rounds = option_types.number(int, LEAST, f"a whole number, {LEAST} to {MOST}", MOST)
    parser.add_argument("--rounds", type=rounds, default=5, help="runs a side (default: 5)")
    parser.add_argument("--a", metavar="OPTIONS", help="what only the runs of A are given, in quotes")
    parser.add_argument("--b", metavar="OPTIONS", help="what only the runs of B are given")
    parser.add_argument("--name", default="ab", help="of the run folders: NAME-a1, NAME-b1, … (default: ab)")
    parser.add_argument("--fail-on", action="append", default=[], metavar="LIMIT", help="see tokenswarm compare")
    parser.add_argument("--out", help="folder of the comparison (default: that of B's last run)")
    return parser


def _check(side: str, words: Sequence[str]) -> Any:
    """The options of a side's runs, as Locust reads them. Raises UsageError."""
    for word in words:
        if word.partition("=")[0] in OTHERS_WORK:
            raise UsageError(f"ab: {word} is nothing for runs in turns; leave it out")
        if word in ("-f", "--locustfile"):
            raise UsageError("ab: runs are those of our own locustfile; compare runs of yours with tokenswarm compare")
    try:
        known, unknown = parse_run(words, "tokenswarm ab", options.add)
    except UsageError as error:
        raise UsageError(f"ab: {error}") from None
    if unknown:
        raise UsageError(f"ab: {side.upper()}: no option ▸{unknown[0]}◂; see tokenswarm run --help")
    if not (known.run_time or known.stages or known.trace):
        raise UsageError("ab: how long is a run? Give --run-time 60s, or --stages")
    if not known.host and not os.environ.get("OLLAMA_HOST"):
        raise UsageError(f"ab: {side.upper()}: which server? Give --host, to both or in --a and --b")
    offline(known)
    return known


def _say(text: str) -> None:
    print(f"tokenswarm ab: {text}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
