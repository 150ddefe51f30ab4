"""What Ollama's native API says: bodies of /api/chat and /api/generate, key for key."""

from tokenswarm.simulator.api import gojson
from tokenswarm.simulator.api.request import GenerationRequest
from tokenswarm.simulator.engine.schedule import Timing
from tokenswarm.simulator.model.models import rfc3339
from tokenswarm.simulator.model.plan import Kind, Plan, PlannedLine, Style
from tokenswarm.simulator.model.tokens import context_ids
from tokenswarm.simulator.model.tools import PlannedCall

STREAM_TYPE = b"application/x-ndjson"
WHOLE_TYPE = b"application/json; charset=utf-8"

STYLES = {"chat": Style(native=True), "generate": Style(tags_as_empty=True, native=True)}


def error_body(message: str) -> bytes:
    """An answer with an error status."""
    return gojson.encode({"error": message})


def write_rendered(ask: GenerationRequest, wall_ns: int) -> bytes:
    """The answer to who only wants to see the prompt."""
    said = '"message":{"role":"","content":""}' if ask.api == "chat" else '"response":""'
    prompt = gojson.quote(ask.rendered or "")
    head = f'{{"model":{gojson.quote(ask.name)},"created_at":"{rfc3339(wall_ns)}"'
    return f'{head},{said},"done":false,"_debug_info":{{"rendered_template":{prompt}}}}}'.encode()


def _calls(calls: tuple[PlannedCall, ...]) -> str:
    return gojson.encode(
        [{"id": c.id, "function": {"index": c.index, "name": c.name, "arguments": c.arguments}} for c in calls]
    ).decode()


class Native:
    """The answers to one request. Wall-clock times in ns; a stream's line ends with its line feed.

    `tells_cached`: the numbers tell how much of the prompt was cached, as since 0.33.3.
    """

    stream_type, whole_type = STREAM_TYPE, WHOLE_TYPE

    def __init__(self, ask: GenerationRequest, plan: Plan, *, tells_cached: bool) -> None:
        self._ask, self._plan = ask, plan
        self._tells_cached = tells_cached
        self._chat = ask.api == "chat"
        self._head = f'{{"model":{gojson.quote(ask.name)},"created_at":"'
        self._counted = not ask.model.fault.hides_counts
        self._text = '","message":{"role":"assistant","content":' if self._chat else '","response":'
        self._text_end = '},"done":false}\n' if self._chat else ',"done":false}\n'

    def _said(self, text: str, thinking: str, calls: tuple[PlannedCall, ...] = ()) -> str:
        """The fields that bear the text."""
        thought = f',"thinking":{gojson.quote(thinking)}' if thinking else ""
        if self._chat:
            called = f',"tool_calls":{_calls(calls)}' if calls else ""
            return f'"message":{{"role":"assistant","content":{gojson.quote(text)}{thought}{called}}}'
        return f'"response":{gojson.quote(text)}{thought}'

    def _object(self, wall_ns: int, said: str, rest: str) -> bytes:
        return f'{self._head}{rfc3339(wall_ns)}",{said},{rest}}}'.encode()

    def write_opening(self) -> tuple[bytes, Kind] | None:
        """What a stream begins with before its first token: nothing, not even the response's head."""
        return None

    def line(self, line: PlannedLine, wall_ns: int) -> bytes:
        """One line of a stream. Nearly all are text and nothing else."""
        if line.more is None and line.kind != "thinking":
            return f"{self._head}{rfc3339(wall_ns)}{self._text}{gojson.quote(line.text)}{self._text_end}".encode()
        thinking = line.kind == "thinking"
        rest = '"done":false'
        calls: tuple[PlannedCall, ...] = ()
        if line.more is not None:
            calls = line.more.calls
            rest += f',"logprobs":[{",".join(line.more.logprobs)}]' if line.more.logprobs else ""
        said = self._said("" if thinking else line.text, line.text if thinking else "", calls)
        return self._object(wall_ns, said, rest) + b"\n"

    def _done(self, timing: Timing, logprobs: tuple[str, ...] = ()) -> str:
        """The fields of a completed answer from `done` on. What is 0 would be absent, but for the cached tokens."""
        ask, plan = self._ask, self._plan
        context = ""
        # After a first run its words are in the second one's prompt.
        prompt_tokens, answer_tokens = ask.prompt_tokens + plan.first_run_tokens, plan.counted_tokens
        if not self._chat and not ask.raw:
            ids = context_ids(plan.tape_start, prompt_tokens + answer_tokens)
            context = f',"context":[{",".join(map(str, ids))}]'
        prompt = f'"prompt_eval_count":{prompt_tokens},' if self._counted else ""
        if prompt and self._tells_cached:
            prompt += f'"prompt_eval_cached_count":{timing.cached_tokens},'
        answer = f'"eval_count":{answer_tokens},' if self._counted else ""
        eval_ns = timing.eval_ns
        if plan.first_run_tokens:
            eval_ns = max(1000, eval_ns * (answer_tokens - 1) // (plan.output_tokens - 1))
        told = f',"logprobs":[{",".join(logprobs)}]' if logprobs else ""
        early, late = (told, "") if self._chat else ("", told)
        return (
            f'"done":true,"done_reason":"{plan.reason}"{early}{context},"total_duration":{timing.total_ns},'
            f'"load_duration":{timing.load_ns},{prompt}"prompt_eval_duration":{timing.prompt_ns},'
            f'{answer}"eval_duration":{eval_ns}{late}'
        )

    def final(self, timing: Timing, wall_ns: int) -> bytes:
        """The done line of a stream."""
        said = self._said(self._plan.last_text, "", self._plan.last_calls)
        return self._object(wall_ns, said, self._done(timing)) + b"\n"

    def whole(self, timing: Timing, wall_ns: int) -> bytes:
        """The answer that is not streamed."""
        plan = self._plan
        rest = '"done":false' if plan.undone else self._done(timing, plan.logprobs())
        return self._object(wall_ns, self._said(plan.join("text"), plan.join("thinking"), plan.calls()), rest)

    def write_loaded(self, wall_ns: int) -> bytes:
        """The answer to an empty request, which loads the model, or with a keep-alive of 0 unloads it."""
        reason = "unload" if self._ask.keep_alive_ns == 0 else "load"
        return self._object(wall_ns, self._said("", ""), f'"done":true,"done_reason":"{reason}"')

    def write_broken(self, message: str) -> bytes:
        """The last line of a stream whose model died, or said what cannot be understood."""
        return error_body(message) + b"\n"

    def garbage(self) -> bytes:
        """A line that is not JSON."""
        return f"{self._head}2026-11-23T08:5\n".encode()

    def write_failed(self, message: str) -> bytes:
        """The body of status 500, when nothing was sent yet."""
        return error_body(message)
