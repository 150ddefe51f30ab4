"""The part of docs/api.md about our options: what each drives, what is measured by it, what a wrong value gets."""

from argparse import ArgumentTypeError
from types import SimpleNamespace

from tokenswarm.features import offline
from tokenswarm.settings.errors import UsageError
from tokenswarm.settings.option import Option
from tokenswarm.settings.options import OPTIONS


def wrong_line(option: Option) -> str:
    """What the row's wrong example gets: from the command line's parser, else before any load; "" where it has none."""
    if not option.wrong:
        return ""
    if option.choices:
        return f"argument {option.name}: invalid choice: {option.wrong!r}"
    try:
        given = option.check(option.wrong) if option.check else option.wrong
    except ArgumentTypeError as error:
        return f"argument {option.name}: {error}"
    others = {one.dest: one.initial for one in OPTIONS} | {"host": None, "run_time": None}
    try:
        offline(SimpleNamespace(**{**others, option.dest: [given] if option.default == () else given}))
    except UsageError as error:
        return str(error)
    raise AssertionError(f"{option.name} {option.wrong} is refused by nobody")


def code(text: str) -> str:
    """A text as code, whatever it holds."""
    return f"`` {text} ``" if "`" in text else f"`{text}`"


def option_table() -> str:
    """The rows as Markdown, all but those that the master sets itself."""
    lines = ["| option | what it drives | measured | a wrong value gets |", "|---|---|---|---|"]
    for option in OPTIONS:
        if not option.internal:
            measured = ", ".join(f"`{name}`" for name in option.measured)
            line = wrong_line(option)
            cells = (f"`{option.name}`", option.help, measured, code(line) if line else "–")
            lines.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    return "\n".join(lines)
