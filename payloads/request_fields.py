"""What a request of each API may hold: one row a field, with the kind of its value, its place, and who sets it."""

from functools import cache
from typing import Literal, NamedTuple

from tokenswarm.payloads.field_kinds import KINDS

CHAT, GENERATE, EMBED = "/api/chat", "/api/generate", "/api/embed"
V1_CHAT, V1_COMPLETIONS, V1_EMBEDDINGS = "/v1/chat/completions", "/v1/completions", "/v1/embeddings"
RESPONSES, MESSAGES = "/v1/responses", "/v1/messages"
LM_CHAT = "/api/v1/chat"  # LM Studio's own
PATHS = (CHAT, GENERATE, EMBED, V1_CHAT, V1_COMPLETIONS, RESPONSES, MESSAGES, V1_EMBEDDINGS, LM_CHAT)

TALK, OLLAMA = (CHAT, GENERATE), (CHAT, GENERATE, EMBED)
V1_TALK, AGENTS = (V1_CHAT, V1_COMPLETIONS), (RESPONSES, MESSAGES)
V1 = (*V1_TALK, *AGENTS, V1_EMBEDDINGS)

OnOllama = Literal["taken", "ignored", "refused"]


class Field(NamedTuple):
    """A field of one or more APIs.

    `place` is where it stands: in `options`, or in the `body` itself. `by` names the only thing that sets it; empty:
    `--options`, a User class's `options` and a payload line do. `on_ollama`: does Ollama take it? What it ignores is
    said once before the run; what only other servers know is refused there, since it would change nothing.
    """

    name: str
    paths: tuple[str, ...]
    kind: str
    words: str
    place: Literal["options", "body"] = "body"
    by: str = ""
    on_ollama: OnOllama = "taken"
    sent_as: str = ""  # the name in the body, where this one is only another way to say it


def _option(name: str, kind: str, words: str, paths: tuple[str, ...] = TALK, on_ollama: OnOllama = "taken") -> Field:
    return Field(name, paths, kind, words, place="options", on_ollama=on_ollama)


def _extra(name: str, kind: str, words: str, paths: tuple[str, ...] = V1_TALK) -> Field:
    return Field(name, paths, kind, words, on_ollama="refused")


PAYLOAD = "the payload"
WHOLE, FLAG, TEXTS, LIMIT = "whole number", "true/false", "list of texts", "limit"

FIELDS: tuple[Field, ...] = (
    # What the run and its prompts set.
    Field("model", PATHS, "text", "which model answers", by="--model"),
    Field(
        "messages",
        (CHAT, V1_CHAT, MESSAGES),
        "list of objects",
        "the conversation, with images and tool calls",
        by=PAYLOAD,
    ),
    Field("prompt", (GENERATE, V1_COMPLETIONS), "text", "what is asked", by=PAYLOAD),
    Field("system", (GENERATE, MESSAGES), "text", "the system message", by=PAYLOAD),
    Field("instructions", (RESPONSES,), "text", "the system message", by=PAYLOAD),
    Field("images", (GENERATE,), TEXTS, "base64, for models that see", by=PAYLOAD),
    Field("input", (EMBED, V1_EMBEDDINGS), "text or list of texts", "what is embedded", by=PAYLOAD),
    Field(
        "input", (RESPONSES,), "list of objects", "the conversation, with images, tool calls and results", by=PAYLOAD
    ),
    Field("input", (LM_CHAT,), "text", "the conversation as one text, with images as a list", by=PAYLOAD),
    Field("system_prompt", (LM_CHAT,), "text", "the system message", by=PAYLOAD),
    Field("tools", (CHAT, V1_CHAT, *AGENTS), "list of objects", "functions offered to the model", by=PAYLOAD),
    Field("stream", (*TALK, *V1_TALK, *AGENTS, LM_CHAT), FLAG, "in pieces or whole", by="--no-stream"),
    Field("stream_options", V1_TALK, "object", "include_usage is always asked for when streaming", by="--no-stream"),
    Field("max_tokens", (*V1_TALK, MESSAGES), LIMIT, "output limit; --max-tokens means the same"),
    Field("num_predict", (*V1_TALK, MESSAGES), LIMIT, "output limit", sent_as="max_tokens"),
    Field("max_output_tokens", (RESPONSES, LM_CHAT), LIMIT, "output limit; --max-tokens means the same"),
    Field("max_tokens", (RESPONSES, LM_CHAT), LIMIT, "output limit", sent_as="max_output_tokens"),
    Field("num_predict", (RESPONSES, LM_CHAT), LIMIT, "output limit", sent_as="max_output_tokens"),
    Field("max_tokens", TALK, LIMIT, "output limit", sent_as="num_predict"),
    Field("max_completion_tokens", (V1_CHAT,), LIMIT, "output limit, in the place of max_tokens", on_ollama="refused"),
    # Ollama, in the body.
    Field("think", TALK, "think", "to think or not, or how hard"),
    Field("think", (V1_CHAT,), "think", "to think or not, or how hard", sent_as="reasoning_effort"),
    Field("think", (RESPONSES, LM_CHAT), "think", "to think or not, or how hard", sent_as="reasoning"),
    Field("think", (MESSAGES,), "think", "to think or not, or (as output_config) how hard", sent_as="thinking"),
    Field("format", TALK, "format", "JSON, or JSON by a schema"),
    Field("format", (V1_CHAT,), "format", "JSON, or JSON by a schema", sent_as="response_format"),
    Field(
        "format",
        (V1_COMPLETIONS,),
        "format",
        "JSON, or JSON by a schema",
        on_ollama="ignored",
        sent_as="response_format",
    ),
    Field("format", (RESPONSES,), "format", "JSON, or JSON by a schema", sent_as="text"),
    Field("format", (MESSAGES,), "format", "JSON, or JSON by a schema", on_ollama="ignored", sent_as="output_config"),
    Field("keep_alive", OLLAMA, "keep-alive", "how long the model stays in memory after the answer"),
    Field("truncate", OLLAMA, FLAG, "false: a prompt too long for num_ctx is a 400, not cut in silence"),
    Field("shift", TALK, FLAG, "false: an answer ends at num_ctx, instead of forgetting its beginning"),
    Field("logprobs", TALK, FLAG, "log probabilities of the output tokens"),
    Field("top_logprobs", TALK, WHOLE, "how many candidates a token, with logprobs"),
    Field("suffix", (GENERATE,), "text", "what comes after the gap to fill in"),
    Field("template", (GENERATE,), "text", "instead of the model's prompt template"),
    Field("raw", (GENERATE,), FLAG, "no template at all"),
    Field("context", (GENERATE,), "list of whole numbers", "the context of an earlier answer"),
    Field("dimensions", (EMBED, V1_EMBEDDINGS), WHOLE, "length of the vectors"),
    # Ollama's options.
    _option("num_predict", LIMIT, "output limit; --max-tokens means the same"),
    _option("num_ctx", WHOLE, "context length, tokens; another one reloads the model", OLLAMA),
    _option("temperature", "number", "randomness; 0 is greedy"),
    _option("seed", WHOLE, "of the sampling"),
    _option("stop", TEXTS, "where the answer ends"),
    _option("top_k", WHOLE, "sample among the k likeliest"),
    _option("top_p", "number", "sample among the likeliest that make up p"),
    _option("min_p", "number", "sample among those at least p times as likely as the likeliest"),
    _option("typical_p", "number", "locally typical sampling"),
    _option("repeat_last_n", WHOLE, "how far back repetition is looked for, tokens"),
    _option("repeat_penalty", "number", "against repetition"),
    _option("presence_penalty", "number", "against tokens that occurred"),
    _option("frequency_penalty", "number", "against tokens that occurred often"),
    _option("num_keep", WHOLE, "tokens kept from the beginning when the context shifts"),
    _option("num_batch", WHOLE, "prompt tokens evaluated at once; reloads the model", OLLAMA),
    _option("num_gpu", WHOLE, "layers on the GPU; reloads the model", OLLAMA),
    _option("main_gpu", WHOLE, "which GPU; reloads the model", OLLAMA),
    _option("use_mmap", FLAG, "map the model file into memory; reloads the model", OLLAMA),
    _option("num_thread", WHOLE, "CPU threads; reloads the model", OLLAMA),
    _option("draft_num_predict", WHOLE, "tokens drafted ahead (speculative decoding); reloads the model"),
    # Known to older versions only: 0.32 ignores them.
    _option("mirostat", WHOLE, "Mirostat sampling: 0, 1 or 2", on_ollama="ignored"),
    _option("mirostat_eta", "number", "Mirostat's learning rate", on_ollama="ignored"),
    _option("mirostat_tau", "number", "Mirostat's target entropy", on_ollama="ignored"),
    _option("tfs_z", "number", "tail-free sampling", on_ollama="ignored"),
    _option("penalize_newline", FLAG, "count newlines as repetition", on_ollama="ignored"),
    _option("numa", FLAG, "NUMA", on_ollama="ignored"),
    _option("low_vram", FLAG, "spare VRAM", on_ollama="ignored"),
    _option("f16_kv", FLAG, "16-bit KV cache", on_ollama="ignored"),
    _option("logits_all", FLAG, "logits of all tokens", on_ollama="ignored"),
    _option("vocab_only", FLAG, "load no weights", on_ollama="ignored"),
    _option("use_mlock", FLAG, "keep the model from being swapped out", on_ollama="ignored"),
    # OpenAI.
    Field("temperature", (*V1_TALK, *AGENTS), "number", "randomness; 0 is greedy"),
    Field("top_p", (*V1_TALK, *AGENTS), "number", "sample among the likeliest that make up p"),
    Field("seed", V1_TALK, WHOLE, "of the sampling"),
    Field("stop", V1_TALK, "text or list of texts", "where the answer ends"),
    Field("frequency_penalty", V1_TALK, "number", "against tokens that occurred often"),
    Field("presence_penalty", V1_TALK, "number", "against tokens that occurred"),
    Field("response_format", (V1_CHAT,), "response format", "JSON, or JSON by a schema"),
    Field("response_format", (V1_COMPLETIONS,), "response format", "JSON, or JSON by a schema", on_ollama="ignored"),
    Field("reasoning_effort", (V1_CHAT,), "reasoning effort", "to think or not, or how hard"),
    Field("reasoning", (V1_CHAT,), "object", 'the same as {"effort": …}'),
    Field("logprobs", (V1_CHAT,), FLAG, "log probabilities of the output tokens"),
    Field("logprobs", (V1_COMPLETIONS,), WHOLE, "log probabilities of that many candidates"),
    Field("top_logprobs", (V1_CHAT,), WHOLE, "how many candidates a token, with logprobs"),
    Field("suffix", (V1_COMPLETIONS,), "text", "what comes after the gap to fill in"),
    Field("n", V1_TALK, "1", "answers to one prompt"),
    Field("tool_choice", (V1_CHAT,), "text or object", "must a tool be called, and which", on_ollama="ignored"),
    Field("parallel_tool_calls", (V1_CHAT,), FLAG, "more than one call at once", on_ollama="ignored"),
    Field("logit_bias", V1_TALK, "object", "make tokens likelier or less likely", on_ollama="ignored"),
    Field("user", (*V1_TALK, RESPONSES, V1_EMBEDDINGS), "text", "who asks", on_ollama="ignored"),
    Field("metadata", (V1_CHAT,), "object", "the client's own notes", on_ollama="ignored"),
    Field("service_tier", (V1_CHAT,), "text", "OpenAI's classes of service", on_ollama="ignored"),
    Field("store", (V1_CHAT,), FLAG, "whether the server keeps the answer", on_ollama="ignored"),
    Field("prompt_cache_key", (V1_CHAT,), "text", "what the prompt cache is looked up by", on_ollama="ignored"),
    Field("safety_identifier", (V1_CHAT,), "text", "who asks", on_ollama="ignored"),
    Field("verbosity", (V1_CHAT,), "text", "low, medium or high", on_ollama="ignored"),
    Field("echo", (V1_COMPLETIONS,), FLAG, "the prompt is said again before the answer", on_ollama="ignored"),
    Field("best_of", (V1_COMPLETIONS,), "1", "answers to choose from", on_ollama="ignored"),
    Field("encoding_format", (V1_EMBEDDINGS,), "encoding", "numbers or base64"),
    # What agents speak: OpenAI's newer API, and Anthropic's.
    Field("reasoning", (RESPONSES,), "object", 'to think or not, or how hard: {"effort": …}'),
    Field("text", (RESPONSES,), "object", 'the form of the answer: {"format": …}'),
    Field("truncation", (RESPONSES,), "text", "auto: a conversation too long for the context loses its beginning"),
    Field("include", (RESPONSES,), TEXTS, "what else the answer should hold"),
    Field(
        "store",
        (RESPONSES,),
        FLAG,
        "whether the server keeps the answer; false unless it is given",
        on_ollama="ignored",
    ),
    Field("tool_choice", (RESPONSES,), "text or object", "must a tool be called, and which", on_ollama="ignored"),
    Field("parallel_tool_calls", (RESPONSES,), FLAG, "more than one call at once", on_ollama="ignored"),
    Field("max_tool_calls", (RESPONSES,), WHOLE, "of the server's own tools", on_ollama="ignored"),
    Field("top_logprobs", (RESPONSES,), WHOLE, "how many candidates a token", on_ollama="ignored"),
    Field("metadata", (RESPONSES,), "object", "the client's own notes", on_ollama="ignored"),
    Field("service_tier", AGENTS, "text", "OpenAI's and Anthropic's classes of service", on_ollama="ignored"),
    Field("prompt_cache_key", (RESPONSES,), "text", "what the prompt cache is looked up by", on_ollama="ignored"),
    Field("safety_identifier", (RESPONSES,), "text", "who asks", on_ollama="ignored"),
    Field("thinking", (MESSAGES,), "object", 'to think or not: {"type": "enabled", "budget_tokens": …}'),
    Field(
        "output_config", (MESSAGES,), "object", 'how hard to think, the form of the answer: {"effort": …, "format": …}'
    ),
    Field("stop_sequences", (MESSAGES,), TEXTS, "where the answer ends"),
    Field("stop", (MESSAGES,), "text or list of texts", "where the answer ends", sent_as="stop_sequences"),
    Field("top_k", (MESSAGES,), WHOLE, "sample among the k likeliest"),
    Field("tool_choice", (MESSAGES,), "object", "must a tool be called, and which", on_ollama="ignored"),
    Field("metadata", (MESSAGES,), "object", "who asks", on_ollama="ignored"),
    # LM Studio's own API.
    Field("reasoning", (LM_CHAT,), "reasoning setting", "to think or not, or how hard"),
    Field("temperature", (LM_CHAT,), "number", "randomness; 0 is greedy"),
    Field("top_p", (LM_CHAT,), "number", "sample among the likeliest that make up p"),
    Field("top_k", (LM_CHAT,), WHOLE, "sample among the k likeliest"),
    Field("min_p", (LM_CHAT,), "number", "sample among those at least p times as likely as the likeliest"),
    Field("repeat_penalty", (LM_CHAT,), "number", "against repetition"),
    Field("context_length", (LM_CHAT,), WHOLE, "context length, tokens"),
    Field("store", (LM_CHAT,), FLAG, "whether the server keeps the chat; false unless it is given"),
    # What vLLM, SGLang or llama.cpp take beside it.
    _extra("top_k", WHOLE, "sample among the k likeliest"),
    _extra("min_p", "number", "sample among those at least p times as likely as the likeliest"),
    _extra("typical_p", "number", "locally typical sampling (llama.cpp)"),
    _extra("repetition_penalty", "number", "against repetition (vLLM, SGLang)"),
    _extra("repeat_penalty", "number", "against repetition (llama.cpp)"),
    _extra("repeat_last_n", WHOLE, "how far back repetition is looked for, tokens (llama.cpp)"),
    _extra("mirostat", WHOLE, "Mirostat sampling: 0, 1 or 2 (llama.cpp)"),
    _extra("mirostat_eta", "number", "Mirostat's learning rate (llama.cpp)"),
    _extra("mirostat_tau", "number", "Mirostat's target entropy (llama.cpp)"),
    _extra("ignore_eos", FLAG, "go on to the output limit"),
    _extra("min_tokens", WHOLE, "least output, tokens (vLLM, SGLang)"),
    _extra("stop_token_ids", "list of whole numbers", "tokens where the answer ends (vLLM, SGLang)"),
    _extra("skip_special_tokens", FLAG, "leave special tokens out of the text (vLLM, SGLang)"),
    _extra("include_stop_str_in_output", FLAG, "leave the stop text in (vLLM)"),
    _extra("allowed_token_ids", "list of whole numbers", "the only tokens to choose from (vLLM)"),
    _extra("prompt_logprobs", WHOLE, "how many candidates a prompt token (vLLM)"),
    _extra("use_beam_search", FLAG, "beam search (vLLM)"),
    _extra("length_penalty", "number", "of beam search (vLLM)"),
    _extra("bad_words", TEXTS, "never said (vLLM)"),
    _extra("truncate_prompt_tokens", WHOLE, "cut the prompt to that many tokens (vLLM)"),
    _extra("priority", WHOLE, "of the request, where the server schedules by it (vLLM)"),
    _extra("structured_outputs", "object", "a constraint on the output (vLLM)"),
    _extra("guided_json", "object", "JSON by a schema (vLLM before 0.12)"),
    _extra("guided_regex", "text", "output by a regular expression (vLLM before 0.12)"),
    _extra("guided_choice", TEXTS, "one of these (vLLM before 0.12)"),
    _extra("guided_grammar", "text", "output by a grammar (vLLM before 0.12)"),
    _extra("regex", "text", "output by a regular expression (SGLang)"),
    _extra("ebnf", "text", "output by a grammar (SGLang)"),
    _extra("grammar", "text", "output by a grammar (llama.cpp)"),
    _extra("json_schema", "object", "JSON by a schema (llama.cpp)"),
    _extra("cache_prompt", FLAG, "use the prompt cache (llama.cpp)"),
    _extra("id_slot", WHOLE, "which slot answers (llama.cpp)"),
    _extra("samplers", TEXTS, "which samplers, in which order (llama.cpp)"),
    _extra("dry_multiplier", "number", "DRY sampling (llama.cpp)"),
    _extra("xtc_probability", "number", "XTC sampling (llama.cpp)"),
    _extra("timings_per_token", FLAG, "timings in every chunk (llama.cpp)"),
    _extra("n_probs", WHOLE, "how many candidates a token (llama.cpp)"),
    _extra("chat_template_kwargs", "object", "for the chat template: enable_thinking, …", (V1_CHAT,)),
    _extra("add_generation_prompt", FLAG, "end the prompt as the template begins an answer (vLLM)", (V1_CHAT,)),
    _extra("separate_reasoning", FLAG, "thinking in a field of its own (SGLang)", (V1_CHAT,)),
)

# A picture of 1 × 1.
PNG = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR4nGNgYGBgAAAABQABpfZFQAAAAABJRU5ErkJggg=="
# Where the example of the field's kind would not do.
EXAMPLES: dict[str, object] = {
    "model": "qwen3:8b",
    "messages": [{"role": "user", "content": "Hi"}],
    "prompt": "Hi",
    "system": "Be brief.",
    "images": [PNG],
    "input": ["Hi", "Ho"],
    "tools": [{"type": "function", "function": {"name": "now", "parameters": {"type": "object"}}}],
    "stream_options": {"include_usage": True},
    "num_ctx": 4096,
    "num_batch": 256,
    "num_gpu": 0,
    "main_gpu": 0,
    "num_thread": 2,
    "mirostat": 2,
    "dimensions": 64,
    "template": "{{ .Prompt }}",
    "reasoning": {"effort": "none"},
    f"{LM_CHAT} reasoning": "off",
    f"{LM_CHAT} input": "Hi",
    "system_prompt": "Be brief.",
    "context_length": 4096,
    "instructions": "Be brief.",
    f"{RESPONSES} input": [{"type": "message", "role": "user", "content": "Hi"}],
    f"{MESSAGES} tool_choice": {"type": "auto"},
    "text": {"format": {"type": "json_object"}},
    "truncation": "disabled",
    "thinking": {"type": "disabled"},
    "output_config": {"effort": "low"},
    "logit_bias": {"15": -100},
    "tool_choice": "auto",
    "json_schema": {"type": "object"},
    "guided_json": {"type": "object"},
    "structured_outputs": {"regex": "[ab]"},
    "chat_template_kwargs": {"enable_thinking": False},
}


def example(field: Field) -> object:
    """A value that is right."""
    own = EXAMPLES.get(f"{field.paths[0]} {field.name}")
    return EXAMPLES.get(field.name, KINDS[field.kind].good) if own is None else own


@cache
def fields(path: str) -> dict[str, Field]:
    """The fields of one API by their name; none for a path that is not in the table."""
    return {field.name: field for field in FIELDS if path in field.paths}
