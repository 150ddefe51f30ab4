"""Locust's command line: its parser with our options and with all, and the time spans that are written there."""

import functools
from collections.abc import Callable, Sequence
from typing import Any, NoReturn

from locust import argument_parser
from locust.util.timespan import parse_timespan

from tokenswarm.settings.errors import UsageError


def seconds_in(timespan: str) -> float:
    """The seconds of 20, 20s, 3m or 1h20m. Raises ValueError, and OverflowError for more than a timedelta holds."""
    return float(parse_timespan(timespan))


def own_parser(**details: Any) -> Any:
    """A parser that takes options as Locust does, with none in it; `details` as of argparse."""
    return argument_parser.LocustArgumentParser(**details)


def parse_run(words: Sequence[str], program: str, add: Callable[[Any], object]) -> tuple[Any, list[str]]:
    """The options of a run, Locust's and those that `add` adds, and the words that are none. Raises UsageError."""
    parser = _RunParser(prog=program, allow_abbrev=False, default_config_files=[])
    argument_parser.setup_parser_arguments(parser)
    add(parser)
    known, unknown = parser.parse_known_args([*words])
    return known, unknown


def parse_nothing() -> Any:
    """The options of a headless run without a command line, as the variables of the environment have them."""
    return argument_parser.get_parser(default_config_files=[]).parse_args(["--headless", "--skip-log-setup"])


def remember_defaults() -> None:
    """Have Locust look only once which options are its own.

    With each of the master's messages to start users, a worker builds Locust's whole parser anew for every single
    option, 100 to 200 ms in all, to see which of them are Locust's own: that does not change while a process lives.
    """
    argument_parser.default_args_dict = functools.cache(argument_parser.default_args_dict)
    argument_parser.default_args_dict()


class _RunParser(argument_parser.LocustArgumentParser):
    """A mistake is our one line, not a usage and the end of the process."""

    def error(self, message: str) -> NoReturn:
        raise UsageError(message)
