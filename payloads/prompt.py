"""One prompt: what a request asks, before any API's way of saying it; and the turns that may follow it."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import NamedTuple

from tokenswarm.payloads.recipe import Recipe

_MAPPINGS = ("options", "fields", "tool_results", "expect")
ROLES = ("system", "user", "assistant", "tool")


def _nothing() -> Mapping[str, object]:
    return MappingProxyType({})


class Message(NamedTuple):
    """One message of a conversation.

    `images` are base64 texts or, for OpenAI servers only, http(s) URLs. `tool_calls` are what an assistant asked for:
    {"id", "name", "arguments"}, the arguments an object. A tool's result (role `tool`) names the call it answers.
    """

    role: str
    content: str = ""
    images: tuple[str, ...] = ()
    tool_calls: tuple[Mapping[str, object], ...] = ()
    thinking: str = ""
    tool_name: str = ""
    tool_call_id: str = ""


@dataclass(frozen=True, slots=True)
class Turn:
    """What is said after the answer to the turn before: `messages`, mostly one of the user's.

    `answer` is what a file has as the answer before it, for conversations that are to be carried on by the file's own
    words. `max_tokens` limits this turn's output; `delay_s` is the think time before it, seconds.
    """

    messages: tuple[Message, ...]
    answer: Message | None = None
    max_tokens: int | None = None
    delay_s: float | None = None


@dataclass(frozen=True, slots=True)
class Prompt:
    """One conversation or prompt, with its own limits and options.

    `messages`, at least one, may be given as (role, content); the roles are those in `ROLES`. `max_tokens` limits the
    output, in tokens; None means the run's `--max-tokens`. `options` are sampling options as Ollama names them and
    `fields` what stands beside them in a request's body (keep_alive, suffix, …), both read-only. `format` is "json" or
    a JSON schema. `tools` are offered functions as the APIs take them; `tool_results` are canned results by the tool's
    name. `inputs` are the texts of an embedding request (none: the messages' text). `then` are further turns. `expect`
    is what the answer must be (see `payloads.expect`). `recipe` says how the last message is made up when it is
    picked. `weight` is relative to the other prompts of a mix. `model` is the one that is asked, if
    a run has several.
    """

    id: str
    messages: tuple[Message, ...]
    max_tokens: int | None = None
    # Left out of the hash what cannot be hashed; equal prompts still have equal hashes.
    options: Mapping[str, object] = field(default_factory=_nothing, hash=False)
    format: object | None = field(default=None, hash=False)
    tags: tuple[str, ...] = ()
    weight: float = 1.0
    fields: Mapping[str, object] = field(default_factory=_nothing, hash=False)
    tools: tuple[Mapping[str, object], ...] = field(default=(), hash=False)
    tool_results: Mapping[str, object] = field(default_factory=_nothing, hash=False)
    inputs: tuple[str, ...] = ()
    then: tuple[Turn, ...] = field(default=(), hash=False)
    expect: Mapping[str, object] = field(default_factory=_nothing, hash=False)
    recipe: Recipe | None = None
    model: str = ""

    def __post_init__(self) -> None:
        # Copies behind proxies: one Prompt is shared by every user of a run, and a change by one would reach them all.
        for name in _MAPPINGS:
            value = getattr(self, name)
            if isinstance(value, dict):
                object.__setattr__(self, name, MappingProxyType(dict(value)))
        messages = (one if isinstance(one, Message) else Message(*one) for one in self.messages)
        object.__setattr__(self, "messages", tuple(messages))

    @property
    def system(self) -> str | None:
        """All system messages, joined by blank lines; None if there are none."""
        return "\n\n".join(message.content for message in self.messages if message.role == "system") or None

    @property
    def text(self) -> str:
        """What a completion API is asked: all messages but the system's, joined by blank lines."""
        return "\n\n".join(message.content for message in self.messages if message.role != "system")


def unique(prompt: Prompt, nonce: str) -> Prompt:
    """The same prompt, opened by "[nonce] ", so that no prompt cache can serve it.

    Servers reuse the longest common prefix of what they have already evaluated, and match it from the first token: a
    mark at the end would leave all that stands before it cached, and prompt_tokens_per_s would be the cache's speed.
    What the model's own template puts before the first message is still shared. Costs about 5 to 10 prompt tokens.
    The id stays, so that the rows of one prompt can be grouped.
    """
    # Some templates render the system message first wherever it stands, others keep the order: mark both beginnings.
    system = next((at for at, message in enumerate(prompt.messages) if message.role == "system"), 0)
    messages = tuple(
        message._replace(content=f"[{nonce}] {message.content}") if at in (0, system) else message
        for at, message in enumerate(prompt.messages)
    )
    return replace(prompt, messages=messages, inputs=tuple(f"[{nonce}] {text}" for text in prompt.inputs))
