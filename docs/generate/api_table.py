"""docs/api.md, by `python -m docs.generate.api_table`: endpoints, fields, what drives them, what a wrong value gets."""

import json
from typing import NamedTuple

from docs.generate.api_calls import call_table
from docs.generate.api_options import code, option_table
from tokenswarm.payloads.field_check import misfit
from tokenswarm.payloads.field_kinds import KINDS
from tokenswarm.payloads.request_fields import LM_CHAT, MESSAGES, PATHS, RESPONSES, Field, example, fields
from tokenswarm.users.anthropic import AnthropicMessagesUser
from tokenswarm.users.base import LLMUser
from tokenswarm.users.embeddings import EmbeddingUser
from tokenswarm.users.lm_studio import LMStudioChatUser
from tokenswarm.users.ollama import OllamaChatUser, OllamaEmbedUser, OllamaGenerateUser
from tokenswarm.users.openai import OpenAIChatUser, OpenAICompletionsUser, OpenAIEmbeddingsUser, OpenAIResponsesUser

CLASSES: dict[str, type[LLMUser]] = {
    c.api.PATH: c
    for c in (
        OllamaChatUser,
        OllamaGenerateUser,
        OllamaEmbedUser,
        OpenAIChatUser,
        OpenAICompletionsUser,
        OpenAIResponsesUser,
        AnthropicMessagesUser,
        OpenAIEmbeddingsUser,
        LMStudioChatUser,
    )
}
HEAD = """# The whole API, and what drives it

Made by `python -m docs.generate.api_table`; a test holds it up to date, and another drives every row through Locust.

A field of `--options` may be given for the run (`--options temperature=0`), for a User class (`--options
"OllamaChatUser: temperature=0"`, or `options = {"temperature": 0}` in a class of one's own), or by a line of a payload
file; the nearest counts. What is wrong gets one line and exit code 2 before any load: the tables have the line for a
value of a wrong kind on `--options`, and beside it what Ollama itself answers to that value. A field of /v1 that is not
here is sent unchecked with a plus: `--options '+new_field=1'`. With `null` a field is left out that is sent otherwise,
for servers that refuse it: `--options '{"stream_options": null, "max_tokens": null}'`.
"""
OPTIONS_HEAD = """What drives the requests beside their fields. (`--options` and `--model`: see the fields above.)"""
LOADING = ("load_ms", "prompt_tokens")
SAID = ("output_tokens", "text_chars")
JSON = ("json_invalid", "schema_invalid", "whitespace_runaway")
SPEED = ("decode_tokens_per_s", "tpot_ms")
MEASURED: dict[str, tuple[str, ...]] = {
    "model": ("load_ms", "ttft_ms", "decode_tokens_per_s"),
    "messages": ("prompt_tokens", "ttft_ms", "prompt_eval_ms"),
    "prompt": ("prompt_tokens", "ttft_ms", "prompt_eval_ms"),
    **dict.fromkeys(("system", "instructions", "system_prompt"), ("prompt_tokens", "ttft_ms")),
    "input": ("prompt_tokens", "ttft_ms", "prompt_eval_ms"),
    "images": ("prompt_tokens", "ttft_ms", "prompt_eval_ms"),
    "tools": ("tool_calls", "tool_call_invalid", "tool_unknown", "ttfa_ms"),
    **dict.fromkeys(("tool_choice", "parallel_tool_calls", "max_tool_calls"), ("tool_calls",)),
    "stream": ("ttft_ms", "itl_ms_hist", "longest_gap_ms"),
    "stream_options": ("prompt_tokens", "output_tokens"),
    "think": ("thinking_chars", "ttfa_ms", "think_unclosed", "think_leaked"),
    **dict.fromkeys(("reasoning_effort", "separate_reasoning", "thinking"), ("thinking_chars", "ttfa_ms")),
    "reasoning": ("reasoning_tokens", "thinking_chars", "ttfa_ms"),
    "output_config": ("thinking_chars", "json_invalid", "schema_invalid"),
    "chat_template_kwargs": ("thinking_chars", "prompt_tokens"),
    "keep_alive": ("load_ms", "ttft_ms"),
    "truncate": ("prompt_tokens", "prompt_truncated"),
    "truncate_prompt_tokens": ("prompt_tokens",),
    "context": ("prompt_tokens", "prompt_eval_ms"),
    "raw": ("prompt_tokens",),
    "template": ("prompt_tokens",),
    "suffix": ("prompt_tokens", "text_chars"),
    "cache_prompt": ("cached_tokens", "prompt_eval_ms"),
    "id_slot": ("cached_tokens", "ttft_ms"),
    "priority": ("ttft_ms",),
    "draft_num_predict": ("load_ms", *SPEED),
    "num_batch": ("load_ms", "prompt_eval_ms"),
    **dict.fromkeys(("num_ctx", "context_length"), ("load_ms", "prompt_tokens", "prompt_truncated")),
    **dict.fromkeys(("num_keep", "shift"), LOADING),
    **dict.fromkeys(("format", "response_format", "text", "json_schema", "guided_json", "structured_outputs"), JSON),
    **dict.fromkeys(
        ("max_tokens", "num_predict", "max_completion_tokens", "max_output_tokens"),
        ("output_tokens", "cut_by_limit", "limit_ignored"),
    ),
    **dict.fromkeys(("repeat_penalty", "repetition_penalty", "repeat_last_n"), ("repetition", "repeat_guard")),
    **dict.fromkeys(("num_gpu", "main_gpu", "use_mmap", "num_thread"), ("load_ms", *SPEED)),
    **dict.fromkeys(("numa", "low_vram", "f16_kv", "logits_all", "vocab_only", "use_mlock"), ("load_ms",)),
    **dict.fromkeys(("logprobs", "top_logprobs", "n_probs"), ("tokens_per_chunk", *SPEED)),
}
VECTORS = ("vectors_per_s", "e2e_ms")
EMBEDDED: dict[str, tuple[str, ...]] = {
    "input": ("batch_size", "vectors", "bad_vectors", "vectors_per_s", "embed_tokens_per_s"),
    "dimensions": ("dimension", "bad_vectors"),
    "truncate": ("prompt_tokens",),
    **dict.fromkeys(("model", "keep_alive", "num_ctx"), ("load_ms", "e2e_ms")),
}


class TableRow(NamedTuple):
    """One field of one endpoint; `wrong` is a value that is refused, with our `line`, and the server's own answer."""

    path: str
    field: Field
    drives: str
    example: object
    measured: tuple[str, ...]
    wrong: object
    line: str
    server: str


def rows(path: str) -> list[TableRow]:
    """The rows of one endpoint."""
    return [_row(path, field) for field in fields(path).values()]


def _row(path: str, field: Field) -> TableRow:
    wrong = KINDS[field.kind].bad
    line = f"--options: {misfit(path, field.name, wrong, ollama=False)}"
    embeds = issubclass(CLASSES[path], EmbeddingUser)
    measured = (EMBEDDED if embeds else MEASURED).get(field.name, VECTORS if embeds else SAID)
    return TableRow(path, field, _drives(field), example(field), measured, wrong, line, server_says(path, field))


OWN_OPTION = {
    "think": "`--think`, ",
    **dict.fromkeys(("max_tokens", "num_predict", "max_output_tokens"), "`--max-tokens`, "),
}
OWN_KEY = {"format": "format", "max_tokens": "max_tokens", "num_predict": "max_tokens"}
# What a payload line calls them.
PAYLOAD_KEY = {"input": "messages", **dict.fromkeys(("instructions", "system_prompt"), "system")}
NO_KEY = (
    "max_completion_tokens",
    "max_output_tokens",
)  # the limit of a payload line is `max_tokens`, by whichever name it is sent


def _drives(field: Field) -> str:
    if field.name == "input" and not {RESPONSES, LM_CHAT} & {*field.paths}:
        return "`--payloads` (`inputs`, else the messages' text), `--batch-size`"
    if field.by.startswith("--"):
        return f"`{field.by}`"
    if field.by:
        return f"`--payloads` (`{PAYLOAD_KEY.get(field.name, field.name)}`)"
    own = OWN_OPTION.get(field.name, "")
    if field.name in NO_KEY:
        return f"{own}`--options`"
    inner = OWN_KEY.get(field.name, "options" if field.place == "options" else "fields")
    return f"{own}`--options`, `--payloads` (`{inner}`)"


def server_says(path: str, field: Field) -> str:
    """What Ollama itself answers to the wrong value: its status, or that it takes no notice; "–" of what it has not."""
    if path == LM_CHAT:
        return "–"
    if field.sent_as:
        return f"see `{field.sent_as}`"
    if path == RESPONSES and field.name == "input":
        return "200, as a text"
    if path == MESSAGES and field.kind == "object":
        return "400"  # known, and of another type, also where it is ignored
    if field.on_ollama != "taken" or field.name == "n" or (path.startswith("/v1/") and field.name == "stop"):
        return "200, ignored"
    return "500" if field.place == "options" or field.name == "format" else "400"


def document() -> str:
    """The whole of docs/api.md."""
    parts = [HEAD]
    for path in PATHS:
        parts += [f"## POST {path}: `{CLASSES[path].__name__}`", _table(path)]
    parts += [
        "## The other endpoints",
        call_table(),
        "## Options",
        OPTIONS_HEAD,
        option_table(),
    ]
    return "\n\n".join(part.strip() for part in parts) + "\n"


def _table(path: str) -> str:
    head = "| field | what it is | driven by | example | measured | a wrong value gets | from Ollama |"
    return "\n".join([head, "|---" * 7 + "|", *(_line(row) for row in rows(path))])


def _line(row: TableRow) -> str:
    field = row.field
    note = {"taken": "", "ignored": "; Ollama ignores it", "refused": "; not for Ollama"}[field.on_ollama]
    where = "`options`, " if field.place == "options" else ""
    sent = f"; sent as `{field.sent_as}`" if field.sent_as else ""
    cells = (
        f"`{field.name}`",
        f"{where}{field.kind}: {field.words}{sent}{note}",
        row.drives,
        _code(row.example),
        ", ".join(f"`{name}`" for name in row.measured),
        code(row.line),
        row.server,
    )
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _code(value: object) -> str:
    return f"`{json.dumps(value, ensure_ascii=False)}`"


if __name__ == "__main__":
    print(document(), end="")
