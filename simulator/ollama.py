"""What Ollama's native API says: bodies of /api/chat and /api/generate, key for key."""

from simulator import gojson
from simulator.ask import Ask
from simulator.engine import Timing
from simulator.faults import DIED
from simulator.models import rfc3339
from simulator.plan import Kind, Line, Plan, Style, context_ids

STREAM_TYPE = b"application/x-ndjson"
WHOLE_TYPE = b"application/json; charset=utf-8"

STYLES = {"chat": Style(), "generate": Style(tags_as_empty=True)}


def error_body(message: str) -> bytes:
    """An answer with an error status."""
    return gojson.encode({"error": message})


class Native:
    """The answers to one request. Wall-clock times in ns; a stream's line ends with its line feed."""

    stream_type, whole_type = STREAM_TYPE, WHOLE_TYPE

    def __init__(self, ask: Ask, plan: Plan) -> None:
        self._ask, self._plan = ask, plan
        self._chat = ask.api == "chat"
        self._head = f'{{"model":{gojson.quote(ask.name)},"created_at":"'
        self._counted = not ask.model.fault.hides_counts

    def _said(self, text: str, thinking: str) -> str:
        """The fields that bear the text."""
        thought = f',"thinking":{gojson.quote(thinking)}' if thinking else ""
        if self._chat:
            return f'"message":{{"role":"assistant","content":{gojson.quote(text)}{thought}}}'
        return f'"response":{gojson.quote(text)}{thought}'

    def _object(self, wall_ns: int, text: str, thinking: str, rest: str) -> bytes:
        return f'{self._head}{rfc3339(wall_ns)}",{self._said(text, thinking)},{rest}}}'.encode()

    def opening(self) -> tuple[bytes, Kind] | None:
        """What a stream begins with before its first token: nothing, not even the response's head."""
        return None

    def line(self, line: Line, wall_ns: int) -> bytes:
        """One line of a stream."""
        if line.kind == "thinking":
            return self._object(wall_ns, "", line.text, '"done":false') + b"\n"
        return self._object(wall_ns, line.text, "", '"done":false') + b"\n"

    def _done(self, timing: Timing) -> str:
        """The fields of a completed answer from `done` on. What is 0 would be absent, and nothing here is ever 0."""
        ask, plan = self._ask, self._plan
        context = ""
        if not self._chat and not ask.raw:
            ids = context_ids(plan.tape_start, ask.prompt_tokens + plan.output_tokens)
            context = f',"context":[{ids}]'
        prompt = f'"prompt_eval_count":{ask.prompt_tokens},' if self._counted else ""
        answer = f'"eval_count":{plan.output_tokens},' if self._counted else ""
        return (
            f'"done":true,"done_reason":"{plan.reason}"{context},"total_duration":{timing.total_ns},'
            f'"load_duration":{timing.load_ns},{prompt}"prompt_eval_duration":{timing.prompt_ns},'
            f'{answer}"eval_duration":{timing.eval_ns}'
        )

    def final(self, timing: Timing, wall_ns: int) -> bytes:
        """The done line of a stream."""
        return self._object(wall_ns, "", "", self._done(timing)) + b"\n"

    def whole(self, timing: Timing, wall_ns: int) -> bytes:
        """The answer that is not streamed."""
        rest = '"done":false' if self._ask.model.fault.no_done_line else self._done(timing)
        return self._object(wall_ns, self._plan.joined("text"), self._plan.joined("thinking"), rest)

    def loaded(self, wall_ns: int) -> bytes:
        """The answer to an empty request, which loads the model, or with a keep-alive of 0 unloads it."""
        reason = "unload" if self._ask.keep_alive_ns == 0 else "load"
        return self._object(wall_ns, "", "", f'"done":true,"done_reason":"{reason}"')

    def broken(self) -> bytes:
        """The last line of a stream whose model died."""
        return error_body(DIED) + b"\n"

    def garbage(self) -> bytes:
        """A line that is not JSON."""
        return f"{self._head}2026-11-23T08:5\n".encode()

    def failed(self) -> bytes:
        """The body of status 500, when the model died and nothing was sent yet."""
        return error_body(DIED)
