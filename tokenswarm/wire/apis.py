"""The APIs that are spoken, and by what their answers are known and end."""

from collections.abc import Callable, Iterator
from typing import NamedTuple

from tokenswarm.wire import (
    anthropic_messages,
    lm_studio_chat,
    ollama_chat,
    ollama_embed,
    ollama_generate,
    openai_chat,
    openai_completions,
    openai_embeddings,
    openai_responses,
)
from tokenswarm.wire.values import Api, Chunk

GENERATING: tuple[Api, ...] = (
    ollama_chat,
    ollama_generate,
    openai_chat,
    openai_completions,
    openai_responses,
    anthropic_messages,
    lm_studio_chat,
)
EMBEDDING: tuple[Api, ...] = (ollama_embed, openai_embeddings)
APIS: tuple[Api, ...] = (*GENERATING, *EMBEDDING)

# By one of which a frame of an API is known.
KEYS = {
    **dict.fromkeys((openai_chat.PATH, openai_completions.PATH), ("choices",)),
    ollama_chat.PATH: ("message", "done"),
    ollama_generate.PATH: ("response", "done"),
    openai_responses.PATH: ("type", "output"),
    anthropic_messages.PATH: ("type", "content"),
    lm_studio_chat.PATH: ("type", "output"),
}


class End(NamedTuple):
    """What ends an answer: bytes that stand in its last frame, its marks in words, and what says why it ended."""

    mark: bytes
    done: str
    why: str
    reason: str


_SENTINEL = End(b"[DONE]", "[DONE]", "a finish reason", "finish_reason")
_DONE = End(b'"done":true', "done:true", "", "done_reason")
_ENDS = {
    openai_responses.PATH: End(b'"response.completed"', "response.completed", "", "status"),
    anthropic_messages.PATH: End(b'"message_stop"', "message_stop", "a stop reason", "stop_reason"),
    lm_studio_chat.PATH: End(b'"chat.end"', "chat.end", "", "stop_reason"),
}
# What goes along a whole answer's chunks, where one alone does not tell: what was said before, what is said later.
ALONG: dict[str, Callable[[Iterator[Chunk]], Iterator[Chunk]]] = {
    openai_responses.PATH: openai_responses.said_once,
    lm_studio_chat.PATH: openai_responses.said_once,
    anthropic_messages.PATH: anthropic_messages.count_prompt_once,
}


def end_of(api: Api) -> End:
    """What ends an answer of an API, also of one that a locustfile of one's own has."""
    return _ENDS.get(api.PATH) or (_SENTINEL if api.done_by_sentinel else _DONE)
