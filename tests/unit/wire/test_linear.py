"""Reading an answer takes time linear in its length, whatever it holds, and its reader gets a break now and then."""

import json
import time

import pytest

from tokenswarm.metrics.record_builder import RecordBuilder
from tokenswarm.wire import ollama_chat, openai_chat, reading
from tokenswarm.wire.values import Api, Chunk, Transcript

MB = 1_000_000
NDJSON, EVENTS, JSON = "application/x-ndjson", "text/event-stream", "application/json"


def say(text: str) -> bytes:
    return b'{"message":{"content":"' + text.encode() + b'"}}\n'


def call(arguments: str, id: str = "") -> bytes:
    function = {"arguments": arguments}
    return json.dumps({"message": {"tool_calls": [{"id": id, "index": 0, "function": function}]}}).encode() + b"\n"


DEEP = b"[" * 100_000 + b"]" * 100_000
BODIES: dict[str, tuple[str, bytes]] = {
    "tokens": (NDJSON, say("a") * (MB // 30)),
    "blank lines": (NDJSON, b"\n" * MB),
    "white lines": (NDJSON, b" \n" * MB),
    "tags": (NDJSON, say("<think></think>" * 7000) * 9),
    "brackets in one chunk": (NDJSON, say("<" * MB)),
    "brackets, one a chunk": (NDJSON, say("<") * (MB // 30)),
    "deep": (NDJSON, DEEP + b"\n"),
    "deep in a stream": (EVENTS, b"data: " + DEEP + b"\n\n"),
    "deep and whole": (JSON, DEEP),
    "deep objects": (NDJSON, b'{"a":' * 100_000 + b"1" + b"}" * 100_000 + b"\n"),
    "many values on a line": (NDJSON, b"{}" * (MB // 2)),
    "numbers on a line": (NDJSON, b"1 " * (MB // 2)),
    "a number of a million digits": (NDJSON, b"9" * MB + b"\n"),
    "half an emoji": (NDJSON, say("\\\\ud83d" * (MB // 6))),
    "broken characters": (NDJSON, b'{"message":{"content":"' + b"\xff" * MB + b'"}}\n'),
    "a line without end": (NDJSON, b"x" * 17 * MB),
    "comments": (EVENTS, b": \n" * (MB // 3)),
    "data lines": (EVENTS, b"data: {\n" * (MB // 8)),
    "fields": (EVENTS, b"id: 1\n" * (MB // 6)),
    "bare lines": (EVENTS, b": \n{\n" + b"]\n" * (MB // 2)),
    "brackets, one a line": (EVENTS, b": \n" + b"{\n" * (MB // 2)),
    "an object over lines": (JSON, b"{\n" * (MB // 2)),
    "carriage returns": (EVENTS, b"\r" * MB),
    "a page": ("text/html", b"<html>" * (MB // 6)),
    "numbers": (JSON, b'{"message":[' + b"1," * MB + b"1]}"),
    "calls in pieces": (NDJSON, call("x" * 9) * (MB // 60)),
    "calls that may be whole": (NDJSON, call("{") + (call("}") + call("")) * (MB // 120)),
    "calls of new ids": (NDJSON, b"".join(call('"}' if n else '{"a":"', str(n)) for n in range(MB // 60))),
    "tool calls": (NDJSON, b'{"message":{"tool_calls":[' + b'{"function":{"name":"f"}},' * 20_000 + b"{}]}}\n"),
}
CUTS = {"whole": 1 << 30, "finely": 100}


def read(api: Api, body: bytes, label: str, size: int) -> list[Chunk]:
    pieces = [(at + 1, body[at : at + size]) for at in range(0, len(body), size)]
    transcript = Transcript(pieces, status=200, content_type=label, complete=True)
    return list(reading.each_chunk(api, transcript))


@pytest.mark.parametrize("cut", CUTS)
@pytest.mark.parametrize("what", BODIES)
def test_a_megabyte_is_read_in_some_seconds_at_most(what: str, cut: str) -> None:
    """Mostly some 10 ms; or, by the square of its length, minutes. The time between two breaks is bench's to watch."""
    label, body = BODIES[what]
    began_s, found = time.process_time(), read(ollama_chat if label == NDJSON else openai_chat, body, label, CUTS[cut])
    builder = RecordBuilder(streamed=True)
    for chunk in found:
        builder.add(chunk)
    builder.answer()
    assert time.process_time() - began_s < 5  # of our own, whatever else the machine does
