"""Each case of tests/wire_cases has its right value here: how the answer ended, what was said and counted, and when.

A row names only what the case is about. Times are those of `wire_http.transcript`: the head comes 10 ms after the
request was sent, each HTTP chunk 20 ms after the one before, so that the nth chunk's arrival is 10 + 20 n ms.
"""

from pathlib import Path
from typing import Any

import pytest
from wire_http import MS, cases, read

W = "".join(f"w{n} " for n in range(12))  # what most of the cases say, in 12 chunks

# name: what a row must say. `text`, `thinking` and `calls` (name, arguments) are the answer's, `error` a part of the
# row's, `ttft_ms` and `e2e_ms` times; all else is a field of the Record or of its Usage.
COUNTED = {"outcome": "ok", "error": "", "prompt_tokens": 60, "output_tokens": 12}

CALLED = {**COUNTED, "calls": [("get_weather", '{"city": "Paris"}'), ("get_weather", '{"city": "Rome"}')]}

TYPES: dict[str, dict[str, Any]] = {
    "A3-finish-reason-object": {**COUNTED, "finish_reason": "length", "text": W},
    "A4-ollama-made-up-durations": {
        **COUNTED,
        "total_ns": None,
        "load_ns": None,
        "prompt_eval_ns": None,
        "eval_ns": None,
    },
    "A5-tool-calls-no-index": CALLED,
    "A5-tool-calls-same-index": CALLED,
    "B10-ollama-float-durations": {**COUNTED, "total_ns": 300 * MS, "eval_ns": 220 * MS, "load_ns": 2 * MS},
    "B10-ollama-negative-duration": {**COUNTED, "total_ns": 300 * MS, "eval_ns": 220 * MS, "load_ns": None},
    "B10-usage-floats": COUNTED,
    "B10-usage-minus-one": {"outcome": "ok", "text": W, "output_tokens": None, "prompt_tokens": None},
    "B11-content-list": {**COUNTED, "thinking": "w0 w1 w2 w3 w4 w5 ", "text": "w0 w1 w2 w3 w4 w5 "},
    "B11-tool-index-null": CALLED,
    "B12-reasoning-outside-completion": {**COUNTED, "reasoning_tokens": 8},
    "B12-usage-in-choice": COUNTED,
    "B12-usage-in-x-groq": COUNTED,
    "B9-base-resp": {"outcome": "server_error", "error": "insufficient balance"},
    "B9-detail-in-stream": {"outcome": "server_error", "error": "CUDA out of memory"},
    "B9-event-error": {"outcome": "server_error", "error": "Too many requests in queue, please retry later"},
    "B9-llamacpp-native-form": {
        "outcome": "protocol_error",
        "error": "frames of an unknown form (keys content, stop, id_slot)",
    },
    "B9-pretty-error-in-stream": {"outcome": "server_error", "error": "model overloaded"},
    "B13-no-model-list": {"outcome": "ok", "text": W, "output_chunks": 12, "output_tokens": 12, "ttft_ms": 50.0},
    "C2-error-list": {
        "outcome": "http_error",
        "error": "HTTP 429 Resource has been exhausted (e.g. check quota).",
    },
    "C2-html-error-page": {"outcome": "http_error", "error": "HTTP 524 A timeout occurred (an HTML page)"},
    "C3-zero-completion-last": COUNTED,
}

FRAMES: dict[str, dict[str, Any]] = {
    "A7-byte-order-mark": {"outcome": "ok", "text": f"first {W[:-4]}", "output_chunks": 12, "ttft_ms": 30.0},
    "B3-event-stream-labelled-json": {
        "outcome": "ok",
        "text": W,
        "output_chunks": 12,
        "ttft_ms": 50.0,
        "habits": ("mislabelled",),
    },
    "B3-event-stream-without-label": {
        "outcome": "ok",
        "habits": ("mislabelled",),
        "text": W,
        "output_chunks": 12,
        "ttft_ms": 50.0,
    },
    "B3-json-labelled-event-stream": {"outcome": "ok", "text": "w0 w1", "streamed": False, "habits": ("not_streamed",)},
    "B4-events-by-one-newline": {
        "outcome": "ok",
        "text": W,
        "output_chunks": 12,
        "ttft_ms": 30.0,
        "longest_gap_ns": 20 * MS,
    },
    "B4-lines-by-cr": {"outcome": "ok", "text": W, "output_chunks": 12, "ttft_ms": 30.0, "longest_gap_ns": 20 * MS},
    "B5-gzip-stream": {"outcome": "ok", "text": W, "output_chunks": 12, "output_tokens": 12, "habits": ("compressed",)},
    "B6-length-and-chunked": {
        "outcome": "ok",
        "habits": ("length_and_chunked",),
        "text": W,
        "output_chunks": 12,
        "ttft_ms": 50.0,
    },
    "B7-half-a-character": {"outcome": "ok", "text": W[:15] + "\ufffd\ufffd" + W[:15], "output_tokens": 12},
    "B7-raw-tab-in-json": {"outcome": "ok", "text": W[:15] + "a\tb" + W[:18], "output_tokens": 12},
    "C4-content-type-in-trailer": {"outcome": "ok", "text": W, "output_chunks": 12, "ttft_ms": 30.0},
    "B9-pretty-error-in-stream": {"outcome": "server_error", "error": "model overloaded"},
}

ABORTED = {"outcome": "server_error", "text": "w0 w1 w2 ", "output_tokens": 3}

ENDS: dict[str, dict[str, Any]] = {
    "A1-finish-abort": {**ABORTED, "error": "finish_reason abort"},
    "A1-finish-error": {**ABORTED, "error": "finish_reason error"},
    "A1-ollama-done-reason-error": {"outcome": "server_error", "error": "done_reason error", "output_tokens": 12},
    "A6-nothing-in-a-200": {"outcome": "protocol_error", "error": "nothing in it", "output_chunks": 0},
    "A6-ollama-done-reason-load": {"outcome": "server_error", "error": "done_reason load", "output_chunks": 0},
    "A8-last-chunk-repeats-all": {**COUNTED, "text": W, "output_chunks": 12, "habits": ("repeated",), "e2e_ms": 330.0},
    "A9-reasoning-details-only": {**COUNTED, "text": W[:18], "thinking": W[:18], "output_chunks": 12, "ttft_ms": 50.0},
    "B1-buffered-stream": {
        **COUNTED,
        "buffered": True,
        "ttft_ms": None,
        "gaps": {},
        "output_chunks": 12,
        "e2e_ms": 50.0,
    },
    "B2-stream-ignored": {**COUNTED, "streamed": False, "ttft_ms": None, "habits": ("not_streamed",)},
    "B8-done-without-finish-reason": {**COUNTED, "text": W, "habits": ("no_finish_reason",)},
    "C5-two-choices": {"outcome": "ok", "text": W[:18], "output_chunks": 6, "longest_gap_ns": 40 * MS},
    "B8-no-done-sentinel": {**COUNTED, "text": W, "habits": ("no_sentinel",), "e2e_ms": 330.0},
}

# What engines say of their own work; sent and seen as their documentation has it, not tried on the real ones.
ENGINES: dict[str, dict[str, Any]] = {
    "E1-vllm-metrics": {
        **COUNTED,
        "engine": "vLLM",
        "cached_tokens": 32,
        "queue_ns": 10 * MS,
        "prompt_eval_ns": 20 * MS,
        "eval_ns": 220 * MS,
        "ttft_ms": 50.0,
    },
    "E1-lm-studio-stats": {**COUNTED, "engine": "LM Studio", "prompt_eval_ns": 20 * MS, "eval_ns": 220 * MS},
    "E1-sglang-cached": {
        **COUNTED,
        "engine": "SGLang",
        "cached_tokens": 32,
        "reasoning_tokens": 8,
        "queue_ns": 10 * MS,
    },
}

RIGHT = {**TYPES, **FRAMES, **ENDS, **ENGINES}

# Cases about the preflight, the transport or a whole run, which have their tests elsewhere.
ELSEWHERE: dict[str, str] = {  # name: the test file
    **dict.fromkeys(("A2-done-then-open", "A2-finish-then-heartbeats"), "unit/transport/test_transport_ends.py"),
    "C1-keepalives-only": "unit/transport/test_transport_ends.py",
    **dict.fromkeys(
        (name for name in cases() if name.startswith(("B13", "B14", "B15", "B16", "B17", "B18")) and name not in RIGHT),
        "unit/preflight/test_wire_cases.py",
    ),
}


@pytest.mark.parametrize("name", RIGHT)
def test_case(name: str) -> None:
    case = cases()[name]
    outcome, right = read(case), RIGHT[name]
    record, answer = outcome.record, outcome.answer
    times = {"ttft_ms": record.first_output_ns, "e2e_ms": record.ended_ns}
    calls = [(call.name, call.arguments) for call in answer.tool_calls]
    said: dict[str, Any] = {"text": answer.text, "thinking": answer.thinking, "calls": calls}
    said |= {name: None if ns is None else ns / MS for name, ns in times.items()}
    for what, wanted in right.items():
        if what == "error":
            assert wanted in record.error, case.expected
        elif what in said:
            assert said[what] == wanted, f"{what}: {case.expected}"
        else:
            found = getattr(record.usage if hasattr(record.usage, what) else record, what)
            assert found == wanted, f"{what}: {case.expected}"


def test_every_case_has_its_right_value() -> None:
    assert not set(RIGHT) & set(ELSEWHERE)
    assert {*RIGHT, *ELSEWHERE} <= set(cases())
    assert all(name in (Path(__file__).parents[2] / file).read_text() for name, file in ELSEWHERE.items())
