"""Lengths in tokens, under all the names that files have for them."""

from collections.abc import Mapping

from tokenswarm.payloads.distribution import Distribution, parse
from tokenswarm.payloads.formats.messages import wrong
from tokenswarm.payloads.recipe import Recipe
from tokenswarm.payloads.wording import quote

# The first that is there counts.
OUTPUT = (
    *("max_tokens", "max_completion_tokens", "max_output_tokens"),
    *("output_tokens", "output_tokens_count", "output_length"),
)
# Traces: Mooncake's and Bailian's, Azure's, BurstGPT's.
TRACE_INPUT = ("input_length", "ContextTokens", "Request tokens", "input_tokens")
TRACE_OUTPUT = (*OUTPUT, "GeneratedTokens", "Response tokens")
MOST = 10_000_000  # tokens of one prompt: beyond any context, and still fit for memory
BLOCKS = (512, 16)  # tokens a hash id stands for: Mooncake's, Bailian's


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


def prompt_tokens(value: object) -> Distribution:
    """The length of a prompt that is to be made up: tokens, or a distribution such as "512±64". Raises ValueError."""
    if isinstance(value, bool) or not isinstance(value, int | str):
        wrong("prompt_tokens", value, 'make it a whole number above 0, or a text such as "512±64"')
    try:
        return parse(str(value), least=1, most=MOST)
    except ValueError as error:
        raise ValueError(f"prompt_tokens: {error}") from None


def recipe_and_limit(fields: Mapping[str, object]) -> tuple[Recipe, int]:
    """The prompt and the output limit that a trace's row stands for; a length of 0 counts as 1. Raises ValueError."""
    tokens = _whole(fields, TRACE_INPUT)
    blocks = fields.get("hash_ids", [])
    if not isinstance(blocks, list) or not all(isinstance(one, int) for one in blocks):
        wrong("hash_ids", blocks, "make it a list of whole numbers")
    size = next((size for size in BLOCKS if len(blocks) == -(-tokens // size)), None)
    if blocks and size is None:
        raise ValueError(f"{len(blocks)} hash_ids fit {tokens} tokens neither by 512 nor by 16; mend the row")
    return Recipe(parse(str(tokens), most=MOST), tuple(blocks), size or BLOCKS[0]), _whole(fields, TRACE_OUTPUT)


def _whole(fields: Mapping[str, object], names: tuple[str, ...]) -> int:
    name = next((name for name in names if name in fields), None)
    if name is None:
        raise ValueError(f"no length: none of {', '.join(names)}")
    value = fields[name]
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= MOST:
        raise ValueError(f"{name} is {quote(value)}; make it a whole number, {MOST:,} at most")
    return max(1, value)
