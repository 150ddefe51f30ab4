"""An option of ours as a row, from which come the command line, the web form, the docs' tables and the tests."""

import re
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Any

from tokenswarm.settings.errors import say_in_one_line
from tokenswarm.settings.option_types import one_of

_ASIDE = re.compile(
    r" \(\[[^\]]*\]\([^)]*\)\)|; \[[^\]]*\]\([^)]*\)(?=\))"
)  # a link alone in brackets, or last in them
_ASIDE_ZH = re.compile(r"（\[[^\]]*\]\([^)]*\)）|[；，]\[[^\]]*\]\([^)]*\)(?=）)")
_LINK = re.compile(r"\[([^\]]*)\]\([^)]*\)")


@dataclass(frozen=True, slots=True)
class Reader:
    """Who reads an option, in words, and whether it is there.

    `there` takes the parsed options, and for each User class of the run the names of all that it inherits from.
    """

    words: str
    there: Callable[[Any, Sequence[Collection[str]]], bool]


EVERY_RUN = Reader("every run", lambda _options, _classes: True)
GENERATING = Reader(
    "classes that generate text",
    lambda _, classes: any("LLMUser" in names and "EmbeddingUser" not in names for names in classes),
)
CLOSED_LOOP = Reader("a closed loop", lambda options, _: not (options.arrivals or options.trace))


def user_class(name: str, words: str = "") -> Reader:
    """This User class, and those that inherit from it."""
    return Reader(words or name, lambda _, classes: any(name in names for names in classes))


def beside(option: str) -> Reader:
    """What another option, `--slo`, asks for."""
    return Reader(option, lambda options, _: bool(getattr(options, dest(option))))


def dest(name: str) -> str:
    """What argparse calls `--name`."""
    return name.removeprefix("--").replace("-", "_")


@dataclass(frozen=True, slots=True, kw_only=True)
class Option:
    """One row.

    `help` (English) and `zh` are Markdown, shown as plain text by the command line and the form. `shown` is the default
    in words, one for both languages or one each, where the value does not say it. `wrong` is an example that is refused
    ("" where any text is right), `measured` are the metrics in which it shows. A default of () makes an option that may
    be given several times, False a switch; `joined`: several times, as one text parted by semicolons, which fits a line
    of the form. `kept`: written into run.json. `internal`: set by the master, for its workers.
    """

    name: str
    help: str
    zh: str = ""
    default: Any = ""
    type: Callable[[str], Any] | None = None
    choices: tuple[str, ...] = ()
    shown: str | tuple[str, str] = ""
    read_by: Reader = EVERY_RUN
    wrong: str = ""
    measured: tuple[str, ...] = ()
    form: bool = True
    joined: bool = False
    secret: bool = False
    kept: bool = True
    internal: bool = False

    @property
    def dest(self) -> str:
        """Its name in the parsed options."""
        return dest(self.name)

    @property
    def env_var(self) -> str:
        """The environment variable that holds its value, too."""
        return f"TOKENSWARM_{self.dest.upper()}"

    @property
    def initial(self) -> Any:
        """What the parsed options hold where it is not given."""
        return [] if self.default == () else self.default

    @property
    def check(self) -> Callable[[str], Any] | None:
        """The check of a text that is given for it."""
        if self.choices:
            return one_of(self.choices)
        return say_in_one_line(self.type) if self.type else None

    @property
    def plain_help(self) -> str:
        """The English text without its Markdown."""
        return _LINK.sub(r"docs/\1", _ASIDE.sub("", self.help)).replace("`", "")

    @property
    def plain_zh(self) -> str:
        """The Chinese text without its Markdown."""
        return _LINK.sub(r"docs/\1", _ASIDE_ZH.sub("", self.zh)).replace("`", "")


@dataclass(frozen=True, slots=True)
class OptionsSection:
    """A part of the docs' page of options."""

    english: str
    chinese: str
    options: tuple[Option, ...]
