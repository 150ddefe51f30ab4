"""A user's mistake: one line that says what is wrong and what to do, exit code 2, before any load is sent."""

from users.redaction import shown


class UsageError(Exception):
    """What the user should read; never a traceback. It may quote what a server said."""

    def __init__(self, text: str) -> None:
        super().__init__(shown(text))
