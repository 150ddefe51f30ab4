"""What LM Studio's own /api/v1/chat says, in the shape of its documentation: typed events, the whole answer at the end.

Not seen on a real one. It has no tools of the client's, and no earlier answers in a request.
"""

from typing import Any

from tokenswarm.simulator.api import gojson
from tokenswarm.simulator.api.request import GenerationRequest
from tokenswarm.simulator.engine.schedule import WARM_NS, Timing
from tokenswarm.simulator.model.plan import Kind, Plan, PlannedLine
from tokenswarm.simulator.settings import NS_PER_S

PATH = "/api/v1/chat"
_ERROR_TYPES = {400: "invalid_request", 404: "model_not_found"}


def error_body(status: int, message: str) -> bytes:
    """An error object."""
    return gojson.encode({"error": {"type": _ERROR_TYPES.get(status, "internal_error"), "message": message}})


def _event(kind: str, **fields: Any) -> bytes:
    return f"event: {kind}\ndata: ".encode() + gojson.encode({"type": kind, **fields}) + b"\n\n"


class LMStudio:
    """The answers to one request."""

    stream_type, whole_type = b"text/event-stream", b"application/json"

    def __init__(self, ask: GenerationRequest, plan: Plan) -> None:
        self._ask, self._plan = ask, plan
        self._open = ""  # what is streamed just now: reasoning or message

    def write_opening(self) -> tuple[bytes, Kind] | None:
        """What a stream begins with before its first token."""
        start = _event("chat.start", model_instance_id=self._ask.name)
        return start + _event("prompt_processing.start"), "headers"

    def _turn(self, kind: str) -> list[bytes]:
        """Go over to another kind of output."""
        if self._open == kind:
            return []
        ended, self._open = self._open or "prompt_processing", kind
        return [_event(f"{ended}.end"), *([_event(f"{kind}.start")] if kind else [])]

    def line(self, line: PlannedLine, wall_ns: int) -> tuple[bytes, ...]:
        """The events of one line."""
        kind = "reasoning" if line.kind == "thinking" else "message"
        return (*self._turn(kind), _event(f"{kind}.delta", content=line.text))

    def _answer(self, timing: Timing) -> dict[str, Any]:
        plan, output = self._plan, []
        for kind, text in (("reasoning", plan.join("thinking")), ("message", plan.join("text"))):
            output += [{"type": kind, "content": text}] if text else []
        stats: dict[str, Any] = {
            "input_tokens": self._ask.prompt_tokens,
            "total_output_tokens": plan.counted_tokens,
            "reasoning_output_tokens": 0,
            "tokens_per_second": plan.counted_tokens * NS_PER_S / timing.eval_ns,
            "time_to_first_token_seconds": timing.prompt_ns / NS_PER_S,
        }
        if timing.load_ns > WARM_NS:
            stats["model_load_time_seconds"] = timing.load_ns / NS_PER_S
        return {"model_instance_id": self._ask.name, "output": output, "stats": stats}

    def final(self, timing: Timing, wall_ns: int) -> tuple[bytes, ...]:
        """The end of what was streamed, and the whole answer."""
        return (*self._turn(""), _event("chat.end", result=self._answer(timing)))

    def whole(self, timing: Timing, wall_ns: int) -> bytes:
        """The answer that is not streamed."""
        return gojson.encode(self._answer(timing))

    def write_loaded(self, wall_ns: int) -> bytes:
        """Never said: it has no request that only loads."""
        raise AssertionError("/api/v1/chat has no request that only loads")

    def write_broken(self, message: str) -> bytes:
        """The last event of a stream whose model died."""
        return _event("error", error={"type": "internal_error", "message": message})

    def garbage(self) -> bytes:
        """An event that is not JSON."""
        return b'event: message.delta\ndata: {"type":"message.\n\n'

    def write_failed(self, message: str) -> bytes:
        """The body of status 500, when nothing was sent yet."""
        return error_body(500, message)
