"""Texts that others wrote, as plain text: without control characters where they are shown, never a formula in a CSV."""

import re

# Terminals act on these (C1 controls too), and the last two ranges turn the direction of what follows.
_CONTROLS = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")
_BUT_LINES = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")
# What spreadsheets take for the beginning of a formula, and such text with quotes before it.
_FORMULA = re.compile("'*[=+\\-@\t＝＋－＠]")


def plain(text: str, *, lines: bool = False) -> str:
    r"""The text with its control characters written out, "\x1b" for an escape; with `lines`, not line ends and tabs."""
    unwanted = _BUT_LINES if lines else _CONTROLS
    return unwanted.sub(lambda found: found[0].encode("unicode_escape").decode(), text)


def cell(text: str) -> str:
    """A text as a cell of a CSV: with a quote before it where a spreadsheet would take it for a formula."""
    return f"'{text}" if _FORMULA.match(text) else text


def text(cell: str) -> str:
    """The text that `cell` was made of."""
    return cell[1:] if cell[:1] == "'" and _FORMULA.match(cell) else cell
