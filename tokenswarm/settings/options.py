"""Our options, as Locust's own: command line, environment, config file and web form. A row each, in sections/."""

from argparse import _AppendAction
from collections.abc import Callable
from io import StringIO
from typing import Any

from configargparse import ConfigFileParserException

from tokenswarm.settings.option import Option, dest
from tokenswarm.settings.sections import (
    access,
    asked,
    connection,
    goals,
    load,
    management,
    outcome,
    server_side,
    sessions,
)

# What is asked for first at the top: the form and the docs have them in this order.
SECTIONS = (
    asked.SECTION,
    load.SECTION,
    goals.SECTION,
    sessions.SECTION,
    management.SECTION,
    server_side.SECTION,
    connection.SECTION,
    outcome.SECTION,
    access.SECTION,
)
INTERNAL = (
    Option(name="--run-id", internal=True, help="Set by the master, so that all workers know the run they are in"),
    Option(
        name="--layout",
        internal=True,
        kept=False,  # a path's query may hold a key
        help="Set by the master, so that all workers know the server's paths",
    ),
    Option(
        name="--scale",
        internal=True,
        help="Set by the master, so that all workers know how the server counts made-up text",
    ),
    Option(
        name="--payload-places",
        internal=True,
        kept=False,
        help="Set by the master, so that all workers know where the prompts of large files lie",
    ),
)
OPTIONS = (*(option for section in SECTIONS for option in section.options), *INTERNAL)

OURS = frozenset(option.dest for option in OPTIONS)
KEPT = tuple(sorted(option.dest for option in OPTIONS if option.kept))
HIDDEN = frozenset(option.dest for option in OPTIONS if option.internal or option.secret)
# The checks of what the web form holds as text, which Locust itself converts without asking.
CHECKED: dict[str, Callable[[str], Any]] = {option.dest: option.check for option in OPTIONS if option.check}


class _Joined(_AppendAction):
    """An option that may be given several times: one text, parted by semicolons, which fits a line of a web form."""

    def __call__(self, _parser: Any, namespace: Any, value: Any, _name: Any = None) -> None:
        earlier = getattr(namespace, self.dest)
        setattr(namespace, self.dest, f"{earlier}; {value}" if earlier else value)


def add(parser: Any, **_: Any) -> None:
    """Add the options to Locust's parser (listener of init_command_line_parser)."""
    for option in OPTIONS:
        parser.add_argument(option.name, **_details(option))
    if config_files := getattr(parser, "_config_file_parser", None):
        config_files.parse = _lines_parser(config_files.parse)


def _lines_parser(parse: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """A parser of config files by which no line is lost: by itself the last one of a name would count, in silence."""
    several = {option.dest for option in OPTIONS if option.joined or option.default == ()}

    def parse_lines(stream: Any) -> Any:
        found = parse(stream)
        if stream.name.endswith(".toml"):
            return found  # which allows a name only once
        stream.seek(0)
        values: dict[str, list[Any]] = {}
        for text in stream:
            line = StringIO(text)
            line.name = stream.name
            for name, value in parse(line).items():
                values.setdefault(name, []).append(value)
        for name, given in values.items():
            if len(given) > 1 and dest(f"--{name}") not in several:
                raise ConfigFileParserException(f"{name} stands {len(given)} times; keep one line of it")
            found[name] = given if len(given) > 1 else given[0]
        return found

    return parse_lines


def _details(option: Option) -> dict[str, Any]:
    details: dict[str, Any] = {"default": option.initial, "help": option.plain_help.replace("%", "%%")}
    if option.default is False:
        details["action"] = "store_true"
    elif option.default == ():
        details["action"] = "append"
    elif option.joined:
        details["action"] = _Joined
    if option.choices:
        details["choices"] = option.choices
    elif option.check:
        details["type"] = option.check
    if not option.internal:
        details["env_var"] = option.env_var
    if not option.form:
        details["include_in_web_ui"] = False
    if option.secret:
        details["is_secret"] = True
    return details
