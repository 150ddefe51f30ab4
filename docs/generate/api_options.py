"""The part of docs/api.md about our options: what each drives, what is measured by it, what a wrong value gets."""

from argparse import ArgumentTypeError
from types import SimpleNamespace
from typing import Any, NamedTuple

from tokenswarm.preflight.prepare import offline
from tokenswarm.settings import options
from tokenswarm.settings.errors import UsageError

MASTERS = "Set by the master"
# Values that are wrong where "many" would not be.
WRONG: dict[str, str] = {
    "--payloads": "nowhere.jsonl",
    "--header": "nocolon",
    "--slo": "fast",
    "--think-time": "soon",
    "--warmup": "soon",
    "--api-key": "two words",
    "--arrivals": "sometimes",
    "--trace": "nowhere.csv",
}
MEASURED: dict[str, tuple[str, ...]] = {
    "--payloads": ("prompt_tokens",),
    "--max-tokens": ("output_tokens", "cut_by_limit", "limit_ignored"),
    "--expect": ("unexpected",),
    "--batch-size": ("batch_size", "vectors_per_s"),
    "--no-stream": ("e2e_ms",),
    "--think": ("thinking_chars", "ttfa_ms"),
    "--unique-prompts": ("prompt_tokens_per_s", "cached_tokens"),
    "--history": ("prompt_tokens", "ttft_ms"),
    "--history-thinking": ("prompt_tokens", "ttft_ms"),
    "--no-context": ("prompt_tokens", "prompt_eval_ms"),
    "--tool-result": ("tool_calls", "ttft_ms"),
    "--tool-rounds": ("tool_calls", "ttft_ms"),
    "--new-connection": ("connect_ms",),
    "--connect-timeout": ("connect_ms",),
    "--first-byte-timeout": ("first_byte_ms",),
    "--request-timeout": ("e2e_ms",),
    "--max-answer-bytes": ("text_chars",),
    "--arrivals": ("lateness_ms", "response_ms"),
    "--max-in-flight": ("lateness_ms", "response_ms"),
    "--trace": ("lateness_ms", "response_ms", "prompt_tokens", "output_tokens"),
    "--speed": ("lateness_ms", "response_ms"),
    "--trace-scale-tokens": ("prompt_tokens", "output_tokens"),
    "--cold-keep-alive": ("load_ms",),
    "--warm-requests": ("load_ms",),
    "--output-tokens": ("output_tokens",),
    "--prompt-tokens": ("prompt_tokens", "ttft_ms"),
    "--shared-prefix-tokens": ("prompt_tokens", "cached_tokens"),
    "--prefix-pool": ("cached_tokens", "prompt_eval_ms"),
    "--pull": ("e2e_ms",),
    "--push": ("e2e_ms",),
}


class OptionRow(NamedTuple):
    """An option; `wrong` is a value that is refused with `line` (both empty where every value is right)."""

    name: str
    words: str
    measured: tuple[str, ...]
    wrong: str
    line: str


class _Collector:
    """Stands in for Locust's parser."""

    def __init__(self) -> None:
        self.added: dict[str, dict[str, Any]] = {}

    def add_argument(self, name: str, **details: Any) -> Any:
        self.added[name] = details
        return SimpleNamespace(dest=_dest(name))


def option_rows() -> list[OptionRow]:
    """All options but those that the master sets itself."""
    collector = _Collector()
    options.add(collector)
    added = {name: details for name, details in collector.added.items() if not details["help"].startswith(MASTERS)}
    given = {_dest(name): details["default"] for name, details in collector.added.items()}
    return [_row(name, details, {**given, "host": None, "run_time": None}) for name, details in added.items()]


def _row(name: str, details: dict[str, Any], given: dict[str, Any]) -> OptionRow:
    wrong = WRONG.get(name, "many")
    line = "" if details.get("action") == "store_true" else _line(name, details, wrong, given)
    return OptionRow(name, details["help"].replace("%%", "%"), MEASURED.get(name, ()), wrong if line else "", line)


def _line(name: str, details: dict[str, Any], wrong: str, given: dict[str, Any]) -> str:
    if "choices" in details:
        return f"argument {name}: invalid choice: {wrong!r}"
    if "type" in details:
        try:
            details["type"](wrong)
        except ArgumentTypeError as error:
            return f"argument {name}: {error}"
    try:
        several = details.get("action") == "append"
        offline(SimpleNamespace(**{**given, _dest(name): [wrong] if several else wrong}))
    except UsageError as error:
        return str(error)
    return ""


def _dest(name: str) -> str:
    return name.removeprefix("--").replace("-", "_")


def code(text: str) -> str:
    """A text as code, whatever it holds."""
    return f"`` {text} ``" if "`" in text else f"`{text}`"


def option_table() -> str:
    """The rows as Markdown."""
    lines = ["| option | what it drives | measured | a wrong value gets |", "|---|---|---|---|"]
    for row in option_rows():
        measured = ", ".join(f"`{name}`" for name in row.measured)
        cells = (f"`{row.name}`", row.words, measured, code(row.line) if row.line else "–")
        lines.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    return "\n".join(lines)
