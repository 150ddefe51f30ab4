"""The values of the wire: what is sent (`Ask`, `Call`), what came (`Transcript`), what it says (`Chunk`, `Answer`)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal, NamedTuple, Protocol

from tokenswarm.payloads.prompt import Prompt
from tokenswarm.wire import framing

FailureKind = Literal["refused", "timeout", "closed", "protocol", "cancelled", "dropped"]


@dataclass(frozen=True, slots=True)
class Ask:
    """What every request of a User class asks beside the prompt.

    `options` are sampling options and `fields` what stands beside them in the body; a prompt's own go first. One that
    is None is left out of the body, whoever else sets it. So is the output limit, also a prompt's, if `max_tokens` is
    None; on OpenAI's chat it goes by the name `limit_as`.
    """

    model: str
    max_tokens: int | None = 128
    stream: bool = True
    think: bool | str | None = None
    options: Mapping[str, object] = field(default_factory=dict)
    fields: Mapping[str, object] = field(default_factory=dict)
    limit_as: str = "max_tokens"

    def limit(self, prompt: Prompt) -> int | None:
        """The output limit that is sent with a prompt, tokens; None if none is."""
        return None if self.max_tokens is None else prompt.max_tokens or self.max_tokens


@dataclass(frozen=True, slots=True)
class Call:
    """One HTTP request of one API: what is to be written, without host and connection headers."""

    method: str
    path: str
    headers: tuple[tuple[str, str], ...]
    body: bytes


@dataclass(frozen=True, slots=True)
class Failure:
    """Why the transport gave up: no connection (`refused`), a limit of our own (`dropped`), EOF (`closed`), …"""

    kind: FailureKind
    text: str


@dataclass(frozen=True)
class Transcript:
    """One exchange as it was seen: wall-clock nanoseconds, body bytes as they arrived (HTTP framing taken off).

    `pieces` are `(arrival_ns, bytes)`; `connect_ns` is a duration, absent when the connection was there already;
    `sent_ns` is absent when nothing was sent; `complete` says that the HTTP message ended as its framing promised;
    `clock_step_ns` is how far the wall clock ran off the monotonic one during the exchange; `resends` counts how often
    the request met an idle connection that the server was just closing, and was sent again; `read_lag_ns` is the
    longest time that bytes lay in the kernel before they were read, `late_stamps` are the arrivals of those that lay
    there for so long that chunks may have been merged. `retry_after_s` is how long a server that refuses asks to be
    left alone, `location` where one that redirects sends; `habits` are what the server did otherwise than its API says,
    by their names in `wire.habits`.
    """

    pieces: Sequence[tuple[int, bytes]] = ()
    scheduled_ns: int | None = None
    connect_ns: int | None = None
    sent_ns: int | None = None
    ended_ns: int | None = None
    status: int | None = None
    content_type: str = ""
    complete: bool = False
    failure: Failure | None = None
    kernel_stamps: int = 0
    clock_stamps: int = 0
    clock_step_ns: int = 0
    resends: int = 0
    read_lag_ns: int | None = None
    late_stamps: frozenset[int] = frozenset()
    retry_after_s: float | None = None
    location: str = ""
    habits: frozenset[str] = frozenset()

    @cached_property
    def body_bytes(self) -> int:
        """The length of the body."""
        return sum(map(len, framing.PieceColumns.of(self.pieces).bodies))

    @property
    def succeeded(self) -> bool:
        """Does the status promise an answer? Some frameworks say 201 to every POST, some gateways 202."""
        return self.status is not None and 200 <= self.status < 300

    @cached_property
    def form(self) -> framing.Form:
        """What the body is."""
        return framing.form(self.pieces, self.content_type)

    @property
    def streamed(self) -> bool:
        """Did the answer come in frames? (Load requests and errors come whole, also where a stream was asked for.)"""
        return self.form != "whole"


class Usage(NamedTuple):
    """The server's own counts (tokens) and durations (ns); what it did not say is None.

    `prompt_tokens` includes the `cached_tokens`, and `output_tokens` the `reasoning_tokens`; `eval_ns` spans the first
    to the last token: output_tokens - 1 intervals. `source` names the field that the output count came from, `engine`
    whose way of saying it the durations came in. `queue_ns` is a wait that the server itself names: Ollama does not.
    """

    prompt_tokens: int | None = None
    output_tokens: int | None = None
    cached_tokens: int | None = None
    total_ns: int | None = None
    load_ns: int | None = None
    prompt_eval_ns: int | None = None
    eval_ns: int | None = None
    source: str | None = None
    reasoning_tokens: int | None = None
    queue_ns: int | None = None
    engine: str | None = None

    @property
    def has_durations(self) -> bool:
        """Does it say how long anything took?"""
        return not (self.total_ns is self.load_ns is self.prompt_eval_ns is self.eval_ns is self.queue_ns is None)

    def without_durations(self) -> "Usage":
        """The counts alone."""
        return self._replace(total_ns=None, load_ns=None, prompt_eval_ns=None, eval_ns=None, queue_ns=None, engine=None)

    def then(self, later: "Usage") -> "Usage":
        """The later numbers, but where they are absent, or a 0 after a true one: some servers end with a usage of
        zeros."""
        return Usage._make(new or (old if new is None else old or new) for new, old in zip(later, self, strict=True))


class ToolCall(NamedTuple):
    """A tool call, or a piece of one: OpenAI servers may stream `arguments` as text pieces of one `place`.

    `place` is None of a piece that does not say it; whole calls are numbered.
    """

    place: int | None
    id: str
    name: str
    arguments: object


class Embeddings(NamedTuple):
    """What an embedding answer holds: how many vectors, of how many numbers, and how many of them are bad.

    A bad vector has another dimension than the first, or anything but finite numbers, or only zeros.
    """

    vectors: int
    dimension: int
    bad: int = 0


class Answer(NamedTuple):
    """All that the model said, whole; `context` are the token ids that /api/generate hands back.

    `tagged`: the thinking, or some of it, was told apart from the text by its tags, which the server had left there.
    """

    text: str = ""
    thinking: str = ""
    tool_calls: tuple[ToolCall, ...] = ()
    context: tuple[int, ...] | None = None
    tagged: bool = False


class Chunk(NamedTuple):
    """One frame of an answer, with the arrival of its last byte in wall-clock ns.

    `error` is the server's own error text; `broken` says what made a frame unreadable; `done` is Ollama's
    `done:true` or OpenAI's `[DONE]`; `finish_reason` may come with it or before it. `ends_thinking`: all text of the
    chunks before was thinking, as a closing tag without an opening one tells. `tagged`: a tag was taken
    out of the text. `whole`: it is a message, which may repeat what the deltas before it said. `unread`: it holds
    something under a name that nobody reads, and no output. `choice` is the number of the one that it belongs to, and
    `habit` names one of `wire.habits` that it shows.
    """

    ns: int
    text: str = ""
    thinking: str = ""
    tool_calls: tuple[ToolCall, ...] = ()
    finish_reason: str | None = None
    usage: Usage | None = None
    done: bool = False
    error: str | None = None
    broken: str | None = None
    ends_thinking: bool = False
    context: tuple[int, ...] | None = None
    embeddings: Embeddings | None = None
    tagged: bool = False
    whole: bool = False
    unread: bool = False
    choice: int = 0
    habit: str = ""

    @property
    def output(self) -> bool:
        """Does it carry anything that the model said: thinking, text or a tool call?"""
        return bool(self.text or self.thinking or self.tool_calls)


class Api(Protocol):
    """What a file in this room offers: its path, how to ask, how to read one decoded JSON object.

    `read` raises TypeError, KeyError, ValueError, AttributeError or IndexError on an object of another shape.
    """

    @property
    def PATH(self) -> str: ...
    @property
    def done_by_sentinel(self) -> bool:
        """Must a streamed answer end with `[DONE]` beside its finish reason?"""
        ...

    def build(self, prompt: Prompt, ask: Ask) -> Call: ...
    def read(self, ns: int, frame: dict[str, object]) -> Chunk: ...
