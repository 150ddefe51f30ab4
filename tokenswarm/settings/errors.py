"""A user's mistake: one line that says what is wrong and what to do, exit code 2, before any load is sent."""

from tokenswarm.settings.redaction import shown


class UsageError(Exception):
    """What the user should read; never a traceback. It may quote what a server said."""

    def __init__(self, text: str) -> None:
        super().__init__(shown(text))


def wrong(option: str, text: str, start: int, part: str, what: str) -> UsageError:
    """The line about a part of an option's text, which it marks: `--model a=▸x◂: x is no weight`."""
    marked = f"{text[:start]}▸{part}◂{text[start + len(part) :]}"
    return UsageError(f"{option} {' '.join(marked.split())}: {what}")
