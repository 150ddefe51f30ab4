"""What the simulated server is: every number of its model of time, as one frozen value read from the command line."""

import argparse
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tokenswarm.simulator.model.names import full_name

NS_PER_S = 1_000_000_000
NS_PER_MS = 1_000_000
ENGINES = ("vllm", "llama.cpp", "lm-studio", "sglang")
LARGEST_CONTEXT_TOKENS = 32_768  # that a model can take, unless more is given

_MINUTE_NS = 60 * NS_PER_S
_GO_UNITS_NS = {
    "ns": 1,
    "us": 1_000,
    "µs": 1_000,
    "ms": NS_PER_MS,
    "s": NS_PER_S,
    "m": _MINUTE_NS,
    "h": 60 * _MINUTE_NS,
}
_GO_DURATION = re.compile(r"([+-]?)((?:\d+(?:\.\d*)?|\.\d+)(?:ns|us|µs|ms|s|m|h))+")
_GO_PART = re.compile(r"(\d+(?:\.\d*)?|\.\d+)(ns|us|µs|ms|s|m|h)")
_UNITS_BYTES = {"": 1, "b": 1, "kb": 10**3, "mb": 10**6, "gb": 10**9, "kib": 2**10, "mib": 2**20, "gib": 2**30}
_MODELS_HELP = (
    "comma-separated, a size may follow (a=4gb); words in a name say what it can do: think, tool, vision, insert, "
    "embed, safetensors; native, qwen3, harmony choose how its output is told apart"
)
_MODELS = "sim,sim-think,sim-tools,sim-vision,sim-embed"


@dataclass(frozen=True)
class SimulatorSettings:
    """The simulated server; rates in tokens per second, times in the unit of the name, `None` = off."""

    host: str = "127.0.0.1"
    port: int = 11434
    models: Mapping[str, int | None] = field(default_factory=lambda: _models(_MODELS))  # full name: size, bytes
    version: str = "0.32.15"
    seed: int = 0
    parallel: int = 4
    max_queue: int = 512
    max_waiting: int | None = None
    load_ms: float = 500.0
    keep_alive_ns: int = 300 * NS_PER_S
    prefill_tps: float = 4000.0
    decode_tps: float = 50.0
    slowdown: float = 0.02
    context_tokens: int = 4096
    output_tokens: float = 120.0
    output_cv: float = 0.5
    merge: float = 0.03
    prompt_cache: bool = True
    cache_tokens: int = 1_000_000
    memory_bytes: int | None = None
    max_loaded_models: int | None = None
    vram: float = 0.0
    registry: bool = False
    racing_deletes: bool = False
    cached_tokens_in_usage: bool = False
    stall_s: float = 30.0
    api_key: str | None = None
    openai_only: bool = False
    engine: str = ""
    truth: Path | None = None
    tls_cert: Path | None = None
    tls_key: Path | None = None

    @property
    def tells_cached(self) -> bool:
        """Does an Ollama of this version say how much of a prompt it had cached? Since 0.33.3."""
        numbers = tuple(int(part) for part in re.findall(r"\d+", self.version.partition("-")[0])[:3])
        return numbers >= (0, 33, 3)


def go_duration_ns(text: str) -> int:
    """Read a Go duration such as "10m", "-1m", "1h30m" or "0" into ns; ValueError with Go's words if it is none."""
    if text in ("0", "+0", "-0"):
        return 0
    if not _GO_DURATION.fullmatch(text):
        missing_unit = re.fullmatch(r"[+-]?\d+(\.\d*)?", text) is not None
        what = "missing unit in duration" if missing_unit else "invalid duration"
        raise ValueError(f'time: {what} "{text}"')
    total_ns = sum(float(value) * _GO_UNITS_NS[unit] for value, unit in _GO_PART.findall(text))
    return round(-total_ns if text.startswith("-") else total_ns)


def _number(minimum: float, *, above: bool = False, maximum: float = math.inf) -> "type[float]":
    """A reader of finite numbers for argparse; `above` excludes the minimum itself."""

    def read(text: str) -> float:
        value = float(text)
        if not math.isfinite(value) or value < minimum or (above and value == minimum) or value > maximum:
            raise ValueError(text)
        return value

    read.__name__ = f"number {'above' if above else 'of at least'} {minimum:g}"
    if maximum != math.inf:
        read.__name__ += f" and at most {maximum:g}"
    return read  # type: ignore[return-value]  # argparse wants a callable; its stub accepts a type


def _whole(minimum: int, maximum: int = 2**31) -> "type[int]":
    """A reader of whole numbers for argparse."""

    def read(text: str) -> int:
        value = int(text)
        if not minimum <= value <= maximum:
            raise ValueError(text)
        return value

    read.__name__ = f"whole number from {minimum} to {maximum}"
    return read  # type: ignore[return-value]  # as above


def _keep_alive(text: str) -> int:
    try:
        return go_duration_ns(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{error} (say 5m, 90s, 0 or -1m for ever)") from None


def _size(text: str) -> int:
    """A size such as 4gb, 512mib or 1000 in bytes."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([kmg]?i?b?)", text.strip().lower())
    if match is None or match[2] not in _UNITS_BYTES or not float(match[1]):
        raise argparse.ArgumentTypeError(f"{text!r} is not a size (say 4gb, 512mb, 2.5gib)")
    return round(float(match[1]) * _UNITS_BYTES[match[2]])


def _models(text: str) -> dict[str, int | None]:
    named = [name.strip() for name in text.split(",") if name.strip()]
    if not named:
        raise argparse.ArgumentTypeError("name at least one model")
    if any(name.startswith("fault-") for name in named):
        raise argparse.ArgumentTypeError("names that begin with fault- are taken: those models are always there")
    sizes: dict[str, int | None] = {}
    for one in named:
        name, _, size = one.partition("=")
        sizes[full_name(name)] = _size(size) if size else None
    return sizes


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> None:  # type: ignore[override]  # it never returns, which None may say too
        """One line and exit code 2: the usage of thirty options would hide what is wrong."""
        self.exit(2, f"simulator: {message}\n")


def parser() -> argparse.ArgumentParser:
    """The command line of `python -m tokenswarm.simulator`."""
    at = _Parser(
        prog="python -m tokenswarm.simulator",
        description="An Ollama- and OpenAI-compatible server that answers on a known schedule.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
        allow_abbrev=False,
    )
    d = SimulatorSettings()
    add = at.add_argument
    add("--host", default=d.host, help="address to listen on")
    add("--port", type=_whole(0, 65535), default=d.port, help="TCP port, 0 = any free one")
    add("--models", type=_models, default=_MODELS, help=_MODELS_HELP)
    add(
        "--version",
        default=d.version,
        help="the version that /api/version reports; from 0.33.3 on answers say what was cached",
    )
    add("--seed", type=int, default=d.seed, help="seed of lengths and texts")
    add("--parallel", type=_whole(1), default=d.parallel, help="slots: requests generated at once")
    add("--max-queue", type=_whole(0), default=d.max_queue, help="requests that may wait for a model load, then 503")
    add("--max-waiting", type=_whole(0), default=None, help="requests that may wait for a slot, then 503")
    add("--load-ms", type=_number(0), default=d.load_ms, help="time to load a model, ms")
    add("--keep-alive", type=_keep_alive, dest="keep_alive_ns", default="5m", help="how long an idle model stays")
    add("--prefill-tps", type=_number(0, above=True), default=d.prefill_tps, help="prompt tokens per second")
    add("--decode-tps", type=_number(0, above=True), default=d.decode_tps, help="output tokens per second, alone")
    add("--slowdown", type=_number(0), default=d.slowdown, help="how much longer a step gets per further busy slot")
    add("--output-tokens", type=_number(2), default=d.output_tokens, help="mean natural length, tokens (lognormal)")
    add("--output-cv", type=_number(0), default=d.output_cv, help="its standard deviation / mean")
    add("--merge", type=_number(0, maximum=1), default=d.merge, help="share of lines that hold several tokens")
    add("--no-prompt-cache", dest="prompt_cache", action="store_false", help="a repeated prompt costs its full prefill")
    add("--cache-tokens", type=_whole(1), default=d.cache_tokens, help="prompt tokens that a loaded model remembers")
    add("--memory", type=_size, dest="memory_bytes", default=None, help="for all loaded models, such as 8gb")
    add("--max-loaded-models", type=_whole(1), default=None, help="models in memory at once, whatever their sizes")
    context = f"default num_ctx (unless given {d.context_tokens}, with --openai-only {LARGEST_CONTEXT_TOKENS})"
    add("--context-length", type=_whole(4), dest="context_tokens", default=None, help=context)
    add("--vram", type=_number(0, maximum=1), default=d.vram, help="share of a model that /api/ps shows in VRAM")
    add("--registry", action="store_true", help="pull and push reach a registry, which has all models named reg-...")
    races = "a delete while models change fails, as Ollama's do; a copy or create that is cut goes on"
    add("--racing-deletes", action="store_true", help=races)
    add("--cached-tokens-in-usage", action="store_true", help="with --openai-only: usage tells cached prompt tokens")
    add("--stall-s", type=_number(0), default=d.stall_s, help="how long fault-stall and fault-slow-headers wait, s")
    add("--api-key", default=None, help="demand Authorization: Bearer KEY")
    add("--openai-only", action="store_true", help="no /api; headers and a role chunk before prefill, as vLLM does")
    engine = "--openai-only as this engine: whose models they are, and what it says of its own work in its answers"
    add("--engine", choices=ENGINES, default="", help=engine)
    add("--truth", type=Path, default=None, help="write what was really sent, and when, to this JSONL file")
    add("--tls-cert", type=Path, default=None, help="certificate chain, PEM")
    add("--tls-key", type=Path, default=None, help="its private key, PEM")
    return at


def from_args(argv: Sequence[str] | None = None) -> SimulatorSettings:
    """Read the command line; a bad value prints one line to stderr and exits with 2."""
    at = parser()
    given = at.parse_args(argv)
    given.openai_only = given.openai_only or bool(given.engine)
    if given.context_tokens is None:  # Ollama gives a model little of what it can take, others all of it
        given.context_tokens = LARGEST_CONTEXT_TOKENS if given.openai_only else SimulatorSettings.context_tokens
    settings = SimulatorSettings(**vars(given))
    if (settings.tls_cert is None) != (settings.tls_key is None):
        at.error("--tls-cert and --tls-key go together")
    for path in (settings.tls_cert, settings.tls_key):
        if path is not None and not path.is_file():
            at.error(f"no such file: {path}")
    return settings
