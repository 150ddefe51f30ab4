"""A user's mistake: one line that says what is wrong and what to do, exit code 2, before any load is sent."""


class UsageError(Exception):
    """What the user should read; never a traceback."""
