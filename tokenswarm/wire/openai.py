"""What the OpenAI-compatible endpoints share: request fields, `usage`, the engines' own numbers, errors."""

from collections.abc import Mapping
from typing import Any

from tokenswarm.payloads.prompt import Prompt
from tokenswarm.wire import errors, lenient
from tokenswarm.wire.body import encode_body
from tokenswarm.wire.engines.table import ENGINES, own_numbers
from tokenswarm.wire.numbers import count
from tokenswarm.wire.values import Ask, Call, Chunk, Usage

# Some refuse to answer with what is not accepted, and an error or an answer in one piece is no stream of events.
HEADERS = (("Content-Type", "application/json"), ("Accept", "text/event-stream, application/json"))
# What servers call the counts: OpenAI's name first, then Anthropic's, which some gateways keep. Cached: beside the
# details, as Moonshot, DeepSeek and Anthropic have it. Other gateways write as Java and Google do.
_PROMPT = ("prompt_tokens", "input_tokens", "promptTokens", "inputTokens", "promptTokenCount")
_OUTPUT = ("completion_tokens", "output_tokens", "completionTokens", "outputTokens", "candidatesTokenCount")
_REASONING, _TOTAL = ("reasoning_tokens", "thoughtsTokenCount"), ("total_tokens", "totalTokens", "totalTokenCount")
_USAGES = ("usage", "usageMetadata", "usage_metadata", "token_usage")
_CACHED = ("cached_tokens", "prompt_cache_hit_tokens", "cache_read_input_tokens", "cachedContentTokenCount")
_SAID = ("usage", *ENGINES)
_ODD = frozenset((*_SAID, "error"))


def call(path: str, prompt: Prompt, ask: Ask, asked: dict[str, Any]) -> Call:
    """The POST with what both endpoints take.

    `max_tokens`, not `max_completion_tokens` unless it is wanted, which Ollama ignores; `include_usage`, since tokens
    are never guessed.
    """
    given = {**ask.options, **ask.fields, **prompt.options, **prompt.fields}
    body: dict[str, Any] = {"model": ask.model, **asked, **given}
    if (limit := ask.limit(prompt)) is not None:
        body[ask.limit_as] = limit
    body.pop("num_predict", None)
    if (think := body.pop("think", None)) is not None:
        body["reasoning_effort"] = effort(think)
    body["stream"] = ask.stream
    if ask.stream:
        body["stream_options"] = {"include_usage": True}
    if prompt.format is not None:
        body["response_format"] = response_format(prompt.format)
    return Call("POST", path, HEADERS, encode_body(body, given))


def response_format(wanted: object) -> dict[str, Any]:
    """Ollama's `format` ("json" or a schema) as OpenAI's `response_format`."""
    if isinstance(wanted, Mapping):
        return {"type": "json_schema", "json_schema": {"name": "answer", "schema": dict(wanted)}}
    return {"type": "json_object"}


def effort(think: bool | str) -> str:
    """`think` as `reasoning_effort`: Ollama ignores `think` itself on /v1."""
    return think if isinstance(think, str) else "medium" if think else "none"


def choice(frame: dict[str, Any]) -> dict[str, Any]:
    """The first choice, or an empty one: the usage chunk has none. Ollama ignores `n`, and we never ask for more."""
    choices = frame.get("choices")
    if type(choices) is list and len(choices) == 1 and type(choices[0]) is dict:
        return choices[0]
    if isinstance(choices, list) and len(found := [one for one in choices if isinstance(one, dict)]) > 1:
        return min(found, key=number) | {"habit": "other_choices"}
    return lenient.first(choices)


def finish_reason(reason: object) -> str | None:
    """Why the answer ended; some write "null" for not yet."""
    word = reason if type(reason) is str else lenient.label(reason)
    return None if word in ("null", "None", "") else word


def number(choice: dict[str, Any]) -> int:
    """Which choice it is; 0 where it does not say."""
    index = choice.get("index", 0)
    return index if type(index) is int else count(index) or 0


def is_plain(frame: dict[str, Any], choice: dict[str, Any]) -> bool:
    """Does a frame with this choice alone say nothing of its end, of counts, of errors or of other choices?"""
    if type(choice) is not dict or choice.get("finish_reason") is not None or choice.get("index", 0) != 0:
        return False
    odd = not _ODD.isdisjoint(frame) and any(map(frame.get, _ODD))  # some say "usage": null in each
    return not odd and not choice.get("error") and "habit" not in choice


def counts(frame: dict[str, Any]) -> bool:
    """Does a frame that ends nothing bear numbers?"""
    return any(map(frame.get, _SAID))


def error(ns: int, frame: dict[str, Any], choice: dict[str, Any] | None = None) -> Chunk | None:
    """A chunk for an error object inside a 200, of whatever form, or for an error in the choice (OpenRouter)."""
    said = errors.find_error(frame)
    if said is None and choice and choice.get("error"):
        said = errors.find_error({"error": choice["error"]})
    return None if said is None else Chunk(ns, error=said)


def usage(frame: dict[str, Any], choice: Mapping[str, Any] | None = None) -> Usage | None:
    """`usage` and an engine's own numbers together; None if the frame, in which an answer ends, has neither.

    Moonshot says `usage` in the choice, Groq in `x_groq`, others in an object of their own.
    """
    said, choice = frame.get("usage"), choice or {}
    own = own_numbers(frame, choice)
    if said or own:
        return _usage(lenient.as_mapping(said), own or Usage())
    places = (frame, choice, *(value for value in (*choice.values(), *frame.values()) if isinstance(value, dict)))
    named = (lenient.as_mapping(place.get(name)) for place in places for name in _USAGES)
    elsewhere = next(filter(None, named), None) or ({} if choice else frame)  # of an event of its own, alone
    return _usage(elsewhere, Usage()) if elsewhere else None


def _usage(said: dict[str, Any], own: Usage) -> Usage | None:
    """None also of the zeros that Ollama's /v1/completions puts on every chunk before the last."""
    prompt_tokens, output_tokens = (_first(said, names) for names in (_PROMPT, _OUTPUT))
    total = _first(said, _TOTAL)
    if not total and not prompt_tokens and not output_tokens and own == Usage():
        return None
    cached = _first(lenient.as_mapping(_details(said, _PROMPT)), ("cached_tokens",))
    cached = _first(said, _CACHED) if cached is None else cached
    reasoning = _first(lenient.as_mapping(_details(said, _OUTPUT)), ("reasoning_tokens",))
    reasoning = _first(said, _REASONING) if reasoning is None else reasoning
    if output_tokens is not None and reasoning and _outside(prompt_tokens, output_tokens, reasoning, total):
        output_tokens += reasoning
    numbers = own._replace(
        prompt_tokens=own.prompt_tokens if prompt_tokens is None else prompt_tokens,
        output_tokens=own.output_tokens if output_tokens is None else output_tokens,
        cached_tokens=own.cached_tokens if cached is None else cached,
        source=own.source if output_tokens is None else "usage",
        reasoning_tokens=own.reasoning_tokens if reasoning is None else reasoning,
    )
    return None if numbers == Usage() else numbers


def _outside(prompt: int | None, output: int, reasoning: int, total: int | None) -> bool:
    """Does the output leave the reasoning out, as xAI's does? The total tells, or more reasoning than output."""
    return reasoning > output or (prompt is not None and total == prompt + output + reasoning)


def _first(said: dict[str, Any], names: tuple[str, ...]) -> int | None:
    """The first of some counts that is there."""
    return next((found for name in names if (found := count(said.get(name))) is not None), None)


def _details(said: dict[str, Any], names: tuple[str, ...]) -> object:
    return next((found for name in names if (found := said.get(f"{name}_details"))), None)
