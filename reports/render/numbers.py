"""Numbers as people read them. Absent is an en dash."""

from collections.abc import Sequence

ABSENT = "–"
BUFFERED = f"{ABSENT}, buffered"  # in place of what chunks that came in lumps do not tell
_SPACES = "\xa0\u3000"  # no-break and ideographic: harmless, though Python does not call them printable


def number(value: float | int | None) -> str:
    """Three significant digits or all integer ones: 0.012, 4.56, 78.9, 1,234."""
    if value is None:
        return ABSENT
    size = abs(value)
    if size >= 99.95:
        return f"{value:,.0f}"
    if size >= 9.995:
        return f"{value:.1f}"
    if size >= 0.9995:
        return f"{value:.2f}"
    return f"{value:.3f}" if size >= 0.0005 else "0" if size == 0 else f"{value:.1g}"


def give_or_take(value: float | None, bounds: Sequence[float | None] | None) -> str:
    """`190 (187–193)`; without brackets where the interval is not known."""
    known = [number(bound) for bound in bounds or () if bound is not None]
    return f"{number(value)} ({known[0]}–{known[1]})" if value is not None and len(known) == 2 else number(value)


def integer(value: int | None) -> str:
    """1,234."""
    return ABSENT if value is None else f"{value:,}"


def plain(text: object) -> str:
    r"""Text from elsewhere on one line: what does not print (line ends, terminal escapes, …) as `\x1b`."""
    return "".join(c if c.isprintable() or c in _SPACES else c.encode("unicode_escape").decode() for c in str(text))


def many(n: int, noun: str) -> str:
    """`1 request`, `2 requests`."""
    return f"{n:,} {noun}{'' if n == 1 else 's'}"


def short(text: str, most: int = 24) -> str:
    """A name where there is little room."""
    return text if len(text) <= most else f"{text[: most - 1]}…"
