"""Record: all that is kept of one request. Absent is None, never 0."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from tokenswarm.metrics.checks.case import UNJUDGED, CheckResults
from tokenswarm.metrics.load_state import Memory
from tokenswarm.metrics.moments import Moment
from tokenswarm.wire.values import Embeddings, Usage

# When in the run a request was made: in the warm-up that was asked for, while users were still being started, while
# all ran, or cut short by (or finished within the grace of) the end.
Phase = Literal["warm-up", "ramp-up", "steady", "drain"]


@dataclass(frozen=True, slots=True)
class Identity:
    """Which request of the run it was: `worker` and `sequence` (the worker's own count) name it for good.

    `max_tokens` is absent where nothing is generated, 0 where no limit was sent; `batch_size` (texts) is absent where
    nothing is embedded.
    `stage` is that of `--stages`, from 1, or of users that were changed by hand, from 2. `memory` is what
    /api/ps had listed just before, where the user asked it.
    `session` is the sequence of the conversation's first request, and `turn` counts its requests from 1. `turn_kind`
    says what a request brought: something the user said, or tools' results. `turns_left` counts the user's turns that
    were still to come. `arrival` is its number among those of an open loop, from 0; a conversation's first request
    bears it. `round` is the prompt's number among the worker's, from 0, where each is asked through several APIs.
    """

    worker: int
    sequence: int
    user_class: str
    endpoint: str
    model: str
    prompt_id: str
    max_tokens: int | None
    session: int | None = None
    turn: int = 1
    turn_kind: Literal["user", "tool"] = "user"
    turns_left: int = 0
    batch_size: int | None = None
    memory: Memory | None = None
    method: str = "POST"
    stage: int | None = None
    arrival: int | None = None
    round: int | None = None


# Characters: about 250,000 tokens. A row of 60 MB would hold up its worker for 8 s, until its master gives it up.
MOST_KEPT = 1_000_000


@dataclass(frozen=True, slots=True)
class Kept:
    """The texts of one request, kept only when the user asks for them, each up to MOST_KEPT."""

    prompt: str
    output: str
    thinking: str


@dataclass(frozen=True, slots=True)
class Record:
    """One request: who, how it ended, when things happened (wall-clock ns), what the server counted.

    `*_ns` are moments, but `connect_ns`, `longest_gap_ns`, `read_lag_ns` and `clock_step_ns` are durations. `gaps`
    counts the times between consecutive output chunks in the buckets of `metrics.histogram`; `late_chunks` are those of
    the coalesced ones that a late read may have merged; `moments` are some of the chunks' (see `metrics.moments`). Of
    one whose chunks came in lumps (`buffered`), the moments of the chunks and the gaps are absent. `habits` are names
    of `wire.habits`; `judged` is what the checks of the answer found. METRICS turns all this into numbers with units.
    """

    identity: Identity
    outcome: str
    error: str = ""
    status: int | None = None
    retry_after_s: float | None = None
    finish_reason: str | None = None
    habits: tuple[str, ...] = ()
    streamed: bool = True
    scheduled_ns: int | None = None
    connect_ns: int | None = None
    sent_ns: int | None = None
    first_byte_ns: int | None = None
    first_output_ns: int | None = None
    first_answer_ns: int | None = None
    last_output_ns: int | None = None
    ended_ns: int | None = None
    interpreted_ns: int | None = None
    output_chunks: int = 0
    unread_chunks: int = 0
    coalesced_chunks: int = 0
    late_chunks: int = 0
    buffered: bool | None = None
    text_chars: int = 0
    thinking_chars: int = 0
    tool_calls: int = 0
    gaps: Mapping[int, int] = field(default_factory=dict)
    longest_gap_ns: int | None = None
    moments: tuple[Moment, ...] = ()
    usage: Usage = field(default_factory=Usage)
    reads: int = 0
    late_reads: int = 0
    read_lag_ns: int | None = None
    clock_stamps: int = 0
    clock_step_ns: int = 0
    resends: int = 0
    phase: Phase = "steady"
    embeddings: Embeddings | None = None
    judged: CheckResults = UNJUDGED
    kept: Kept | None = None
