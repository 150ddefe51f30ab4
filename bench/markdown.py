"""Tables for docs/accuracy.md."""

from collections.abc import Sequence


def table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table, first column to the left, the others to the right."""
    rule = ["---", *("---:" for _ in heads[1:])]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in (heads, rule, *rows))


def number(value: float | None, digits: int = 3) -> str:
    """A figure of at most so many digits behind the point, fewer if it is great; – if there is none."""
    if value is None or value != value:
        return "–"
    if abs(value) >= 100:
        digits = 0
    elif abs(value) >= 10:
        digits = min(digits, 1)
    return f"{value:,.{digits}f}"


def folded(summary: str, text: str) -> str:
    """Text that unfolds on a click."""
    return f"<details>\n<summary>{summary}</summary>\n\n{text}\n\n</details>"
