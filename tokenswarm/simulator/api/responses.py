"""What Ollama's form of OpenAI's newer API says: bodies of /v1/responses, key for key; one event a chunk."""

import json
from typing import Any

from tokenswarm.simulator.api import gojson
from tokenswarm.simulator.api.openai import error_body
from tokenswarm.simulator.api.request import GenerationRequest
from tokenswarm.simulator.engine.schedule import Timing
from tokenswarm.simulator.model.plan import Kind, Plan, PlannedLine
from tokenswarm.simulator.model.tools import PlannedCall


class Responses:
    """The answers to one request."""

    stream_type, whole_type = b"text/event-stream", b"application/json"

    def __init__(self, ask: GenerationRequest, plan: Plan, number: int, created_s: int) -> None:
        self._ask, self._plan, self._number, self._created_s = ask, plan, number * 617 % 1_000_000, created_s
        self._sequence = 0
        self._begun = False
        self._output: list[dict[str, Any]] = []  # items that are complete
        self._open: tuple[str, str] | None = None  # kind and id of the item that is not
        self._text = ""  # of that item

    def write_opening(self) -> tuple[bytes, Kind] | None:
        """What a stream begins with before its first token: nothing."""
        return None

    def _response(self, status: str, completed_s: int | None, usage: Any) -> dict[str, Any]:
        echo = self._ask.echo
        tools = [{**tool, "strict": tool.get("strict")} for tool in echo.get("tools") or []]
        return {
            "background": False, "completed_at": completed_s, "created_at": self._created_s, "error": None,
            "frequency_penalty": 0, "id": f"resp_{self._number}", "incomplete_details": None,
            "instructions": echo.get("instructions"), "max_output_tokens": echo.get("max_output_tokens"),
            "max_tool_calls": None, "metadata": {}, "model": self._ask.name, "object": "response",
            "output": self._output, "parallel_tool_calls": True, "presence_penalty": 0, "previous_response_id": None,
            "prompt_cache_key": None, "reasoning": echo.get("reasoning"), "safety_identifier": None,
            "service_tier": "default", "status": status, "store": False, "temperature": echo.get("temperature", 1),
            "text": {"format": {"type": "text"}}, "tool_choice": "auto",
            "tools": json.loads(json.dumps(tools, sort_keys=True)), "top_logprobs": 0, "top_p": echo.get("top_p", 1),
            "truncation": "disabled", "usage": usage,
        }  # fmt: skip

    def _event(self, kind: str, **fields: Any) -> bytes:
        """One event; Go's maps come out in the order of their keys."""
        told = {**fields, "sequence_number": self._sequence, "type": f"response.{kind}"}
        self._sequence += 1
        return f"event: response.{kind}\ndata: ".encode() + gojson.encode(dict(sorted(told.items()))) + b"\n\n"

    def _start(self) -> list[bytes]:
        if self._begun:
            return []
        self._begun = True
        response = self._response("in_progress", None, None)
        return [self._event("created", response=response), self._event("in_progress", response=response)]

    @property
    def _index(self) -> int:
        return len(self._output)

    def _begin(self, kind: str) -> list[bytes]:
        """Begin an item of another kind, unless it is open."""
        if self._open is not None and self._open[0] == kind:
            return []
        events = [*self._start(), *self._end()]
        identity = f"{'rs' if kind == 'reasoning' else 'msg'}_{self._number + self._index}"
        self._open, self._text = (kind, identity), ""
        if kind == "reasoning":
            item = {"id": identity, "summary": [], "type": kind}
            return [*events, self._event("output_item.added", item=item, output_index=self._index)]
        item = {"content": [], "id": identity, "role": "assistant", "status": "in_progress", "type": kind}
        events.append(self._event("output_item.added", item=item, output_index=self._index))
        at = {"content_index": 0, "item_id": identity, "output_index": self._index}
        return [*events, self._event("content_part.added", part=_part(""), **at)]

    def _end(self) -> list[bytes]:
        """End the open item."""
        if self._open is None:
            return []
        (kind, identity), text, self._open = self._open, self._text, None
        at = {"item_id": identity, "output_index": self._index}
        if kind == "reasoning":
            item = _reasoning(identity, text)
            events = [self._event("reasoning_summary_text.done", summary_index=0, text=text, **at)]
        else:
            item = _message(identity, text)
            events = [
                self._event("output_text.done", content_index=0, logprobs=[], text=text, **at),
                self._event("content_part.done", content_index=0, part=_part(text), **at),
            ]
        events.append(self._event("output_item.done", item=item, output_index=self._index))
        self._output.append(item)
        return events

    def _call(self, call: PlannedCall) -> list[bytes]:
        # As in Ollama: a message that has begun is not ended by a call, and is only seen again in the whole response.
        events = [*self._start(), *(self._end() if self._open and self._open[0] == "reasoning" else [])]
        item, at = self._function(call), {"item_id": self._function(call)["id"], "output_index": self._index}
        begun = {**item, "arguments": "", "status": "in_progress"}
        events += [
            self._event("output_item.added", item=begun, output_index=self._index),
            self._event("function_call_arguments.delta", delta=call.text(), **at),
            self._event("function_call_arguments.done", arguments=call.text(), **at),
            self._event("output_item.done", item=item, output_index=self._index),
        ]
        self._output.append(item)
        return events

    def _function(self, call: PlannedCall) -> dict[str, Any]:
        return {
            "arguments": call.text(), "call_id": call.id, "id": f"fc_{self._number}_{call.index}", "name": call.name,
            "status": "completed", "type": "function_call",
        }  # fmt: skip

    def line(self, line: PlannedLine, wall_ns: int) -> tuple[bytes, ...]:
        """The events of one line: those of items that end and begin with it too."""
        if line.more is not None and line.more.calls:
            return tuple(event for call in line.more.calls for event in self._call(call))
        thinking = line.kind == "thinking"
        events = self._begin("reasoning" if thinking else "message")
        assert self._open is not None
        self._text += line.text
        at = {"delta": line.text, "item_id": self._open[1], "output_index": self._index}
        if thinking:
            return (*events, self._event("reasoning_summary_text.delta", summary_index=0, **at))
        return (*events, self._event("output_text.delta", content_index=0, logprobs=[], **at))

    def _usage(self) -> dict[str, Any]:
        prompt, answer = self._ask.prompt_tokens + self._plan.first_run_tokens, self._plan.counted_tokens
        return {
            "input_tokens": prompt, "input_tokens_details": {"cached_tokens": 0}, "output_tokens": answer,
            "output_tokens_details": {"reasoning_tokens": 0}, "total_tokens": prompt + answer,
        }  # fmt: skip

    def final(self, timing: Timing, wall_ns: int) -> tuple[bytes, ...]:
        """The end of the last item and the whole response: "completed" even when it was cut."""
        events = [event for call in self._plan.last_calls for event in self._call(call)]
        if self._open and self._plan.calls():
            self._output.append(_message(self._open[1], self._text))
            self._open = None
        events = [*self._start(), *events, *self._end()]
        response = self._response("completed", wall_ns // 10**9, self._usage())
        return (*events, self._event("completed", response=response))

    def whole(self, timing: Timing, wall_ns: int) -> bytes:
        """The answer that is not streamed."""
        plan = self._plan
        thinking, text = plan.join("thinking"), plan.join("text")
        self._output += [_reasoning(f"rs_{self._number}", thinking)] if thinking else []
        self._output += [self._function(call) for call in plan.calls()]
        self._output += [_message(f"msg_{self._number}", text)] if text or not plan.calls() else []
        return gojson.encode(self._response("completed", wall_ns // 10**9, self._usage())) + b"\n"

    def write_loaded(self, wall_ns: int) -> bytes:
        """Never said: it has no request that only loads."""
        raise AssertionError("/v1/responses has no request that only loads")

    def write_broken(self, message: str) -> bytes:
        """The last event of a stream whose model died."""
        response = self._response("failed", None, None)
        return self._event("failed", response={**response, "error": {"code": "server_error", "message": message}})

    def garbage(self) -> bytes:
        """An event that is not JSON."""
        return b'event: response.output_text.delta\ndata: {"content_\n\n'

    def write_failed(self, message: str) -> bytes:
        """The body of status 500, when nothing was sent yet."""
        return error_body(500, message)


def _part(text: str) -> dict[str, Any]:
    return {"annotations": [], "logprobs": [], "text": text, "type": "output_text"}


def _reasoning(identity: str, text: str) -> dict[str, Any]:
    summary = [{"text": text, "type": "summary_text"}]
    return {"encrypted_content": text, "id": identity, "summary": summary, "type": "reasoning"}


def _message(identity: str, text: str) -> dict[str, Any]:
    return {"content": [_part(text)], "id": identity, "role": "assistant", "status": "completed", "type": "message"}
