"""What goes wrong on purpose: one model name a fault, so that a client meets it by asking for it."""

from dataclasses import dataclass
from typing import Literal

End = Literal["truncate", "error", "reset"]
Capability = Literal["completion", "thinking", "tools", "vision", "insert", "embedding"]
# How Ollama makes text, thinking and tool calls of what the model says: G = a Go template, N = native, the model file's
# own chat template, B = a built-in parser (qwen3), harmony = that of gpt-oss.
OutputPath = Literal["G", "N", "B", "harmony"]


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
    no_done_line: bool = False  # a clean end in the middle, no done line, no error
    ignores_limit: bool = False
    think_tags: bool = False  # <think>…</think> in the content, the tags cut over two chunks
    leaks: bool = False  # the same when it was told not to think
    never_closes: bool = False  # it thinks to its end: "stop", and no answer
    silent: bool = False  # done and counted, but not one character
    silent_talk: bool = False  # the same unless it has tools: harmony's parser and a model that does not speak harmony
    repeats: bool = False  # one token again and again, until Ollama's guard against >30 equal ones ends the stream
    loops: bool = False  # one phrase again and again, to the limit
    whitespace: bool = False  # in JSON mode white space, and hardly anything else, to the limit
    bad_json: bool = False  # in JSON mode "stop" and no JSON
    off_schema: bool = False  # in JSON mode JSON that the schema forbids
    unknown_tool: bool = False  # calls a tool that was not offered
    drops_call: bool = False  # a call that was generated and counted, and never sent
    bad_arguments: bool = False  # on /v1 arguments that are no JSON; Ollama's own API has an error for it
    call_no_json: bool = False  # that error on both
    wavers: bool = False  # now and then another text, whatever the seed
    cuts_prompt: bool = False  # reads a quarter of the prompt, and says so nowhere but in its count
    able: tuple[Capability, ...] = ("completion",)
    path: OutputPath = "G"


SOUND = Fault()
_TOOLS: tuple[Capability, ...] = ("completion", "tools")
_THINKS: tuple[Capability, ...] = ("completion", "thinking")
_BOTH: tuple[Capability, ...] = ("completion", "thinking", "tools")

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
    "fault-think-leaks": Fault(leaks=True, able=_BOTH),
    "fault-unclosed-think": Fault(never_closes=True, able=_THINKS),
    "fault-empty": Fault(silent=True),
    "fault-harmony": Fault(silent_talk=True, able=_BOTH, path="harmony"),
    "fault-repeat": Fault(repeats=True),
    "fault-loops": Fault(loops=True),
    "fault-whitespace": Fault(whitespace=True),
    "fault-bad-json": Fault(bad_json=True),
    "fault-off-schema": Fault(off_schema=True),
    "fault-unknown-tool": Fault(unknown_tool=True, able=_BOTH, path="B"),
    "fault-dropped-call": Fault(drops_call=True, able=_TOOLS),
    "fault-bad-tool-args": Fault(bad_arguments=True, able=_BOTH, path="B"),
    "fault-call-no-json": Fault(call_no_json=True, able=_BOTH, path="B"),
    "fault-nondeterministic": Fault(wavers=True),
    "fault-cuts-prompt": Fault(cuts_prompt=True),
}

BUSY = "server busy, please try again.  maximum pending requests exceeded"
DIED = "an error was encountered while running the model: unexpected EOF"
CRASHED = "llama runner process has terminated: exit status 2"


def middle_token(output_tokens: int) -> int:
    """The number of the token at which a fault in the middle of a stream strikes: one line at least went before."""
    return min(max(2, output_tokens // 2), output_tokens)
