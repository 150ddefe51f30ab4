"""What Ollama's OpenAI-compatible API says: bodies of /v1/chat/completions and /v1/completions, key for key."""

from collections.abc import Callable

from tokenswarm.simulator.api import gojson
from tokenswarm.simulator.api.request import GenerationRequest
from tokenswarm.simulator.engine.schedule import Timing
from tokenswarm.simulator.model.plan import Kind, Plan, PlannedLine, Style
from tokenswarm.simulator.model.tools import PlannedCall

STREAM_TYPE = b"text/event-stream"
WHOLE_TYPE = b"application/json"
# Errors found before the request reaches the API's own writer bear the router's content type and no line's end.
EARLY_TYPE = b"application/json; charset=utf-8"

STYLES = {"v1_chat": Style(), "v1_completions": Style(tags_as_empty=True, thinking_as_empty=True)}

_ERROR_TYPES = {400: "invalid_request_error", 404: "not_found_error"}
_ZERO_USAGE = ',"usage":{"prompt_tokens":0,"completion_tokens":0,"total_tokens":0}'
_DONE = "data: [DONE]\n\n"


def error_body(status: int, message: str, *, early: bool = False, kind: str | None = None) -> bytes:
    """An error object; `kind` overrides the type that Ollama gives the status."""
    error = {"message": message, "type": kind or _ERROR_TYPES.get(status, "api_error"), "param": None, "code": None}
    return gojson.encode({"error": error}) + (b"" if early else b"\n")


def _logprobs(entries: tuple[str, ...]) -> str:
    return f',"logprobs":{{"content":[{",".join(entries)}]}}' if entries else ""


def _calls(calls: tuple[PlannedCall, ...]) -> str:
    functions = [(c, {"name": c.name, "arguments": c.text()}) for c in calls]
    return gojson.encode(
        [{"id": c.id, "index": c.index, "type": "function", "function": function} for c, function in functions]
    ).decode()


Own = Callable[[int, int, Timing], str]


class OpenAI:
    """The answers to one request on /v1. `role_first`: begin with a role-only chunk, as vLLM does.

    `tells_cached`: the usage tells how much of the prompt was cached, as Ollama's does since 0.33.3, and vLLM's if
    it is asked to. `own` words what an engine says of its own work beside the usage.
    """

    stream_type, whole_type = STREAM_TYPE, WHOLE_TYPE

    def __init__(
        self,
        ask: GenerationRequest,
        plan: Plan,
        number: int,
        created_s: int,
        *,
        role_first: bool,
        tells_cached: bool,
        own: Own | None = None,
    ) -> None:
        self._own = own
        self._tells_cached = tells_cached
        self._ask, self._plan = ask, plan
        self._chat = ask.api == "v1_chat"
        self._role_first = role_first
        self._role_told = False
        self._counted = not ask.model.fault.hides_counts
        prefix, kind = ("chatcmpl", "chat.completion") if self._chat else ("cmpl", "text_completion")
        # As in Ollama the id is one of a thousand: it collides, nobody may key on it.
        self._identity = f'{{"id":"{prefix}-{number * 617 % 1000}","object":"{kind}'
        self._created = f',"created":{created_s},'
        self._name = f'"model":{gojson.quote(ask.name)},"system_fingerprint":"fp_ollama"'
        tail = _ZERO_USAGE if ask.include_usage and self._counted and not self._chat else ""
        if self._chat:
            self._head = f'data: {self._identity}.chunk"{self._created}{self._name},"choices":'
            self._tail = "}\n\n"
        else:
            self._head = f'data: {self._identity}"{self._created}"choices":'
            self._tail = f",{self._name}{tail}}}\n\n"

    def _delta(self, fields: str, finish: str = "null", logprobs: str = "") -> str:
        if not self._chat:
            return f'{self._head}[{{{fields},"index":0,"finish_reason":{finish}{logprobs}}}]{self._tail}'
        if not self._role_told and finish == "null":
            self._role_told = True
            fields = f'"role":"assistant",{fields}'
        return f'{self._head}[{{"index":0,"delta":{{{fields}}},"finish_reason":{finish}{logprobs}}}]{self._tail}'

    def write_opening(self) -> tuple[bytes, Kind] | None:
        """What a stream begins with before prefill: nothing with Ollama, the response's head and a role with others."""
        if not self._role_first:
            return None
        return (self._delta('"content":""').encode() if self._chat else b""), "headers"

    def line(self, line: PlannedLine, wall_ns: int) -> bytes:
        """One event of a stream."""
        more = ""
        if line.more is not None:
            more = _logprobs(line.more.logprobs)
            if line.more.calls:
                return self._delta(f'"content":"","tool_calls":{_calls(line.more.calls)}', logprobs=more).encode()
        if not self._chat:
            return self._delta(f'"text":{gojson.quote(line.text)}', logprobs=more).encode()
        if line.kind == "thinking":
            return self._delta(f'"content":"","reasoning":{gojson.quote(line.text)}', logprobs=more).encode()
        return self._delta(f'"content":{gojson.quote(line.text)}', logprobs=more).encode()

    def _usage(self, timing: Timing) -> str:
        plan = self._plan
        prompt, answer = self._ask.prompt_tokens + plan.first_run_tokens, plan.counted_tokens
        counts = f'"prompt_tokens":{prompt},"completion_tokens":{answer},"total_tokens":{prompt + answer}'
        if self._tells_cached:
            counts += f',"prompt_tokens_details":{{"cached_tokens":{timing.cached_tokens}}}'
        own = self._own(prompt, answer, timing) if self._own else ""
        return f'"usage":{{{counts}}}{own}'

    def _finish(self) -> str:
        """The finish reason, quoted; `length` also when a call was sent before the limit came."""
        plan = self._plan
        return '"tool_calls"' if plan.reason == "stop" and plan.calls() else f'"{plan.reason}"'

    def final(self, timing: Timing, wall_ns: int) -> bytes:
        """Finish reason, usage if it was asked for, and the end mark: they leave together, as with the real one."""
        plan, said = self._plan, ""
        if plan.last_calls:
            said = self._delta(f'"content":"","tool_calls":{_calls(plan.last_calls)}')
        elif plan.last_text or (self._chat and not self._role_told):
            said = self._delta(f'"{"content" if self._chat else "text"}":{gojson.quote(plan.last_text)}')
        said += self._delta("" if self._chat else '"text":""', self._finish())
        if self._ask.include_usage and self._counted:
            if self._chat:
                said += f"{self._head}[],{self._usage(timing)}}}\n\n"
            else:
                said += f"{self._head}[],{self._name},{self._usage(timing)}}}\n\n"
        return (said + _DONE).encode()

    def whole(self, timing: Timing, wall_ns: int) -> bytes:
        """The answer that is not streamed."""
        plan = self._plan
        finish, usage = self._finish(), f",{self._usage(timing)}"
        if plan.undone:
            finish, usage = "null", _ZERO_USAGE
        if not self._counted:
            usage = ""
        text, thinking, calls = gojson.quote(plan.join("text")), plan.join("thinking"), plan.calls()
        if self._chat:
            more = f',"reasoning":{gojson.quote(thinking)}' if thinking else ""
            more += f',"tool_calls":{_calls(calls)}' if calls else ""
            said = f'"index":0,"message":{{"role":"assistant","content":{text}{more}}}'
        else:
            said = f'"text":{text},"index":0'
        choices = f'"choices":[{{{said},"finish_reason":{finish}{_logprobs(plan.logprobs())}}}]'
        return f'{self._identity}"{self._created}{self._name},{choices}{usage}}}\n'.encode()

    def write_broken(self, message: str) -> bytes:
        """The last event of a stream whose model died, or said what cannot be understood: the error's text is lost."""
        nameless = self._head.replace(self._name, '"model":"","system_fingerprint":"fp_ollama"')
        fields = '"delta":{"content":""}' if self._chat else '"text":""'
        tail = "}\n\n" if self._chat else ',"model":"","system_fingerprint":"fp_ollama"}\n\n'
        return f'{nameless}[{{"index":0,{fields},"finish_reason":null}}]{tail}'.encode()

    def garbage(self) -> bytes:
        """An event that is not JSON."""
        return f"data: {self._identity}\n\n".encode()

    def write_loaded(self, wall_ns: int) -> bytes:
        """Never said: /v1 has no request that only loads."""
        raise AssertionError("/v1 has no request that only loads")

    def write_failed(self, message: str) -> bytes:
        """The body of status 500, when nothing was sent yet."""
        return error_body(500, message)
