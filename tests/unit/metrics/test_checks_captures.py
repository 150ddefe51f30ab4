"""The checks on the recorded answers of real servers: what was wrong with them, and nothing else."""

import json
from typing import Any

import pytest
from captures import APIS, load, read, transcript

from tokenswarm.metrics.checks.case import Asked, Case
from tokenswarm.metrics.checks.table import judge


def asked(exchange: dict[str, Any]) -> Asked | None:
    """What a recorded request asked for, by its body; None if that is no JSON object."""
    try:
        body = json.loads(exchange["body"])
    except (TypeError, ValueError):
        return None
    if not isinstance(body, dict):
        return None
    options = body.get("options") if isinstance(body.get("options"), dict) else {}
    said = [message.get("content") for message in body.get("messages") or [] if isinstance(message, dict)]
    texts = [body.get("system"), body.get("prompt"), *said]
    wanted = body.get("format") or (body.get("response_format") or {}).get("type")
    return Asked(
        max_tokens=options.get("num_predict") or body.get("max_tokens") or 10**6,
        text="\n\n".join(text for text in texts if isinstance(text, str)),
        format=wanted,
        tools=[tool for tool in body.get("tools") or [] if isinstance(tool, dict)],
        num_ctx=options.get("num_ctx"),
        context_tokens=len(body.get("context") or []),
    )


def failed(name: str) -> set[str]:
    exchange = load()[name]
    wanted = asked(exchange)
    if wanted is None:
        return set()
    seen = transcript(exchange)
    _, builder, verdict = read(APIS[exchange["path"]], seen)
    case = Case(wanted, builder.answer(), verdict.outcome, builder.finish_reason, builder.usage, seen.failure is None)
    return {check for check, failed in judge(case).failed.items() if failed}


FOUND = {
    "chat_ctx_small": {"prompt_truncated"},
    "chat_ctx_small_multi": {"prompt_truncated"},
    "gen_ctx_small_stream": {"prompt_truncated"},
    "v1_too_long": {"prompt_truncated"},
    "v1_maxcompltok": {"repetition"},
    "x_eos_raw_1": {"repetition"},
    "gen_ctx_shift": {"repetition"},
    "gen_repeat_nostream": {"repeat_guard"},
    "think_gen_repeat_stream": {"repeat_guard"},
    "think_chat_cut_stream": {"think_unclosed", "no_visible_answer"},
    "think_chat_cut2_stream": {"no_visible_answer"},  # cut within the opening tag
    "think_chat_never_stream": {"think_unclosed", "no_visible_answer"},
    "think_har_cut_v1_stream": {"no_visible_answer"},
    "think_native_gen_stream": {"think_leaked"},
    "think_leak_base_stream": {"think_leaked"},
    "xl_np1_0": {"think_leaked"},  # <|im_end|>
    "tools_chat_cut_stream": {"no_visible_answer"},
    "tools_chat_unknown_stream": {"no_visible_answer"},  # the call was dropped
    "tools_tagbad_chat_stream": {"no_visible_answer"},
    "tools_har_unknown": {"tool_unknown"},
    "tools_q3_unknown": {"tool_unknown"},
    "x_num_predict_neg1_small_ctx": set(),
    "think_chat_stream": set(),
    "tools_chat_tag_stream": set(),
    "tools_nativestop_chat_stream": set(),
    "tools_v1_tag_stream": set(),
    "gen_schema": set(),
    "gen_ctx_2": set(),  # fed its context
    "gen_cached_2": set(),
    "x_emoji": set(),
}


@pytest.mark.parametrize("name", FOUND)
def test_what_is_wrong_and_nothing_else(name: str) -> None:
    assert failed(name) - {"cut_by_limit"} == FOUND[name]


def test_no_false_alarm_on_what_is_seldom_wrong() -> None:
    """Of all recordings only these have prompts that were cut, guards that struck, tool calls that were bad."""
    rare = {"prompt_truncated", "repeat_guard", "tool_call_invalid", "tool_unknown", "json_invalid", "schema_invalid"}
    named = {name for name, found in FOUND.items() if found & rare}
    assert {name for name in load() if failed(name) & rare} == named
