"""Our options, as Locust's own: command line, environment, config file and web form. A row each, in sections/."""

from argparse import _AppendAction
from collections.abc import Callable
from typing import Any

from tokenswarm.settings.option import Option
from tokenswarm.settings.sections import access, asked, connection, goals, load, management, outcome, sessions

# What is asked for first at the top: the form and the docs have them in this order.
SECTIONS = (
    asked.SECTION,
    load.SECTION,
    goals.SECTION,
    sessions.SECTION,
    management.SECTION,
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
