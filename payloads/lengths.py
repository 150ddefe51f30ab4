"""Output lengths, under all the names that files have for them."""

from collections.abc import Mapping

from payloads.messages import wrong

# The first that is there counts.
OUTPUT = ("max_tokens", "max_completion_tokens", "output_tokens", "output_tokens_count", "output_length")


def output_tokens(fields: Mapping[str, object]) -> int | None:
    """A line's own output limit, tokens; None if it has none. Raises ValueError."""
    name = next((name for name in OUTPUT if fields.get(name) is not None), None)
    if name is None:
        return None
    value = fields[name]
    # bool is an int to Python, not to a user.
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        wrong(name, value, "make it a whole number above 0, or leave it out for the run's --max-tokens")
    return value
