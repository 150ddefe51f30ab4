"""CHECKS: what may be wrong with an answer that looks well, on one screen. A new check is a new row here.

A check reads one answer that has ended and says what is wrong, "" if nothing is, or None where it does not apply.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from tokenswarm.metrics.checks.case import UNJUDGED, Case, CheckResults, arguments, digest, functions, said_bytes
from tokenswarm.metrics.checks.expect import unmet
from tokenswarm.metrics.checks.json_schema import validator
from tokenswarm.metrics.checks.repetition import equal_tokens, repeated_tail

WHITESPACE_RUN = 100
# Only the beginning of a run is tried, or long runs of just less would cost the square of their length.
_RUN = re.compile(rf"(?<!\s)\s{{{WHITESPACE_RUN}}}")
_PAIR = re.compile(r"(?=\s\s)")
_STRAY_TAGS = (
    *("<think>", "</think>", "<thinking>", "</thinking>", "[THINK]", "[/THINK]"),
    *("<|channel|>", "<|message|>", "<|im_start|>", "<|im_end|>"),
)
MOST_NOTES = 200  # characters
# Tokenizers split at white space, so a word is a token or more: the margin is for those few that join words. No
# tokenizer has on average more than four characters of a script without spaces in a token.
TOKENS_A_WORD, WIDE_A_TOKEN = 0.7, 4
LEAST_NUM_CTX = 256  # llama.cpp pads smaller contexts


@dataclass(frozen=True, slots=True)
class Check:
    """`shown` is off for what is no fault of a model or server by itself: the report's table alone has it."""

    name: str
    definition: str
    of: Callable[[Case], str | None]
    shown: bool = True


def judge(case: Case, pause: Callable[[], object] = lambda: None) -> CheckResults:
    """All checks of one answer, with a call of `pause` after each that applies; none of one that failed early."""
    if not case.ok and not (case.outcome == "truncated" and case.clean):
        return UNJUDGED
    failed, notes = {}, []
    for check in CHECKS:
        said = check.of(case)
        if said is not None:
            pause()
            failed[check.name] = int(bool(said))
            if said:
                notes.append(f"{check.name}: {said}")
    text = request = None
    if case.ok and case.asked.request and any(case.answer[:3]):
        text, request = digest(said_bytes(case.answer)), digest(case.asked.request)
    return CheckResults(failed, "; ".join(notes)[:MOST_NOTES], text, request)


def json_invalid(case: Case) -> str | None:
    if not case.asked_json:
        return None
    if not case.answer.text.strip():
        return "empty"
    return case.parsed[1] and case.parsed[1] + (", cut by the limit" if case.cut else "")


def schema_invalid(case: Case) -> str | None:
    asked = case.asked.format
    if not case.asked_json or not isinstance(asked, Mapping) or case.parsed[1]:
        return None
    try:
        return validator(asked)(case.parsed[0])
    except ValueError:
        return None  # a schema that we cannot read is the server's business


def whitespace_runaway(case: Case) -> str | None:
    if not case.asked_json:
        return None
    text = case.answer.text
    # A run holds two neighbours of the characters half its length apart: so few are looked at, in most texts.
    for pair in _PAIR.finditer(text[:: WHITESPACE_RUN // 2]):
        at = pair.start() * (WHITESPACE_RUN // 2)
        between = text[at : at + WHITESPACE_RUN // 2]
        if between.isspace():
            found = _RUN.search(text, max(0, at - WHITESPACE_RUN))
            return f"{WHITESPACE_RUN} or more at {found.start():,} of {len(text):,}" if found else ""
    return ""


def repetition(case: Case) -> str | None:
    answer = case.answer
    if not answer.text and not answer.thinking:
        return None
    for where, text in (("", answer.text), (" in the thinking", answer.thinking)):
        if found := repeated_tail(text):
            piece = " ".join(found.piece.split())[:30]
            return f"{repr(piece) if piece else 'white space'} × {found.times:,}{where}"
    return ""


def repeat_guard(case: Case) -> str | None:
    said = case.answer.text or case.answer.thinking
    if case.ok or not said:
        return "" if said else None
    return "no end after 30 equal tokens" if equal_tokens(said) else ""


def no_visible_answer(case: Case) -> str | None:
    answer = case.answer
    if not case.ok or not case.usage.output_tokens:
        return None
    if answer.text.strip() or answer.tool_calls:
        return ""
    counted = f"{case.usage.output_tokens:,} tokens counted"
    if answer.thinking:
        return f"{counted}, thinking {'cut by the limit' if case.cut else 'never closed'}"
    if answer.text:
        return f"{counted}, only white space{' before the limit' if case.cut else ''}"
    if case.asked.tools:
        return f"{counted}, a tool call was dropped{' or cut' if case.cut else ''}"
    return f"{counted}, nothing said{' before the limit' if case.cut else ''}"


def think_unclosed(case: Case) -> str | None:
    answer = case.answer
    if not case.ok or not answer.thinking:
        return None
    if answer.text.strip() or answer.tool_calls:
        return ""
    return "cut by the limit" if case.cut else f"{len(answer.thinking):,} characters, and then the end"


def think_leaked(case: Case) -> str | None:
    answer = case.answer
    if not case.ok or not (answer.text or answer.thinking):
        return None
    if answer.tagged:
        return "the server left the tags to the client"
    text = answer.text
    if "think" not in text and "THINK" not in text and "<|" not in text:
        return ""
    found = min(((at, tag) for tag in _STRAY_TAGS if (at := text.find(tag)) >= 0), default=None)
    return f"{found[1]} at {found[0]:,}" if found else ""


def cut_by_limit(case: Case) -> str | None:
    if not case.ok or (case.finish_reason is None and not case.has_no_reason):
        return None
    return f"{case.usage.output_tokens or '?'} tokens" if case.cut else ""


def limit_ignored(case: Case) -> str | None:
    tokens = case.usage.output_tokens
    if not case.ok or tokens is None:
        return None
    return f"{tokens:,} tokens, {case.asked.max_tokens:,} allowed" if 0 < case.asked.max_tokens < tokens else ""


def least_tokens(text: str, enough: int) -> int:
    """The fewest tokens that a text can have, whatever the tokenizer; not looked for beyond `enough`."""
    gaps = text.count(" ") + text.count("\n") + text.count("\t")  # far cheaper than words, and seldom fewer
    words = len(text.split()) if TOKENS_A_WORD * (gaps + 1) > enough else 0
    wide = 0 if text.isascii() else (len(text.encode("utf-8", "replace")) - len(text)) // 2
    return max(int(TOKENS_A_WORD * words), wide // WIDE_A_TOKEN)


def prompt_truncated(case: Case) -> str | None:
    tokens, asked = case.usage.prompt_tokens, case.asked
    if not case.ok or tokens is None:
        return None
    if asked.before and tokens < 0.9 * asked.before - 8:
        return f"{tokens:,} tokens, {asked.before:,} the turn before"
    least = max(least_tokens(asked.text, tokens), int(0.9 * asked.context_tokens))
    if tokens < least:
        lost = asked.system and tokens >= least_tokens(asked.text.replace(asked.system, "", 1), tokens)
        without = "; as if without its system message: see the model's template (a bare {{ .Prompt }} drops it)"
        why = without if lost else ""
        return f"{tokens:,} tokens of {least:,} or more{why}"
    num_ctx = max(asked.num_ctx or 0, LEAST_NUM_CTX)
    if asked.num_ctx and (fewest := least_tokens(asked.text, num_ctx)) > num_ctx:
        return f"{fewest:,} tokens or more, num_ctx {num_ctx:,}"
    return ""


def tool_call_invalid(case: Case) -> str | None:
    calls = case.answer.tool_calls
    if not calls:
        return None
    for call in calls:
        value, broken = arguments(call)
        if broken or not isinstance(value, dict):
            return f"{call.name[:40]}: {f'no JSON: {broken}' if broken else 'the arguments are no object'}"
        schema = next((schema for name, schema in functions(case.asked.tools) if name == call.name), None)
        if isinstance(schema, Mapping):
            try:
                wrong = validator(schema)(value)
            except ValueError:
                continue
            if wrong:
                return f"{call.name[:40]}: {wrong}"
    return ""


def tool_unknown(case: Case) -> str | None:
    if not case.answer.tool_calls:
        return None
    offered = {name for name, _ in functions(case.asked.tools)}
    return next((f"{call.name[:40]!r}" for call in case.answer.tool_calls if call.name not in offered), "")


def unexpected(case: Case) -> str | None:
    if not case.ok or not case.asked.expect:
        return None
    for kind, wanted in case.asked.expect:
        value, broken = case.parsed if kind == "schema" else (None, "")
        if wrong := unmet(kind, wanted, case.answer.text, value, broken):
            return wrong
    return ""


def durations_impossible(case: Case) -> str | None:
    return case.doubt


CHECKS: tuple[Check, ...] = (
    Check("json_invalid", "JSON was asked for (format), and the text is none", json_invalid),
    Check("schema_invalid", "JSON that does not fit the schema that was asked for", schema_invalid),
    Check("whitespace_runaway", f"JSON was asked for, and somewhere there are {WHITESPACE_RUN} or more white-space "
        "characters in a row", whitespace_runaway),
    Check("repetition", "the text, or the thinking, ends in one piece said over and over, letter by letter: 160 "
        "characters or more of 6 times or more (480 of 4, 1,500 of 3)", repetition),
    Check("repeat_guard", "the answer ended without a final line after more than 30 equal tokens: Ollama's guard "
        "against repetition", repeat_guard),
    Check("no_visible_answer", "ok, and tokens were counted, but there is neither text nor a tool call: thinking cut "
        "or never closed, a tool call dropped, only white space", no_visible_answer),
    Check("think_unclosed", "the answer ended within its thinking", think_unclosed),
    Check("think_leaked", "thinking tags came in the text, instead of the thinking in a field of its own (we tell "
        "them apart all the same), or a template's marks such as <|im_end|>", think_leaked),
    Check("cut_by_limit", "the answer ended because it had reached a limit (done_reason length, stop_reason "
        "max_tokens): meant so, perhaps", cut_by_limit, shown=False),
    Check("limit_ignored", "more output tokens than the limit that was sent", limit_ignored),
    Check("prompt_truncated", "prompt_tokens below the fewest that the prompt can have (0.7 a word, one for 4 "
        "characters of scripts without spaces), a tenth below the turn's before, or num_ctx below those fewest; a "
        "prompt cut by less is not seen", prompt_truncated),
    Check("tool_call_invalid", "a tool call whose arguments are no JSON object, or do not fit the tool's parameters",
        tool_call_invalid),
    Check("tool_unknown", "a tool call that names a tool that was not offered", tool_unknown),
    Check("durations_impossible", "the server's durations cannot be: longer than e2e, less than the parts they are "
        "the sum of, shorter than the client's own time from the first to the last chunk, under 10 µs a token; they, "
        "and rates of them, are left out", durations_impossible),
    Check("unexpected", "not what --expect, or the prompt's expect, says", unexpected),
)  # fmt: skip
