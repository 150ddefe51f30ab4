"""What is asked: a request's body as one value, the same for every API, and what all APIs check in the same way."""

import json
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

from tokenswarm.simulator.api import gojson
from tokenswarm.simulator.model import tokens
from tokenswarm.simulator.model.models import Model, full_name
from tokenswarm.simulator.settings import NS_PER_S, SimulatorSettings, go_duration_ns

Api = Literal["chat", "generate", "v1_chat", "v1_completions", "v1_messages", "v1_responses", "lm_chat"]

_LEVELS = ("high", "medium", "low", "max")
_OPTION_TYPES = {
    "float32": "temperature top_p min_p typical_p repeat_penalty presence_penalty frequency_penalty",
    "integer": "num_predict num_ctx num_keep seed top_k repeat_last_n num_batch num_gpu main_gpu num_thread "
    "draft_num_predict",
    "boolean": "use_mmap",
}
_JSON_KINDS = {"float32": "number", "integer": "number", "boolean": "bool"}
_LEAST_CONTEXT_TOKENS = 256  # llama-server pads what is less
_ENDLESS_CONTEXTS = 10  # a num_predict of -1 ends after so many contexts, by shifting
_ROLES = ("system", "user", "assistant", "tool", "developer")
_LONGEST_NS = 2**63 - 1  # of a duration in Go
IMAGE_TOKENS = 256


class Refused(Exception):
    """An answer with an error status.

    `early` = before the API's own writer: it then lacks the line's end on /v1. `late` = by the model's own server, when
    a stream had been promised: it bears another content type. `whole` = the message is the body.
    """

    def __init__(
        self, status: int, message: str, *, early: bool = False, late: bool = False, whole: bool = False
    ) -> None:
        super().__init__(message)
        self.status, self.message, self.early, self.late, self.whole = status, message, early, late, whole


class Said(NamedTuple):
    """One message as the model reads it: `text` seeds the answer, `tokens` is what it adds to the prompt."""

    role: str
    text: str
    tokens: int
    images: int = 0


@dataclass(frozen=True)
class GenerationRequest:
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
    context: tuple[int, ...] = ()  # token ids that /api/generate was given back
    room: int | None = None  # output tokens that the context has room for
    context_tokens: int | None = None  # the num_ctx that the model must be loaded with
    format: Any = None  # "json", or a schema
    tools: tuple[dict[str, Any], ...] = ()  # name and parameters
    stop: tuple[str, ...] = ()
    top_logprobs: int | None = None  # alternatives a token; `None` = no log probabilities
    temperature: float | None = None
    seed: int | None = None
    rendered: str | None = None  # the prompt, when only that was asked for
    echo: dict[str, Any] = field(default_factory=dict)  # what /v1/responses repeats of the request


def find(name: str, models: dict[str, Model], verb: str) -> Model:
    """The model of that name; Refused if there is none, or it only makes embeddings."""
    model = models.get(full_name(name))
    if model is None:
        raise Refused(404, f"model '{name}' not found")
    if "embedding" in model.capabilities:
        raise Refused(400, f'"{name}" does not support {verb}')
    return model


def keep_alive(value: Any) -> int | None:
    """A keep-alive in any of its forms, ns; ValueError with Go's words."""
    if value is None:
        return None
    if isinstance(value, str):
        return min(go_duration_ns(value), _LONGEST_NS)
    if isinstance(value, int | float) and not isinstance(value, bool):
        return round(max(-_LONGEST_NS, min(value * NS_PER_S, _LONGEST_NS)))
    raise ValueError(f"json: cannot unmarshal {gojson.kind(value)} into Go struct field .keep_alive")


def check_options(options: dict[str, Any]) -> None:
    """Options of a wrong type are a 500 in Ollama, and unknown ones are ignored."""
    for go_type, names in _OPTION_TYPES.items():
        for name in names.split():
            if options.get(name) is not None and gojson.kind(options[name]) != _JSON_KINDS[go_type]:
                raise Refused(500, f'option "{name}" must be of type {go_type}')
    stop = options.get("stop")
    if stop is not None and not isinstance(stop, list):
        raise Refused(500, 'option "stop" must be of type array')
    if stop and not all(isinstance(one, str) for one in stop):
        raise Refused(500, 'option "stop" must be of an array of strings')


def native_thinks(think: Any, name: str, model: Model) -> bool:
    """Whether the model is to think; ValueError or Refused if that cannot be asked."""
    if think is not None and not isinstance(think, bool | str):
        raise ValueError('think must be a boolean or string ("high", "medium", "low", "max", true, or false)')
    if isinstance(think, str) and think not in _LEVELS:
        raise ValueError(f'invalid think value: "{think}" (must be "high", "medium", "low", "max", true, or false)')
    if think and not model.thinks:
        raise Refused(400, f'"{name}" does not support thinking')
    return model.thinks and (think is not False or model.path == "harmony")  # gpt-oss cannot but think


def output_format(value: Any, *, streamed: bool = False) -> Any:
    """ "json", a schema or `None`; Refused if it is neither, by the model's own server."""
    if value in (None, "", "json") or isinstance(value, dict):
        return value or None
    raw = gojson.quote(json.dumps(value, separators=(",", ":")))
    raise Refused(500, f'invalid format: {raw}; expected "json" or a valid JSON Schema object', late=streamed)


def nest_error(message: str, code: int = 400) -> str:
    """An error of the model's own server, as Ollama hands it on: JSON in a string."""
    kind = "invalid_request_error" if code == 400 else "server_error"
    error = {"code": code, "message": message, "type": kind}
    return json.dumps({"error": error}, separators=(",", ":"))


def check_tools(model: Model, name: str, tools: Any, *, logprobs: bool) -> tuple[dict[str, Any], ...]:
    """The functions that the model may call; Refused if it cannot."""
    if not tools:
        return ()
    if "tools" not in model.capabilities:
        raise Refused(400, f"registry.ollama.ai/library/{full_name(name)} does not support tools")
    if logprobs and model.path == "N":
        raise Refused(400, nest_error("logprobs is not supported with tools + stream"), late=True)
    return tuple(tool.get("function") or {} for tool in tools)


def check_images(model: Model, said: list[Said], status: int = 500) -> None:
    """Refused if there is an image and the model cannot see: with 500, by /api/generate with 400."""
    if any(one.images for one in said) and "vision" not in model.capabilities:
        message = "Multimodal data provided, but model does not support multimodal requests."
        raise Refused(status, nest_error(message, status), late=True)


def wants_call(tools: tuple[dict[str, Any], ...], said: list[Said]) -> tuple[dict[str, Any], ...]:
    """The tools, unless the last message is what one of them said: the model then answers in text."""
    return () if said and said[-1].role == "tool" else tools


def join_texts(said: list[Said]) -> str:
    """All that was said, as one text."""
    return "\x1e".join(f"{one.role}\x1f{one.text}" for one in said)


def fit(
    said: list[Said],
    overhead: int,
    model: Model,
    options: dict[str, Any],
    settings: SimulatorSettings,
    body: dict[str, Any],
) -> dict[str, Any]:
    """What context and limits make of a prompt: Ask's prompt_tokens, limit, room and context_tokens.

    A prompt that is too long loses its oldest messages, and its text beyond half of the context: nobody is told.
    Refused if `truncate` in the body forbids that, and by all servers but Ollama.
    """
    cuts = body.get("truncate") is not False and not settings.openai_only
    shifts = body.get("shift") is not False
    wanted = int(options.get("num_ctx") or 0) or settings.context_tokens
    context = max(_LEAST_CONTEXT_TOKENS, min(wanted, model.context_tokens))
    counts = [one.tokens + tokens.MESSAGE_TOKENS for one in said if one.role in _ROLES]
    prompt = overhead + sum(counts) if counts else 1
    if prompt > context and not cuts:
        message = f"request ({prompt} tokens) exceeds the available context size ({context} tokens), try increasing it"
        kind = {"type": "exceed_context_size_error", "n_prompt_tokens": prompt, "n_ctx": context}
        error = {"code": 400, "message": message, **kind}
        raise Refused(400, json.dumps({"error": error}, separators=(",", ":")), whole=settings.openai_only)
    kept = [one for one in said if one.role in _ROLES]
    while prompt > context and len(kept) > 1:
        oldest = next((place for place, one in enumerate(kept[:-1]) if one.role != "system"), None)
        if oldest is None:
            break
        prompt -= kept.pop(oldest).tokens + tokens.MESSAGE_TOKENS
    if prompt > context:
        prompt = context // 2 + 3
    if model.fault.cuts_prompt:
        prompt = max(1, prompt // 4)
    limit = int(options.get("num_predict") or 0)
    room: int | None = max(1, context - prompt)
    if shifts and limit != 0:
        room = None if limit > 0 else _ENDLESS_CONTEXTS * wanted
    return {
        "prompt_tokens": prompt,
        "limit": limit if limit > 0 else None,
        "room": room,
        "context_tokens": int(options["num_ctx"]) if options.get("num_ctx") else None,
    }


def common(options: dict[str, Any]) -> dict[str, Any]:
    """Ask's fields that are options everywhere."""
    seed, temperature = options.get("seed"), options.get("temperature")
    return {
        "stop": tuple(one for one in options.get("stop") or () if one),
        "temperature": None if temperature is None else float(temperature),
        "seed": None if seed is None else int(seed),
    }
