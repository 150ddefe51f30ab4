"""How answers end: what a finish reason means, what is enough of an end, and what is none."""

from dataclasses import replace
from pathlib import Path

import pytest
from captures import read
from literals import CHAT, DONE, FINISH, MS, SENTINEL, USAGE, V1_CHAT, delta, event, line, ndjson, sse

from tokenswarm.metrics.interpret import interpret
from tokenswarm.metrics.record import Identity, Record
from tokenswarm.wire.endings import interpret_reason
from tokenswarm.wire.habits import HABITS
from tokenswarm.wire.values import Api, Failure, Transcript

HI = event(delta(content="hi"))
SAID = line(message={"content": "hi"}, done=False)
# Words of engines and gateways, as their sources and documentation have them.
FAILURES = [
    *("abort", "aborted", "ABORT", "error", "Error", "failed", "failure", "cancelled", "canceled", "USER_CANCEL"),
    *(
        "engine_error",
        "upstream_error",
        "gateway_error",
        "client_error",
        "network_error",
        "server_error",
        "ERROR_TOXIC",
    ),
    *(
        "insufficient_system_resource",
        "resource-exhausted",
        "RESOURCE_EXHAUSTED",
        "rate_limit_exceeded",
        "rate-limited",
    ),
    *("timeout", "timed_out", "TIME_OUT", "deadline_exceeded", "overloaded", "engine_overloaded", "unavailable", "oom"),
    *("MALFORMED_FUNCTION_CALL", "malformed_model_output", "UNEXPECTED_TOOL_CALL", "MISSING_THOUGHT_SIGNATURE"),
    *("modelUnloaded", "unload", "load", "interrupted", "engine_shutdown", "preempted", "exception", "internalError"),
]
ENDS = [
    *("stop", "STOP", "length", "tool_calls", "toolCalls", "function_call", "content_filter", "content-filter", "eos"),
    *(
        "eos_token",
        "stop_sequence",
        "end_turn",
        "max_tokens",
        "MAX_TOKENS",
        "tool_use",
        "refusal",
        "SAFETY",
        "RECITATION",
    ),
    *("sensitive", "model_length", "model_context_window_exceeded", "guardrail_intervened", "eosFound", "COMPLETE"),
]
UNKNOWN = ["OTHER", "unknown", "FINISH_REASON_UNSPECIFIED", "mirrored", "terror", "userStopped", "自然结束", "12", "-"]


@pytest.mark.parametrize("reason", FAILURES)
def test_a_finish_reason_that_names_a_failure_is_one_and_is_named(reason: str) -> None:
    native = line(message={"content": ""}, done=True, done_reason=reason, eval_count=2)
    for api, seen in ((V1_CHAT, sse(HI + event(delta(reason)) + USAGE + SENTINEL)), (CHAT, ndjson(SAID + native))):
        verdict = read(api, seen)[2]
        assert verdict.outcome == "server_error"
        assert reason in verdict.error


@pytest.mark.parametrize("reason", [*ENDS, *UNKNOWN])
def test_any_other_reason_is_an_end(reason: str) -> None:
    assert read(V1_CHAT, sse(HI + event(delta(reason)) + USAGE + SENTINEL))[2].outcome == "ok"
    assert interpret_reason(reason) == ("end" if reason in ENDS else "unknown")


BROKE = Failure("closed", "the server closed the connection in the middle of the answer")
OPEN = {"complete": False, "habits": frozenset({"left_open"})}


@pytest.mark.parametrize(
    ("body", "how", "outcome", "habits"),
    [
        (HI + FINISH + SENTINEL, {}, "ok", ()),
        (HI + FINISH + SENTINEL, {"complete": False, "failure": BROKE}, "ok", ()),
        (HI + FINISH, {}, "ok", ("no_sentinel",)),
        (HI + SENTINEL, {}, "ok", ("no_finish_reason",)),
        (HI + FINISH, OPEN, "ok", ("left_open", "no_sentinel")),
        (HI + FINISH + SENTINEL, OPEN, "ok", ("left_open",)),
        (HI + FINISH, {"complete": False, "failure": BROKE}, "truncated", ()),
        (HI + SENTINEL, {"complete": False, "failure": BROKE}, "truncated", ()),
        (HI, {}, "truncated", ()),
        (FINISH + SENTINEL, {}, "protocol_error", ()),
        (FINISH + USAGE + SENTINEL, {}, "ok", ()),
        (SENTINEL, {}, "protocol_error", ()),
    ],
)
def test_what_is_enough_of_an_end_and_what_is_said_of_it(
    body: bytes, how: dict[str, object], outcome: str, habits: tuple[str, ...]
) -> None:
    record = recorded(V1_CHAT, sse(body, **how))
    assert (record.outcome, record.habits) == (outcome, habits)
    assert bool(record.error) == (outcome != "ok")


@pytest.mark.parametrize(
    ("body", "missing"), [(HI + FINISH, r"without \[DONE\]"), (HI + SENTINEL, "without a finish reason")]
)
def test_a_broken_connection_names_what_was_missing(body: bytes, missing: str) -> None:
    said = recorded(V1_CHAT, sse(body, complete=False, failure=BROKE)).error
    assert said.startswith(BROKE.text)
    assert missing.replace("\\", "") in said


def test_the_answers_own_end_is_the_end_of_its_time() -> None:
    """The body stayed open until the request's time-out, or the end of the run."""
    for failure in (None, Failure("timeout", "no end within 300 s"), Failure("cancelled", "cut")):
        seen = sse(HI, FINISH, SENTINEL, complete=False, failure=failure, ended_ns=300_000 * MS)
        record = recorded(V1_CHAT, seen)
        assert (record.outcome, record.ended_ns) == ("ok", 30 * MS)
    whole = replace(seen, complete=True, failure=None)
    assert recorded(V1_CHAT, whole).ended_ns == 300_000 * MS  # its last byte


def test_nothing_at_all_is_no_answer_natively_either() -> None:
    empty = line(message={"content": ""}, done=True, done_reason="stop")
    assert recorded(CHAT, ndjson(empty)).outcome == "protocol_error"
    assert recorded(CHAT, ndjson(DONE)).outcome == "ok"  # it counts tokens


@pytest.mark.parametrize(
    ("label", "body", "stream", "habits"),
    [
        ("application/json", HI + FINISH + SENTINEL, True, ("mislabelled",)),
        ("", HI + FINISH + SENTINEL, True, ("mislabelled",)),
        ("text/event-stream; charset=utf-8", HI + FINISH + SENTINEL, True, ()),
        (
            "application/json",
            b'{"choices":[{"message":{"content":"hi"},"finish_reason":"stop"}]}',
            True,
            ("not_streamed",),
        ),
        (
            "text/event-stream",
            b'{"choices":[{"message":{"content":"hi"},"finish_reason":"stop"}]}',
            True,
            ("not_streamed",),
        ),
        ("application/json", b'{"choices":[{"message":{"content":"hi"},"finish_reason":"stop"}]}', False, ()),
    ],
)
def test_what_an_answer_was_beside_what_was_asked_and_labelled(
    label: str, body: bytes, stream: bool, habits: tuple[str, ...]
) -> None:
    seen = replace(sse(body), content_type=label)
    assert recorded(V1_CHAT, seen, stream).habits == habits


def test_each_habit_has_its_sentence() -> None:
    assert len({habit.name for habit in HABITS}) == len(HABITS)
    assert all("{figure} %" in habit.what for habit in HABITS)
    for page in ("results.md", "results.zh-CN.md"):
        said = (Path(__file__).parents[3] / "docs" / page).read_text(encoding="utf-8")
        assert all(f"`{habit.name}`" in said for habit in HABITS)


def recorded(api: Api, seen: Transcript, stream: bool = True) -> Record:
    builder, verdict = interpret(api, seen, stream=stream)
    return builder.record(Identity(0, 0, "User", api.PATH, "m", "p", 10), seen, *verdict)
