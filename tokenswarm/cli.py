"""`tokenswarm run | report | compare | ab | …` (see COMMANDS): one command for what the package does."""

import os
import sys
from collections.abc import Callable
from pathlib import Path

from tokenswarm import __version__

LOCUSTFILE = Path(__file__).with_name("locustfile.py")


def main(arguments: list[str] | None = None) -> int:
    """Hand the arguments on to the command. Exit codes are those of what ran; 2: no such command."""
    arguments = sys.argv[1:] if arguments is None else arguments
    command, rest = (arguments[0], arguments[1:]) if arguments else ("--help", [])
    if command in COMMANDS:
        return COMMANDS[command][1](rest)
    if command in ("--version", "-V"):
        print(f"tokenswarm {__version__}")
        return 0
    if command in ("--help", "-h"):
        print(_help())
        return 0
    known = ", ".join(COMMANDS)
    print(
        f"tokenswarm: error: no command \u25b8{command}\u25c2; there are {known} (tokenswarm --help)", file=sys.stderr
    )
    return 2


def _help() -> str:
    lines = [f"  tokenswarm {name:10}{says}" for name, (says, _) in COMMANDS.items()]
    more = "tokenswarm COMMAND --help tells more; `tokenswarm run --help` has our own options of a load."
    return "\n".join([f"tokenswarm {__version__}: load tests for LLM servers on Locust", "", *lines, "", more])


def _run(arguments: list[str]) -> int:
    """Locust, on our locustfile unless another is given; in this process, whose exit code it becomes."""
    if {"--help", "-h"} & set(arguments):
        print(_options())
        return 0
    given = {"-f", "--locustfile"} & {word.partition("=")[0] for word in arguments} or "LOCUST_LOCUSTFILE" in os.environ
    command = [sys.executable, "-m", "locust", *([] if given else ["-f", str(LOCUSTFILE)]), *arguments]
    os.execv(sys.executable, command)


def _options() -> str:
    """Our options as argparse shows them: `locust --help` lists its own alone."""
    from tokenswarm.settings import options
    from tokenswarm.settings.command_line import own_parser

    parser = own_parser(prog="tokenswarm run", usage="tokenswarm run [OPTIONS] [USER CLASS ...]")
    parser.description = "Our options; all of Locust's are there beside them (locust --help)."
    options.add(parser)
    return str(parser.format_help())


def _report(arguments: list[str]) -> int:
    from tokenswarm.reports.__main__ import main as report

    return report(arguments)


def _probe(arguments: list[str]) -> int:
    return _module("tokenswarm.probe", arguments)


def _simulate(arguments: list[str]) -> int:
    return _module("tokenswarm.simulator", arguments)


def _ab(arguments: list[str]) -> int:
    return _module("tokenswarm.ab", arguments)


def _module(name: str, arguments: list[str]) -> int:
    """A module as a program of its own: it patches the process before it imports anything."""
    os.execv(sys.executable, [sys.executable, "-m", name, *arguments])


COMMANDS: dict[str, tuple[str, Callable[[list[str]], int]]] = {
    "run": ("a load on a server: Locust with our User classes and options", _run),
    "report": ("the report of a run folder, again or by other means", _report),
    "compare": ("one run, or several, against others: faster or slower?", lambda rest: _report(["compare", *rest])),
    "ab": ("two servers, or two sets of options, loaded in turns and compared", _ab),
    "merge": ("complete a run of which a process was killed", lambda rest: _report(["merge", *rest])),
    "ls": ("the runs below a folder, newest first", lambda rest: _report(["ls", *rest])),
    "show": ("a run's summary, nothing written", lambda rest: _report(["show", *rest])),
    "card": ("a run in ten lines to paste", lambda rest: _report(["card", *rest])),
    "probe": ("what a server is: slots, rates, context", _probe),
    "simulate": ("a simulated Ollama, to try things on", _simulate),
}

if __name__ == "__main__":
    sys.exit(main())
