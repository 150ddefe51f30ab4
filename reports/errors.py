"""The one error of this room."""


class ReportError(Exception):
    """There is nothing to report on; its text is one line that says what to do. Exit code 2."""
