"""One prompt: what a request asks, before any API's way of saying it."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType

ROLES = ("system", "user", "assistant", "tool")


def _no_options() -> Mapping[str, object]:
    return MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Prompt:
    """One conversation or prompt, with its own limits and options.

    `messages` are (role, content), at least one, the roles those in `ROLES`. `max_tokens` limits the output, in tokens;
    None means the run's `--max-tokens`. `options` are sampling options as Ollama names them, read-only. `format` is
    "json" or a JSON schema. `weight` is relative to the other prompts of a mix.
    """

    id: str
    messages: tuple[tuple[str, str], ...]
    max_tokens: int | None = None
    # Left out of the hash, since neither can be hashed; equal prompts still have equal hashes.
    options: Mapping[str, object] = field(default_factory=_no_options, hash=False)
    format: object | None = field(default=None, hash=False)
    tags: tuple[str, ...] = ()
    weight: float = 1.0

    def __post_init__(self) -> None:
        # A copy behind a proxy: one Prompt is shared by every user of a run, and a change by one would reach them all.
        if not isinstance(self.options, MappingProxyType):
            object.__setattr__(self, "options", MappingProxyType(dict(self.options)))

    @property
    def system(self) -> str | None:
        """All system messages, joined by blank lines; None if there are none."""
        return "\n\n".join(content for role, content in self.messages if role == "system") or None

    @property
    def text(self) -> str:
        """What a completion API is asked: all messages but the system's, joined by blank lines."""
        return "\n\n".join(content for role, content in self.messages if role != "system")


def unique(prompt: Prompt, nonce: str) -> Prompt:
    """The same prompt, opened by "[nonce] ", so that no prompt cache can serve it.

    Servers reuse the longest common prefix of what they have already evaluated, and match it from the first token: a
    mark at the end would leave all that stands before it cached, and prompt_tokens_per_s would be the cache's speed.
    What the model's own template puts before the first message is still shared. Costs about 5 to 10 prompt tokens.
    The id stays, so that the rows of one prompt can be grouped.
    """
    # Some templates render the system message first wherever it stands, others keep the order: mark both beginnings.
    system = next((at for at, (role, _) in enumerate(prompt.messages) if role == "system"), 0)
    messages = tuple(
        (role, f"[{nonce}] {content}" if at in (0, system) else content)
        for at, (role, content) in enumerate(prompt.messages)
    )
    return replace(prompt, messages=messages)
