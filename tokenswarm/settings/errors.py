"""A user's mistake: one line that says what is wrong and what to do, exit code 2, before any load is sent."""

from argparse import ArgumentTypeError
from collections.abc import Callable
from typing import Any

from tokenswarm.settings.redaction import clean_line

# Characters of what is shown of a line that quotes something long, at its beginning and its end.
FIRST, LAST = 300, 500


class UsageError(Exception):
    """What the user should read; never a traceback. It may quote what a server said.

    Where it quotes what a file holds, `place` says which (`--payloads: FILE:LINE`): who uses the web form may not be
    who may read the files of the machine that it runs on, and is told no more.
    """

    def __init__(self, text: str, place: str = "") -> None:
        super().__init__(one_line(text))
        self.place = one_line(place)

    @property
    def for_form(self) -> str:
        """What the web form says."""
        return f"{self.place}: cannot be used; the terminal where Locust runs says why" if self.place else str(self)


def wrong(option: str, text: str, start: int, part: str, what: str) -> UsageError:
    """The line about a part of an option's text, which it marks: `--model a=▸x◂: x is no weight`."""
    marked = f"{text[:start]}▸{part}◂{text[start + len(part) :]}"
    return UsageError(f"{option} {' '.join(marked.split())}: {what}")


def one_line(text: str) -> str:
    """A text of ours that may quote others', fit for one line of a terminal."""
    text = clean_line(text)
    return text if len(text) <= FIRST + LAST else f"{text[:FIRST]} … {text[-LAST:]}"


def say_in_one_line(check: Callable[[str], Any]) -> Callable[[str], Any]:
    """The same check for argparse, what it says in one line."""

    def of(text: str) -> Any:
        try:
            return check(text)
        except ArgumentTypeError as error:
            raise ArgumentTypeError(one_line(str(error))) from None

    return of
