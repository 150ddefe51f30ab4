"""Which models the server claims to have, and what it says about them."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from hashlib import sha256
from time import gmtime, strftime
from typing import Any, Literal

from simulator.faults import FAULTS, SOUND, Fault

Capability = Literal["completion", "thinking", "tools", "vision", "insert", "embedding"]
# How Ollama makes text, thinking and tool calls of what the model says: G = a Go template, N = native, the model file's
# own chat template, B = a built-in parser (qwen3), harmony = that of gpt-oss.
OutputPath = Literal["G", "N", "B", "harmony"]

_MODIFIED_S = 1_795_424_000  # a fixed date: the listing of a simulator should not change from run to run
_PARAMETERS = 1_000_000_000
_SIZE_BYTES, _EMBEDDER_BYTES = 800_000_000, 46_000_000
_CONTEXT_TOKENS, _EMBEDDER_TOKENS = 32_768, 512
_LOADED_CONTEXT_TOKENS = 4096
_ABILITIES: dict[str, Capability] = {"think": "thinking", "tool": "tools", "vision": "vision", "insert": "insert"}
_PATHS: dict[str, OutputPath] = {"native": "N", "qwen3": "B", "harmony": "harmony"}


@dataclass(frozen=True)
class Model:
    """One model: its full name, what it can do, how it speaks and misbehaves, and what /api/show says of it."""

    name: str
    capabilities: tuple[Capability, ...] = ("completion",)
    path: OutputPath = "G"
    fault: Fault = SOUND
    size_bytes: int = _SIZE_BYTES
    context_tokens: int = _CONTEXT_TOKENS  # the most that it can take; what a load gives it is num_ctx
    embedding_length: int = 2048
    parent: str = ""
    blob: str = ""  # the name of the model whose weights these are, if another's
    parameters: Mapping[str, Any] = field(default_factory=dict)
    system: str = ""
    template: str = "{{ .Prompt }}"

    @property
    def thinks(self) -> bool:
        """Whether it can think."""
        return "thinking" in self.capabilities

    @property
    def embeds(self) -> bool:
        """Whether it makes vectors, and nothing else."""
        return "embedding" in self.capabilities


def named(name: str, size_bytes: int | None = None) -> Model:
    """The model of a full name; the words in the name choose what it can do, and several words combine."""
    if "embed" in name:
        return Model(
            name, ("embedding",), size_bytes=size_bytes or _EMBEDDER_BYTES, context_tokens=_EMBEDDER_TOKENS,
            embedding_length=384,
        )  # fmt: skip
    able = tuple(ability for word, ability in _ABILITIES.items() if word in name)
    path: OutputPath = next((path for word, path in _PATHS.items() if word in name), "G")
    return Model(name, ("completion", *able), path, size_bytes=size_bytes or _SIZE_BYTES)


def catalogue(sizes_bytes: Mapping[str, int | None]) -> dict[str, Model]:
    """The models by full name: the given ones with their sizes (`None` = a usual one), then one a fault."""
    sound = [named(name, size_bytes) for name, size_bytes in sizes_bytes.items()]
    faulty = [Model(f"{name}:latest", fault=fault) for name, fault in FAULTS.items()]
    return {model.name: model for model in (*sound, *faulty)}


def full_name(name: str) -> str:
    """A name with its tag, which is `latest` when it has none."""
    return name if ":" in name else f"{name}:latest"


def rfc3339(wall_ns: int) -> str:
    """Wall-clock ns as Go prints time: UTC, up to nine digits of fraction, trailing zeros cut."""
    seconds, fraction = divmod(wall_ns, 1_000_000_000)
    digits = f".{fraction:09d}".rstrip("0").rstrip(".")
    return f"{_second(seconds)}{digits}Z"


@lru_cache(maxsize=4)
def _second(seconds: int) -> str:
    """The date and time of a second; cached, since all lines of a second ask for the same."""
    return strftime("%Y-%m-%dT%H:%M:%S", gmtime(seconds))


def _digest(name: str) -> str:
    return sha256(name.encode()).hexdigest()


def _details() -> dict[str, Any]:
    return {
        "parent_model": "",
        "format": "gguf",
        "family": "sim",
        "families": ["sim"],
        "parameter_size": "1.0B",
        "quantization_level": "Q4_K_M",
    }


def _long_details(model: Model) -> dict[str, Any]:
    lengths = {"context_length": model.context_tokens, "embedding_length": model.embedding_length}
    return {**_details(), **lengths}


def tags(models: Iterable[Model]) -> dict[str, Any]:
    """The body of GET /api/tags."""
    return {
        "models": [
            {
                "name": model.name,
                "model": model.name,
                "modified_at": rfc3339(_MODIFIED_S * 10**9 + 96_519_356),
                "size": model.size_bytes,
                "digest": _digest(model.name),
                "details": _long_details(model),
                "capabilities": list(model.capabilities),
            }
            for model in models
        ]
    }


_NEVER_NS = 11_020_000_000 * 10**9  # Ollama's "for ever" is 292 years ahead: year 2319


def running(resident: Iterable[tuple[str, int | None]], wall_minus_clock_ns: int) -> dict[str, Any]:
    """The body of GET /api/ps from the loader's list, whose times are on the engine's clock."""
    return {
        "models": [
            {
                "name": name,
                "model": name,
                "size": _SIZE_BYTES,
                "digest": _digest(name),
                "details": _details(),
                "expires_at": rfc3339(_NEVER_NS if expires_ns is None else expires_ns + wall_minus_clock_ns),
                "size_vram": 0,
                "context_length": _LOADED_CONTEXT_TOKENS,
            }
            for name, expires_ns in resident
        ]
    }


def show(model: Model) -> dict[str, Any]:
    """The body of POST /api/show."""
    return {
        "modelfile": f'# Modelfile generated by "ollama show"\nFROM {model.name}\n',
        "parameters": "temperature                    1",
        "template": "{{ .Prompt }}",
        "details": _details(),
        "model_info": {
            "general.architecture": "sim",
            "general.parameter_count": _PARAMETERS,
            "sim.block_count": 18,
            "sim.context_length": _CONTEXT_TOKENS,
            "sim.embedding_length": 2048,
        },
        "tensors": [{"name": "output_norm.weight", "type": "F32", "shape": [2048]}],
        "capabilities": list(model.capabilities),
        "modified_at": rfc3339(_MODIFIED_S * 10**9 + 96_519_356),
    }


def openai_model(model_id: str) -> dict[str, Any]:
    """The body of GET /v1/models/NAME, which is also an entry of the list."""
    return {"id": model_id, "object": "model", "created": _MODIFIED_S, "owned_by": "library"}


def openai_list(models: Iterable[Model]) -> dict[str, Any]:
    """The body of GET /v1/models."""
    return {"object": "list", "data": [openai_model(model.name) for model in models]}
