"""What goes wrong on purpose: one model name a fault, so that a client meets it by asking for it."""

from dataclasses import dataclass
from typing import Literal

End = Literal["truncate", "error", "reset"]


@dataclass(frozen=True)
class Fault:
    """How one model misbehaves. The fields are independent, a sound model has all of them off."""

    ends: End | None = None  # how a stream is cut in the middle
    stalls: bool = False  # stops sending in the middle, then goes on
    slow_headers: bool = False  # nothing at all for the stall time
    garbage: bool = False  # a line that is not JSON in the middle
    status: int | None = None  # refuses outright
    tokens_per_line: int | None = None
    hides_counts: bool = False  # no usage, no eval_count
    no_done_line: bool = False  # Ollama's guard against >30 equal tokens: a clean end, no done line, no error
    ignores_limit: bool = False
    think_tags: bool = False  # <think>…</think> in the content, the tags cut over two chunks
    silent: bool = False  # done and counted, but not one character


SOUND = Fault()

FAULTS: dict[str, Fault] = {
    "fault-truncate": Fault(ends="truncate"),
    "fault-error-object": Fault(ends="error"),
    "fault-reset": Fault(ends="reset"),
    "fault-stall": Fault(stalls=True),
    "fault-garbage": Fault(garbage=True),
    "fault-503": Fault(status=503),
    "fault-500": Fault(status=500),
    "fault-slow-headers": Fault(slow_headers=True),
    "fault-many-tokens-a-chunk": Fault(tokens_per_line=5),
    "fault-no-usage": Fault(hides_counts=True),
    "fault-no-done-line": Fault(no_done_line=True),
    "fault-ignores-limit": Fault(ignores_limit=True),
    "fault-think-tags": Fault(think_tags=True),
    "fault-empty": Fault(silent=True),
}

BUSY = "server busy, please try again.  maximum pending requests exceeded"
DIED = "an error was encountered while running the model: unexpected EOF"
CRASHED = "llama runner process has terminated: exit status 2"


def middle_token(output_tokens: int) -> int:
    """The number of the token at which a fault in the middle of a stream strikes: one line at least went before."""
    return min(max(2, output_tokens // 2), output_tokens)
