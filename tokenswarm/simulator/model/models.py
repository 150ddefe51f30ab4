"""A model: what it can do, what it takes in memory."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from time import gmtime, strftime
from typing import Any

from tokenswarm.simulator.model.faults import FAULTS, SOUND, Capability, Fault, OutputPath
from tokenswarm.simulator.model.names import full_name as full_name
from tokenswarm.simulator.settings import LARGEST_CONTEXT_TOKENS

MODIFIED_S = 1_795_424_000  # a fixed date: the listing of a simulator should not change from run to run
_SIZE_BYTES, _EMBEDDER_BYTES = 800_000_000, 46_000_000
_EMBEDDER_TOKENS = 512
_KV_BYTES = 4  # a token and dimension; Ollama reports 34 MB for 4,096 tokens of gemma3-270m
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
    context_tokens: int = LARGEST_CONTEXT_TOKENS  # the most that it can take; what a load gives it is num_ctx
    embedding_length: int = 2048
    modified_ns: int = MODIFIED_S * 10**9 + 96_519_356  # wall clock
    parent: str = ""
    manifest: str = ""  # what its digest is made of, if not of its name: a copy has its source's
    blob: str = ""  # the name of the model whose weights these are, if another's
    parameters: Mapping[str, Any] = field(default_factory=lambda: {"temperature": 1})
    system: str = ""
    template: str = "{{ .Prompt }}"
    converted: bool = False  # from safetensors

    @property
    def thinks(self) -> bool:
        """Whether it can think."""
        return "thinking" in self.capabilities

    @property
    def weights(self) -> str:
        """What is loaded: models made from one another have the same."""
        return self.blob or self.name

    @property
    def embeds(self) -> bool:
        """Whether it makes vectors, and nothing else."""
        return "embedding" in self.capabilities


def make_model(name: str, size_bytes: int | None = None, context: int = 0) -> Model:
    """The model of a full name; the words in the name choose what it can do, and several words combine.

    It takes `context` tokens, if that is more than models usually do.
    """
    if "embed" in name:
        return Model(
            name, ("embedding",), size_bytes=size_bytes or _EMBEDDER_BYTES, context_tokens=_EMBEDDER_TOKENS,
            embedding_length=384, parameters={},
        )  # fmt: skip
    able = tuple(ability for word, ability in _ABILITIES.items() if word in name)
    path: OutputPath = next((path for word, path in _PATHS.items() if word in name), "G")
    most = max(context, LARGEST_CONTEXT_TOKENS)
    return Model(
        name, ("completion", *able), path, size_bytes=size_bytes or _SIZE_BYTES, context_tokens=most,
        converted="safetensors" in name,
    )  # fmt: skip


def catalogue(sizes_bytes: Mapping[str, int | None], context: int = 0) -> dict[str, Model]:
    """The models by full name: the given ones with their sizes (`None` = a usual one), then one a fault."""
    sound = [make_model(name, size_bytes, context) for name, size_bytes in sizes_bytes.items()]
    most = max(context, LARGEST_CONTEXT_TOKENS)
    faulty = [Model(f"{name}:latest", one.able, one.path, one, context_tokens=most) for name, one in FAULTS.items()]
    return {model.name: model for model in (*sound, *faulty)}


def context_tokens(model: Model, asked: int | None, default: int) -> int:
    """The context with which a model is loaded: num_ctx of the request, of the model, or the server's default.

    Never more than the model takes, and never less than Ollama's 4; an embedder always has its own.
    """
    wanted = asked or model.parameters.get("num_ctx") or default
    return model.context_tokens if model.embeds else max(4, min(int(wanted), model.context_tokens))


def memory_bytes(model: Model, context: int) -> int:
    """What a loaded model takes: its weights and the KV cache of its context."""
    return model.size_bytes + context * model.embedding_length * _KV_BYTES


def rfc3339(wall_ns: int) -> str:
    """Wall-clock ns as Go prints time: UTC, up to nine digits of fraction, trailing zeros cut."""
    seconds, fraction = divmod(wall_ns, 1_000_000_000)
    digits = f".{fraction:09d}".rstrip("0").rstrip(".")
    return f"{_second(seconds)}{digits}Z"


@lru_cache(maxsize=4)
def _second(seconds: int) -> str:
    """The date and time of a second; cached, since all lines of a second ask for the same."""
    return strftime("%Y-%m-%dT%H:%M:%S", gmtime(seconds))
