"""What Ollama's form of Anthropic's API says: bodies of /v1/messages, key for key; one event a chunk."""

from hashlib import sha256

from tokenswarm.simulator.api import gojson
from tokenswarm.simulator.api.request import GenerationRequest
from tokenswarm.simulator.engine.schedule import Timing
from tokenswarm.simulator.model import tokens
from tokenswarm.simulator.model.plan import Kind, Plan, PlannedLine
from tokenswarm.simulator.model.tools import PlannedCall

_ERROR_TYPES = {400: "invalid_request_error", 404: "not_found_error", 503: "overloaded_error"}


def error_body(status: int, message: str) -> bytes:
    """An error object."""
    error = {"type": _ERROR_TYPES.get(status, "api_error"), "message": message}
    return gojson.encode({"type": "error", "error": error}) + b"\n"


def _event(kind: str, fields: str = "") -> bytes:
    return f'event: {kind}\ndata: {{"type":"{kind}"{fields}}}\n\n'.encode()


class Messages:
    """The answers to one request."""

    stream_type, whole_type = b"text/event-stream", b"application/json"

    def __init__(self, ask: GenerationRequest, plan: Plan, number: int) -> None:
        self._ask, self._plan = ask, plan
        name, identity = gojson.quote(ask.name), sha256(f"msg {number}".encode()).hexdigest()[:24]
        self._head = f'"id":"msg_{identity}","type":"message","role":"assistant","model":{name}'
        self._block: tuple[int, str] | None = None  # index and kind of the block that is open
        self._blocks = 0

    def write_opening(self) -> tuple[bytes, Kind] | None:
        """What a stream begins with before its first token: nothing."""
        return None

    def _start(self) -> list[bytes]:
        """The first event, with a guess at the prompt's tokens: the true number comes at the end."""
        if self._blocks:
            return []
        guess = max(1, tokens.count_tokens(self._ask.prompt))
        usage = f'"usage":{{"input_tokens":{guess},"output_tokens":0}}'
        return [_event("message_start", f',"message":{{{self._head},"content":[],{usage}}}')]

    def _close(self) -> list[bytes]:
        if self._block is None:
            return []
        index, self._block = self._block[0], None
        return [_event("content_block_stop", f',"index":{index}')]

    def _open(self, kind: str, fields: str) -> list[bytes]:
        """Begin a block of another kind, unless it is open."""
        if self._block is not None and self._block[1] == kind and kind != "tool_use":
            return []
        events = [*self._start(), *self._close()]
        self._block = (self._blocks, kind)
        self._blocks += 1
        block = f',"index":{self._block[0]},"content_block":{{"type":"{kind}",{fields}}}'
        return [*events, _event("content_block_start", block)]

    def _delta(self, fields: str) -> bytes:
        assert self._block is not None
        return _event("content_block_delta", f',"index":{self._block[0]},"delta":{{{fields}}}')

    def _call(self, call: PlannedCall) -> list[bytes]:
        name = f'"id":{gojson.quote(call.id)},"name":{gojson.quote(call.name)},"input":{{}}'
        pieces = f'"type":"input_json_delta","partial_json":{gojson.quote(call.text())}'
        return [*self._open("tool_use", name), self._delta(pieces), *self._close()]

    def line(self, line: PlannedLine, wall_ns: int) -> tuple[bytes, ...]:
        """The events of one line: those of blocks that end and begin with it too."""
        if line.more is not None and line.more.calls:
            return tuple(event for call in line.more.calls for event in self._call(call))
        kind = "thinking" if line.kind == "thinking" else "text"
        opened, text = self._open(kind, f'"{kind}":""'), gojson.quote(line.text)
        return (*opened, self._delta(f'"type":"{kind}_delta","{kind}":{text}'))

    def _usage(self) -> str:
        plan = self._plan
        prompt = self._ask.prompt_tokens + plan.first_run_tokens
        return f'"usage":{{"input_tokens":{prompt},"output_tokens":{plan.counted_tokens}}}'

    def _reason(self) -> str:
        if self._plan.reason == "length":
            return "max_tokens"
        return "tool_use" if self._plan.calls() else "end_turn"

    def final(self, timing: Timing, wall_ns: int) -> tuple[bytes, ...]:
        """The end of the last block, why it ended, and the counts."""
        events = [event for call in self._plan.last_calls for event in self._call(call)]
        reason = f',"delta":{{"stop_reason":"{self._reason()}"}},{self._usage()}'
        return (
            *self._start(), *events, *self._close(), _event("message_delta", reason), _event("message_stop"),
        )  # fmt: skip

    def whole(self, timing: Timing, wall_ns: int) -> bytes:
        """The answer that is not streamed."""
        plan = self._plan
        thinking, text = gojson.quote(plan.join("thinking")), gojson.quote(plan.join("text"))
        blocks = [f'{{"type":"thinking","thinking":{thinking}}}'] if thinking != '""' else []
        blocks += [f'{{"type":"text","text":{text}}}'] if text != '""' else []
        for call in plan.calls():
            used = {"type": "tool_use", "id": call.id, "name": call.name, "input": call.arguments}
            blocks.append(gojson.encode(used).decode())
        content = f'"content":[{",".join(blocks)}]'
        return f'{{{self._head},{content},"stop_reason":"{self._reason()}",{self._usage()}}}\n'.encode()

    def write_loaded(self, wall_ns: int) -> bytes:
        """Never said: it has no request that only loads."""
        raise AssertionError("/v1/messages has no request that only loads")

    def write_broken(self, message: str) -> bytes:
        """The last event of a stream whose model died."""
        return b"event: error\ndata: " + error_body(500, message) + b"\n"

    def garbage(self) -> bytes:
        """An event that is not JSON."""
        return b'event: content_block_delta\ndata: {"type":"content_\n\n'

    def write_failed(self, message: str) -> bytes:
        """The body of status 500, when nothing was sent yet."""
        return error_body(500, message)
