"""What is asked: a request's body as one value, the same for every API, or the error that Ollama answers."""

from dataclasses import dataclass
from typing import Any, Literal

from simulator import gojson, tokens
from simulator.models import Model, full_name
from simulator.settings import NS_PER_S, go_duration_ns

Api = Literal["chat", "generate", "v1_chat", "v1_completions"]

_LEVELS = ("high", "medium", "low", "max")
_EFFORTS = ("minimal", "low", "medium", "high", "xhigh", "ultra", "max", "none")
_FLOAT_OPTIONS = ("temperature", "top_p", "min_p", "repeat_penalty", "presence_penalty", "frequency_penalty")
_INT_OPTIONS = ("num_predict", "num_ctx", "num_keep", "seed", "top_k", "repeat_last_n", "num_batch", "num_gpu")


class Refused(Exception):
    """An answer with an error status. `early` = before the API's own writer: it then lacks the line's end on /v1."""

    def __init__(self, status: int, message: str, *, early: bool = False) -> None:
        super().__init__(message)
        self.status, self.message, self.early = status, message, early


@dataclass(frozen=True)
class Ask:
    """One generation request."""

    api: Api
    name: str  # as the client wrote it: the answer repeats it
    model: Model
    prompt: str  # all that the model reads, for counting and for seeding
    prompt_tokens: int
    limit: int | None  # output tokens; `None` = until it ends by itself
    stream: bool
    thinks: bool
    keep_alive_ns: int | None = None  # negative = for ever
    include_usage: bool = False
    raw: bool = False
    only_loads: bool = False


def read(api: Api, body: bytes, models: dict[str, Model]) -> Ask:
    """Read a request's body; Refused with Ollama's status and words."""
    try:
        fields = gojson.decode(body)
        return _READERS[api](api, fields, models)
    except ValueError as error:
        raise Refused(400, str(error), early=True) from None


def _find(name: str, models: dict[str, Model]) -> Model:
    model = models.get(full_name(name))
    if model is None:
        raise Refused(404, f"model '{name}' not found")
    return model


def keep_alive(value: Any) -> int | None:
    """A keep_alive as ns, negative = for ever, `None` = none given; ValueError with Go's words."""
    if value is None:
        return None
    if isinstance(value, str):
        return go_duration_ns(value)
    if isinstance(value, int | float) and not isinstance(value, bool):
        return round(value * NS_PER_S)
    raise ValueError(f"json: cannot unmarshal {gojson.kind(value)} into Go struct field .keep_alive")


def _check_options(options: dict[str, Any]) -> None:
    """Options of a wrong type are a 500 in Ollama, and unknown ones are ignored."""
    for names, go_type in ((_FLOAT_OPTIONS, "float32"), (_INT_OPTIONS, "integer")):
        for name in names:
            if name in options and gojson.kind(options[name]) != "number":
                raise Refused(500, f'option "{name}" must be of type {go_type}')


def _native_thinks(think: Any, name: str, model: Model) -> bool:
    if think is not None and not isinstance(think, bool | str):
        raise ValueError('think must be a boolean or string ("high", "medium", "low", "max", true, or false)')
    if isinstance(think, str) and think not in _LEVELS:
        raise ValueError(f'invalid think value: "{think}" (must be "high", "medium", "low", "max", true, or false)')
    if think and not model.thinks:
        raise Refused(400, f'"{name}" does not support thinking')
    return model.thinks and think is not False


def _messages_text(messages: list[Any], *, parts: bool) -> tuple[str, int]:
    """All that the messages say, and how many they are; ValueError when one is malformed."""
    said: list[str] = []
    for message in messages:
        if not isinstance(message, dict):
            raise ValueError(f"json: cannot unmarshal {gojson.kind(message)} into Go value of type api.Message")
        content = message.get("content")
        if isinstance(content, list) and parts:
            content = "".join(str(part.get("text", "")) for part in content if isinstance(part, dict))
        if content is not None and not isinstance(content, str):
            raise ValueError(
                f"json: cannot unmarshal {gojson.kind(content)} into Go struct field Alias.content of type string"
            )
        earlier = message.get("thinking") or message.get("reasoning") or ""
        said.append(f"{message.get('role', '')}\x1f{earlier}{content or ''}")
    return "\x1e".join(said), len(said)


def _count(text: str) -> int:
    """Tokens of joined messages: the marks and role names between them are the template's."""
    return sum(tokens.count_tokens(part.partition("\x1f")[2]) for part in text.split("\x1e"))


def _native_limit(options: dict[str, Any]) -> int | None:
    limit = int(options.get("num_predict") or 0)
    return limit if limit > 0 else None  # 0 and -1 mean no limit


def _native_chat(api: Api, body: dict[str, Any], models: dict[str, Model]) -> Ask:
    gojson.check_types(
        body, "ChatRequest", {"model": "string", "messages": "array", "stream": "bool", "options": "object"}
    )
    keep_alive_ns = keep_alive(body.get("keep_alive"))
    name = body.get("model") or ""
    if not name:
        raise ValueError("model is required")
    text, number = _messages_text(body.get("messages") or [], parts=False)
    model = _find(name, models)
    thinks = _native_thinks(body.get("think"), name, model)
    if body.get("tools"):
        raise Refused(400, f"registry.ollama.ai/library/{full_name(name)} does not support tools")
    options = body.get("options") or {}
    _check_options(options)
    return Ask(
        api, name, model, text, tokens.TEMPLATE_TOKENS + tokens.MESSAGE_TOKENS * number + _count(text),
        _native_limit(options), body.get("stream") is not False, thinks, keep_alive_ns, only_loads=not number,
    )  # fmt: skip


def _native_generate(api: Api, body: dict[str, Any], models: dict[str, Model]) -> Ask:
    strings = dict.fromkeys(("model", "prompt", "system", "suffix", "template"), "string")
    gojson.check_types(body, "GenerateRequest", {**strings, "stream": "bool", "raw": "bool", "options": "object"})
    keep_alive_ns = keep_alive(body.get("keep_alive"))
    name = body.get("model") or ""
    model = _find(name, models)
    thinks = _native_thinks(body.get("think"), name, model)
    if body.get("suffix"):
        raise Refused(400, f"registry.ollama.ai/library/{full_name(name)} does not support insert")
    options = body.get("options") or {}
    _check_options(options)
    prompt, system, raw = body.get("prompt") or "", body.get("system") or "", bool(body.get("raw"))
    overhead = tokens.BOS_TOKENS if raw else tokens.TEMPLATE_TOKENS + tokens.MESSAGE_TOKENS * (2 if system else 1)
    context = body.get("context") if isinstance(body.get("context"), list) else None
    counted = tokens.count_tokens(prompt) + tokens.count_tokens(system) + len(context or [])
    text = f"{system}\x1e{prompt}\x1e{context}" if system or context else prompt
    return Ask(
        api, name, model, text, overhead + counted, _native_limit(options), body.get("stream") is not False, thinks,
        keep_alive_ns, raw=raw, only_loads=not prompt,
    )  # fmt: skip


def _openai(api: Api, body: dict[str, Any], models: dict[str, Model]) -> Ask:
    struct = "ChatCompletionRequest" if api == "v1_chat" else "CompletionRequest"
    types = {"model": "string", "stream": "bool", "max_tokens": "number", "stream_options": "object"}
    gojson.check_types(body, struct, types | ({"messages": "array"} if api == "v1_chat" else {"prompt": "string"}))
    effort = body.get("reasoning_effort") or (body.get("reasoning") or {}).get("effort")
    if effort is not None and effort not in _EFFORTS:
        words = ", ".join(f'"{one}"' for one in _EFFORTS[:-1])
        raise ValueError(f'invalid reasoning value: "{effort}" (must be {words}, or "none")')
    if api == "v1_chat":
        if not body.get("messages"):
            raise ValueError("[] is too short - 'messages'")
        text, number = _messages_text(body["messages"], parts=True)
        prompt_tokens = tokens.TEMPLATE_TOKENS + tokens.MESSAGE_TOKENS * number + _count(text)
    else:
        text = body.get("prompt") or ""
        prompt_tokens = tokens.TEMPLATE_TOKENS + tokens.MESSAGE_TOKENS + tokens.count_tokens(text)
    name = body.get("model") or ""
    if not name:
        raise Refused(400, "model is required")
    model = _find(name, models)
    if effort not in (None, "none") and not model.thinks:
        raise Refused(400, f'"{name}" does not support thinking')
    # max_completion_tokens is ignored, as Ollama does: only max_tokens limits.
    limit = body.get("max_tokens") or 0
    include_usage = (body.get("stream_options") or {}).get("include_usage") is True
    return Ask(
        api, name, model, text, prompt_tokens, int(limit) if limit > 0 else None, body.get("stream") is True,
        model.thinks and effort != "none", include_usage=include_usage,
    )  # fmt: skip


_READERS = {"chat": _native_chat, "generate": _native_generate, "v1_chat": _openai, "v1_completions": _openai}
